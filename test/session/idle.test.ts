/** Sessions that nobody uses go back to the store, and come back whole when somebody does. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { SessionId } from "../../src/domain/ids.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf } from "../support/sse.ts";
import {
  answer,
  fakeSession,
  follow,
  historyOf,
  KEY,
  send,
  sendAnswering,
} from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  fake = await startFakeProvider();
  const profile = {
    provider: "custom",
    model: "fake-model",
    base_url: fake.baseUrl("chat"),
    api_key: KEY,
  };
  const config = { kollabor: { llm: { profiles: { fake: profile } } } };
  e = await startEngine({ files: { ".kollab/config.json": JSON.stringify(config) } });
});
afterAll(async () => {
  await e.stop();
  await fake.stop();
});

/** As if it had been long ago that anybody used a session. */
const letGo = () => e.engine.sessions.letGoOfIdle(Date.now() + 1);
const liveIds = async () => (await e.engine.sessions.live()).map(({ id }) => id as string);
const live = (id: string) => e.engine.sessions.get(id as SessionId);

test("a session that was let go comes back whole, and its log goes on where it was", async () => {
  const id = await e.newSession({
    profile: "fake",
    approval_mode: "default",
    system_prompt: "Be kind.",
    metadata: { color: "blue" },
  });
  fake.reply({ steps: [{ call: "terminal", input: { command: "rm -rf none" } }] }, "done");
  const events = await sendAnswering(e, id, "go");
  const about = async () => [
    await e.json("GET", `/sessions/${id}`),
    await historyOf(e, id),
    await e.json("GET", `/sessions/${id}/permissions`),
    await e.json("GET", `/sessions/${id}/runs`),
  ];
  const before = await about();
  const old = await live(id);
  await letGo();
  expect(await liveIds()).not.toContain(id);
  const { sessions } = await e.json("GET", "/sessions");
  expect(sessions).toContainEqual(before[0]);
  expect(await liveIds()).not.toContain(id);
  expect(await about()).toEqual(before);
  expect(await live(id)).not.toBe(old);
  fake.reply("again");
  const next = await e.turn(id, "and now?");
  expect(textOf(next)).toBe("again");
  expect(next[0]?.id).toBe((events.at(-1)?.id as number) + 1);
});

test("a session that was let go has closed its model and opens another one", async () => {
  const id = await e.newSession({ profile: "fake" });
  fake.reply("one");
  await e.turn(id, "hello");
  const { model } = await live(id);
  let closed = 0;
  const { close } = model!.model;
  model!.model.close = () => {
    closed += 1;
    close();
  };
  await letGo();
  expect(closed).toBe(1);
  fake.reply("two");
  expect(textOf(await e.turn(id, "hello"))).toBe("two");
});

test("who used a session a moment ago finds the same one", async () => {
  const id = await e.newSession({ profile: "fake" });
  await e.engine.sessions.letGoOfIdle();
  expect(await liveIds()).toContain(id);
});

test("a session with a reader, a turn, a queue or secrets of its own stays", async () => {
  const ids = {
    read: await e.newSession({ profile: "fake" }),
    busy: await e.newSession({ profile: "fake" }),
    own: await fakeSession(e, fake),
    token: await e.newSession({ profile: "fake", user_token: "user-token-0123456789" }),
  };
  const reader = follow(await e.call("GET", `/sessions/${ids.read}/events`));
  fake.reply({ steps: [{ call: "terminal", input: { command: "true" } }] });
  const { run_id } = await e.json("POST", `/sessions/${ids.busy}/runs`, { content: "go" });
  await e.json("POST", `/sessions/${ids.busy}/runs`, { content: "and then" });
  const watching = follow(await e.call("GET", `/sessions/${ids.busy}/runs/${run_id}/events`));
  const { tool_id } = await watching.until("permission_request");
  await watching.hangUp();
  while ((await live(ids.busy)).readers > 0) await Bun.sleep(1);
  await letGo();
  expect(await liveIds()).toEqual(expect.arrayContaining(Object.values(ids)));
  fake.reply("done", "and then", "token");
  expect(await answer(e, ids.busy, tool_id)).toBe(200);
  const { runs } = await e.json("GET", `/sessions/${ids.busy}/runs`);
  await follow(await e.call("GET", `/sessions/${ids.busy}/runs/${runs[0].run_id}/events`)).ended();
  await reader.hangUp();
  while ((await live(ids.read)).readers > 0) await Bun.sleep(1);
  await letGo();
  const left = await liveIds();
  expect(left).not.toContain(ids.read);
  expect(left).not.toContain(ids.busy);
  expect(left).toEqual(expect.arrayContaining([ids.own, ids.token]));
});

test("a message to a session in the instant it is let go is answered, fifty times", async () => {
  const id = await e.newSession({ profile: "offline" });
  for (let round = 0; round < 50; round++) {
    const [stream] = await Promise.all([send(e, id, `say ${round}`), letGo()]);
    expect(textOf(await stream.ended())).toContain(`${round}`);
  }
  const users = (await historyOf(e, id)).filter(({ role }) => role === "user");
  expect(users.map(({ content }) => content)).toEqual(
    Array.from({ length: 50 }, (_, round) => `say ${round}`),
  );
});

test("a store that refuses to let one go does not keep the others, and ends nothing", async () => {
  const ids = [await e.newSession({ profile: "fake" }), await e.newSession({ profile: "fake" })];
  const { store } = (await live(ids[0]!)).services;
  const { release } = store;
  store.release = async (id) => {
    if (id === ids[0]) throw new Error("disk full");
    await release(id);
  };
  try {
    // As its timer calls it: what it throws would end the process.
    await letGo();
    expect(await liveIds()).not.toContain(ids[1]);
  } finally {
    store.release = release;
  }
});
