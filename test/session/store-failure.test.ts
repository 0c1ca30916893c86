/** A store that fails for a while: whoever waits is told, nothing is half done, and then it all goes on. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { SessionId } from "../../src/domain/ids.ts";
import type { Store, Write } from "../../src/store/store.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { groupIsGone } from "../support/process-group.ts";
import { type Json, type SseEvent, textOf, typesOf } from "../support/sse.ts";
import {
  eventsOf,
  follow,
  historyOf,
  KEY,
  send,
  unansweredCalls,
  within,
} from "../support/turns.ts";

let fake: FakeProvider;
let e: TestEngine;
let store: Store;
let apply: Store["apply"];
beforeEach(async () => {
  fake = await startFakeProvider();
  const profile = {
    provider: "custom",
    model: "fake-model",
    base_url: fake.baseUrl("chat"),
    api_key: KEY,
  };
  const config = { kollabor: { llm: { profiles: { fake: profile } } } };
  e = await startEngine({ files: { ".kollab/config.json": JSON.stringify(config) } });
  const id = await e.newSession({ profile: "fake" });
  store = (await e.engine.sessions.get(id as SessionId)).services.store;
  apply = store.apply;
});
afterEach(async () => {
  store.apply = apply;
  await e.stop();
  await fake.stop();
});

/** Refuses the groups that hold such a write; resolves `hit` when it has. */
function refuse(isMeant: (write: Write) => boolean, times = Number.POSITIVE_INFINITY) {
  const hit = Promise.withResolvers<void>();
  let left = times;
  store.apply = async (writes) => {
    if (left === 0 || !writes.some(isMeant)) return apply(writes);
    left -= 1;
    hit.resolve();
    throw new Error("disk full");
  };
  const works = () => {
    store.apply = apply;
  };
  return { hit: hit.promise, works };
}

const everything = () => true;
const newSession = () => e.newSession({ profile: "fake", approval_mode: "trust_all" });
const run = (command: string, id: string) => ({ call: "terminal", input: { command }, id });

/** The session's events from the beginning, up to the end of its newest run. */
async function wholeLog(id: string): Promise<SseEvent[]> {
  const { runs } = await e.json("GET", `/sessions/${id}/runs`);
  const stream = follow(await e.call("GET", `/sessions/${id}/events`));
  await stream.untilId(Math.max(...runs.map((each: Json) => each.end_seq ?? 0)));
  await stream.hangUp();
  return stream.events;
}

/** Resolves when the session's turn, of which nobody can see the rest, has ended. */
async function free(id: string): Promise<void> {
  const isFree = async () => {
    while ((await e.json("GET", `/sessions/${id}`)).active) await Bun.sleep(5);
  };
  await within(isFree(), () => "the turn never ended");
}

/** The session takes a message, as if nothing had been. */
async function expectUsable(id: string): Promise<void> {
  await free(id);
  fake.fallback = { steps: [{ text: "Here again." }] };
  const next = await e.turn(id, "are you there?");
  expect(typesOf(next).at(-1)).toBe("turn_complete");
  expect(textOf(next)).toBe("Here again.");
  const history = await historyOf(e, id);
  expect(unansweredCalls(history)).toEqual([]);
  expect(history.at(-2)).toMatchObject({ role: "user", content: "are you there?" });
  const log = await wholeLog(id);
  expect(log.map((each) => each.id)).toEqual(log.map((_, at) => at + 1));
  await e.restart();
  expect(await historyOf(e, id)).toEqual(history);
  expect(await wholeLog(id)).toEqual(log);
}

test("in the middle of a text: each stream ends in one error, and the turn is an interrupted one", async () => {
  const id = await newSession();
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ text: "Once upon " }, { wait: gate.promise }, { text: "a time" }] });
  const stream = await send(e, id, "tell me");
  const other = follow(await e.call("GET", `/sessions/${id}/events`));
  await Promise.all([stream.untilText("Once upon "), other.untilText("Once upon ")]);
  const failing = refuse(everything);
  gate.resolve();
  for (const each of [stream, other]) {
    const seen = await each.ended();
    expect(seen.at(-1)).toMatchObject({ id: null, event: { type: "error", code: "internal" } });
    expect(eventsOf(seen, "error")).toHaveLength(1);
    expect(textOf(seen)).toBe("Once upon ");
  }
  failing.works();
  const path = `/sessions/${id}/runs/${stream.headers.get("x-run-id")}`;
  expect(await e.json("GET", path)).toMatchObject({
    state: "failed",
    error: { code: "interrupted" },
  });
  const log = await wholeLog(id);
  expect(log.slice(0, stream.events.length - 1)).toEqual(stream.events.slice(0, -1));
  expect(eventsOf(log, "error")).toMatchObject([{ code: "interrupted" }]);
  expect((await historyOf(e, id)).map(({ role, content }) => [role, content])).toEqual([
    ["user", "tell me"],
    ["assistant", "Once upon "],
  ]);
  await expectUsable(id);
});

test("once, at the reply that calls tools: no answer stands without its call", async () => {
  const id = await newSession();
  const failing = refuse(
    (write) =>
      write.kind === "message" &&
      write.message.role === "assistant" &&
      write.message.toolCalls.length > 0,
    1,
  );
  fake.reply({ steps: [{ text: "Both." }, run("echo 1", "c1"), run("echo 2", "c2")] });
  const stream = await send(e, id, "run both");
  await failing.hit;
  expect(eventsOf(await stream.ended(), "error")).toHaveLength(1);
  await expectUsable(id);
});

test("once, at a tool's result: its call is answered all the same", async () => {
  const id = await newSession();
  const failing = refuse((write) => write.kind === "message" && write.message.role === "tool", 1);
  fake.reply({ steps: [run("echo 1", "c1"), run("echo 2", "c2")] });
  const stream = await send(e, id, "run both");
  await failing.hit;
  expect(eventsOf(await stream.ended(), "error")).toHaveLength(1);
  await expectUsable(id);
});

test("during a command: its processes end, since nobody could see what they do", async () => {
  const id = await newSession();
  fake.reply({
    steps: [run("echo $$; for n in 1 2 3 4 5 6 7 8; do sleep 0.1; echo $n; done; sleep 300", "c1")],
  });
  const stream = await send(e, id, "run it");
  const { chunk } = await stream.until("tool_output");
  const failing = refuse(everything);
  expect(eventsOf(await stream.ended(), "error")).toHaveLength(1);
  failing.works();
  expect(await groupIsGone(Number(chunk.trim()))).toBe(true);
  await expectUsable(id);
});

test("once, at the message itself: it was not taken, and the next one is", async () => {
  const id = await newSession();
  const failing = refuse((write) => write.kind === "run", 1);
  const gate = Promise.withResolvers<void>();
  // The turn may be given up before or after its request: no reply must wait for the next one.
  fake.fallback = { steps: [{ wait: gate.promise }, { text: "never seen" }] };
  const response = await e.call("POST", `/sessions/${id}/message`, { content: "hello" });
  await failing.hit;
  expect(response.status).toBeGreaterThanOrEqual(500);
  gate.resolve();
  await expectUsable(id);
});

test("once, at the end of a turn: the turn counts as interrupted, or as done, never as both", async () => {
  const id = await newSession();
  const failing = refuse((write) => write.kind === "run" && write.record.state === "completed", 1);
  fake.reply("all said");
  const stream = await send(e, id, "hello");
  await failing.hit;
  expect(eventsOf(await stream.ended(), "error")).toHaveLength(1);
  const log = await wholeLog(id);
  const ends = typesOf(log).filter((type) => type === "error" || type === "turn_complete");
  expect(ends).toHaveLength(1);
  await expectUsable(id);
});

test("while nothing runs: a session that could not be made, and afterwards all is well", async () => {
  const id = await newSession();
  const failing = refuse((write) => write.kind === "new_session", 1);
  const body = { session_id: "late", profile: "fake" };
  expect((await e.call("POST", "/sessions", body)).status).toBeGreaterThanOrEqual(500);
  failing.works();
  expect((await e.call("POST", "/sessions", body)).status).toBe(200);
  await expectUsable(id);
});

test("while nothing runs: a session that could not be deleted is there, and can be deleted", async () => {
  const id = await newSession();
  const failing = refuse((write) => write.kind === "delete_session", 1);
  expect((await e.call("DELETE", `/sessions/${id}`)).status).toBeGreaterThanOrEqual(500);
  failing.works();
  expect((await e.call("GET", `/sessions/${id}`)).status).toBe(200);
  await expectUsable(id);
  expect((await e.call("DELETE", `/sessions/${id}`)).status).toBe(200);
});

test("one session's turn that fails with the store does not take the others along", async () => {
  const [one, other] = [await newSession(), await newSession()];
  fake.reply("fine");
  await e.turn(other, "hello");
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ text: "Once " }, { wait: gate.promise }, { text: "more" }] });
  const stream = await send(e, one, "tell me");
  await stream.untilText("Once ");
  const failing = refuse(everything);
  gate.resolve();
  await stream.ended();
  failing.works();
  fake.reply("fine");
  const next = await e.turn(other, "hello again");
  expect(typesOf(next).at(-1)).toBe("turn_complete");
});

test("dashboards go on, or are told that they cannot", async () => {
  const all = follow(await e.call("GET", "/events"));
  const failing = refuse((write) => write.kind === "new_session", 1);
  await (await e.call("POST", "/sessions", { profile: "fake" })).text();
  failing.works();
  const id = await newSession();
  const seen = async () => {
    await all.until("session_created");
    return all.events.at(-1)?.event.session_id;
  };
  const told = async () => (await all.until("error")).code;
  const outcome = await Promise.race([seen().catch(() => null), told().catch(() => null)]);
  expect([id, "internal"]).toContain(outcome);
  await all.hangUp();
  const again = follow(await e.call("GET", "/events?after=0"));
  await again.until("session_created", 2);
  await again.hangUp();
});

test("a model of a session that was given up is closed", async () => {
  const id = await newSession();
  fake.reply("one");
  await e.turn(id, "hello");
  const { model } = await e.engine.sessions.get(id as SessionId);
  let closed = 0;
  const { close } = model!.model;
  model!.model.close = () => {
    closed += 1;
    close();
  };
  const failing = refuse(everything);
  fake.reply("two");
  await (await e.call("POST", `/sessions/${id}/message`, { content: "hello" })).text();
  await failing.hit;
  failing.works();
  await free(id);
  expect(closed).toBe(1);
});

test("a session with its own credentials keeps them, since the engine did not end", async () => {
  const credentials = {
    provider: "custom",
    api_key: KEY,
    model: "fake-model",
    base_url: fake.baseUrl("chat"),
  };
  const id = await e.newSession({ credentials });
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ text: "Once " }, { wait: gate.promise }, { text: "more" }] });
  const stream = await send(e, id, "tell me");
  await stream.untilText("Once ");
  const failing = refuse(everything);
  gate.resolve();
  await stream.ended();
  failing.works();
  fake.reply("Here again.");
  expect(textOf(await e.turn(id, "are you there?"))).toBe("Here again.");
});
