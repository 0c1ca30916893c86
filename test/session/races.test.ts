/** Two things in the same instant: whichever comes first, nothing is lost and nothing hangs. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { SessionId } from "../../src/domain/ids.ts";
import { cancel as cancelRun } from "../../src/session/runs.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf, typesOf } from "../support/sse.ts";
import { answer, eventsOf, fakeSession, follow, KEY, send, within } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  e = await startEngine();
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
});
afterEach(() => fake.stop());

const live = (id: string) => e.engine.sessions.get(id as SessionId);
const stall = { fault: { kind: "stall", after: null } } as const;
const run = (command: string, id: string) => ({ call: "terminal", input: { command }, id });

test("an approval and a cancel in one instant: nothing is done any more", async () => {
  const id = await fakeSession(e, fake);
  for (const [nth, file] of ["a.txt", "b.txt"].entries()) {
    const input = { file, content: "never" };
    const step =
      nth === 0 ? { call: "file_create", input, id: `c${nth}` } : run(`echo > ${file}`, `c${nth}`);
    fake.reply({ steps: [step] });
    const stream = await send(e, id, "write it");
    await stream.until("permission_request");
    const session = await live(id);
    const answered = session.permissions
      .answer(`c${nth}` as never, { decision: "approve", scope: "once" })
      .catch((error) => error.code);
    cancelRun(session, session.active!.record.id);
    // Whoever approved it is told that it came too late.
    expect(await answered).toBe("not_found");
    expect((await stream.ended()).at(-1)?.event.code).toBe("cancelled");
    expect(existsSync(join(e.workspace, file))).toBe(false);
  }
});

test("on_disconnect cancel: a client that is gone before its stream begins takes its turn along", async () => {
  const id = await fakeSession(e, fake);
  const session = await live(id);
  const { store } = session.services;
  const { apply } = store;
  const disk = Promise.withResolvers<void>();
  const busy = Promise.withResolvers<void>();
  store.apply = async (writes) => {
    busy.resolve();
    await disk.promise;
    return apply(writes);
  };
  try {
    fake.reply(stall);
    const body = JSON.stringify({ content: "hello", on_disconnect: "cancel" });
    const head = [
      `POST /sessions/${id}/message HTTP/1.1`,
      `host: 127.0.0.1:${e.server.port}`,
      `authorization: Bearer ${e.server.token}`,
      "content-type: application/json",
      `content-length: ${body.length}`,
      "\r\n",
    ].join("\r\n");
    const socket = connect({ port: e.server.port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.write(head + body);
    await busy.promise;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    await closed;
    // The engine hears of it before its disk is done.
    await e.json("GET", "/health");
    disk.resolve();
  } finally {
    store.apply = apply;
    disk.resolve();
  }
  const isFree = async () => {
    while (session.active !== null || session.readers > 0) await Bun.sleep(5);
  };
  try {
    await within(isFree(), () => `still at it, with ${session.readers} readers`);
  } finally {
    await e.json("POST", `/sessions/${id}/cancel`);
  }
});

test("a session deleted during a turn that a message has joined: both streams end as cancelled", async () => {
  for (let round = 0; round < 5; round++) {
    const id = await fakeSession(e, fake, { approval_mode: "confirm_all" });
    fake.reply({ steps: [run("echo 1", "c1")] }, stall);
    const stream = await send(e, id, "go");
    await stream.until("permission_request");
    const joined = await send(e, id, "and this", { delivery: "steer" });
    const asked = fake.nextRequest();
    await answer(e, id, "c1");
    await asked;
    await e.json("DELETE", `/sessions/${id}`);
    for (const each of [stream, joined]) {
      const seen = await each.ended();
      expect(eventsOf(seen, "error")).toMatchObject([{ code: "cancelled" }]);
    }
  }
});

test("of two clients that share a turn by its key, one that leaves does not end it for the other", async () => {
  const id = await fakeSession(e, fake);
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ text: "one " }, { wait: gate.promise }, { text: "two" }] });
  const headers = { "idempotency-key": "k1" };
  const more = { on_disconnect: "cancel" };
  const first = await send(e, id, "hello", more, headers);
  await first.untilText("one");
  // The first connection broke; its client came back before the engine noticed.
  const again = await send(e, id, "hello", more, headers);
  await again.untilText("one");
  await first.hangUp();
  while ((await live(id)).readers > 1) await Bun.sleep(1);
  gate.resolve();
  expect(typesOf(await again.ended()).at(-1)).toBe("turn_complete");
});

test("a change of mode is answered when it is stored, not before", async () => {
  const id = await e.newSession();
  const { store } = (await live(id)).services;
  const { apply } = store;
  const disk = Promise.withResolvers<void>();
  let stored = false;
  store.apply = async (writes) => {
    await disk.promise;
    await apply(writes);
    stored = true;
  };
  try {
    const asked = e
      .call("POST", `/sessions/${id}/permissions/mode`, { mode: "trust_all" })
      .then(({ status }) => [status, stored]);
    await e.json("GET", `/sessions/${id}`);
    await e.json("GET", `/sessions/${id}`);
    disk.resolve();
    expect(await asked).toEqual([200, true]);
  } finally {
    store.apply = apply;
    disk.resolve();
  }
});

test("a call that a limit or the engine's stop cut is not said to be the user's doing", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [run("echo 1", "c1")] });
  const seen = await e.turn(id, "go", { limits: { seconds: 1 } });
  expect(seen.at(-1)?.event).toMatchObject({ type: "turn_complete", stop_reason: "max_seconds" });
  expect(eventsOf(seen, "permission_denied")).toHaveLength(1);
  expect(eventsOf(seen, "tool_result")[0].error).not.toContain("user");
  expect((await e.json("GET", `/sessions/${id}/permissions`)).pending).toEqual([]);
});

test("unattended deny: a prompt whose last reader leaves is denied, nobody can answer it", async () => {
  const id = await fakeSession(e, fake, { unattended: "deny" });
  fake.reply({ steps: [run("echo 1", "c1")] }, "done");
  const stream = await send(e, id, "go");
  await stream.until("permission_request");
  await stream.hangUp();
  const session = await live(id);
  const isFree = async () => {
    while (session.active !== null) await Bun.sleep(5);
  };
  try {
    await within(isFree(), () => "the prompt still waits");
  } finally {
    await e.json("POST", `/sessions/${id}/cancel`);
  }
});

test("a change of which a part is refused changes nothing", async () => {
  const id = await e.newSession({ user_token: "old-token" });
  const response = await e.call("PATCH", `/sessions/${id}`, {
    user_token: "new-token",
    credentials: { provider: "no such provider", api_key: KEY, model: "m", base_url: "not a url" },
  });
  await response.text();
  const { secrets } = await live(id);
  expect([response.ok, secrets.userToken]).toEqual(
    response.ok ? [true, "new-token"] : [false, "old-token"],
  );
});

test("a hundred starts and cancels without a pause leave one end each, and a session that works", async () => {
  const id = await fakeSession(e, fake);
  fake.fallback = { steps: [{ text: "a" }, { text: "b" }] };
  const streams = [];
  for (let n = 0; n < 100; n++) {
    const response = await e.call("POST", `/sessions/${id}/message`, {
      content: `${n}`,
      delivery: (["reject", "queue", "steer"] as const)[n % 3],
    });
    if (response.status === 200) streams.push(follow(response));
    else expect(response.status).toBe(409);
    if (n % 2 === 0) void e.json("POST", `/sessions/${id}/cancel`);
  }
  for (const stream of streams) {
    const seen = await stream.ended();
    const ends = typesOf(seen).filter((type) => type === "error" || type === "turn_complete");
    expect(ends).toHaveLength(1);
  }
  const { runs } = await e.json("GET", `/sessions/${id}/runs`);
  expect(runs).toHaveLength(streams.length);
  for (const { state } of runs) expect(["completed", "canceled", "steered"]).toContain(state);
  expect(textOf(await e.turn(id, "still there?"))).toBe("ab");
  const session = await live(id);
  expect([session.active, session.queue.length, session.readers]).toEqual([null, 0, 0]);
});
