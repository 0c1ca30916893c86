/** Messages that come during a turn: refused, queued, or joined to it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { type Json, textOf, typesOf } from "../support/sse.ts";
import {
  answer,
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  PROTOCOLS,
  send,
  unansweredCalls,
} from "../support/turns.ts";

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

const stall = { fault: { kind: "stall", after: null } } as const;
const cancel = (id: string) => e.json("POST", `/sessions/${id}/cancel`);
const runOf = (stream: { headers: Headers }) => stream.headers.get("x-run-id") ?? "";
const asks = async (id: string) =>
  (await historyOf(e, id)).filter(({ role }) => role === "user").map(({ content }) => content);
const queue = async (id: string): Promise<Json[]> =>
  (await e.json("GET", `/sessions/${id}/queue`)).runs;
const prompts = async (id: string) => (await queue(id)).map(({ prompt }) => prompt);
const enqueue = (id: string, content: string) => send(e, id, content, { delivery: "queue" });

/** A session whose turn waits at the provider, and what ends that turn. */
async function busySession() {
  const id = await fakeSession(e, fake);
  const gate = Promise.withResolvers<void>();
  const asked = fake.nextRequest();
  fake.reply({ steps: [{ wait: gate.promise }, { text: "first" }] });
  const stream = await send(e, id, "one");
  await asked;
  return { id, stream, finish: () => gate.resolve() };
}

test("of fifty messages at once one is taken and the others are refused", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(stall);
  const responses = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      e.call("POST", `/sessions/${id}/message`, { content: `message ${n}` }),
    ),
  );
  const taken = responses.filter(({ status }) => status === 200);
  const refused = responses.filter(({ status }) => status === 409);
  expect([taken.length, refused.length]).toEqual([1, 49]);
  for (const response of refused)
    expect(await response.json()).toEqual({ detail: "Turn already in progress", code: "conflict" });
  await cancel(id);
  const seen = await follow(taken[0]!).ended();
  expect(eventsOf(seen, "turn_started")).toHaveLength(1);
  expect(await asks(id)).toHaveLength(1);
});

test("the reply says which run it is and what became of the message", async () => {
  const { id, stream, finish } = await busySession();
  fake.reply("second", "third");
  const queued = await enqueue(id, "two");
  const steered = await send(e, id, "three", { delivery: "steer" });
  const deliveries = [stream, queued, steered].map(({ headers }) => headers.get("x-delivery"));
  expect(deliveries).toEqual(["started", "queued", "steered"]);
  expect(new Set([stream, queued, steered].map(runOf)).size).toBe(3);
  finish();
  await Promise.all([stream.ended(), queued.ended(), steered.ended()]);
  const states = await Promise.all(
    [stream, queued, steered].map((each) => e.json("GET", `/sessions/${id}/runs/${runOf(each)}`)),
  );
  expect(states.map(({ state, steered_into }) => [state, steered_into])).toEqual([
    ["completed", null],
    ["completed", null],
    ["steered", runOf(stream)],
  ]);
});

test("queue: messages run in the order they came, each with a stream of its own", async () => {
  const { id, stream, finish } = await busySession();
  fake.reply("second", "third", "fourth");
  const more = [];
  for (const content of ["two", "three", "four"]) more.push(await enqueue(id, content));
  expect(await prompts(id)).toEqual(["two", "three", "four"]);
  expect((await queue(id)).map(({ position, state }) => [position, state])).toEqual([
    [1, "queued"],
    [2, "queued"],
    [3, "queued"],
  ]);
  expect((await e.json("GET", `/sessions/${id}`)).queued_runs).toBe(3);
  finish();
  const streams = await Promise.all([stream, ...more].map((each) => each.ended()));
  expect(streams.map(textOf)).toEqual(["first", "second", "third", "fourth"]);
  for (const [nth, seen] of streams.slice(1).entries()) {
    expect(typesOf(seen)).toEqual([
      "message_queued",
      "turn_started",
      "token",
      "model_call",
      "turn_complete",
    ]);
    expect(seen[0]?.event.position).toBe(nth + 1);
    expect(seen[1]?.event.turn_id).toBe(runOf(more[nth]!));
  }
  expect(await asks(id)).toEqual(["one", "two", "three", "four"]);
  expect(await queue(id)).toEqual([]);
});

test("queue: the next message begins by itself after an error and after a cancel", async () => {
  const id = await fakeSession(e, fake);
  const gate = Promise.withResolvers<void>();
  const cut = { kind: "end", after: 3 } as const;
  fake.reply({ steps: [{ text: "a" }, { wait: gate.promise }, { text: "b" }], fault: cut });
  const first = await send(e, id, "one");
  await first.untilText("a");
  const second = await enqueue(id, "two");
  const third = await enqueue(id, "three");
  fake.reply(stall, "third");
  const asked = fake.nextRequest();
  gate.resolve();
  expect((await first.until("error")).code).toBe("provider_cut");
  await second.until("turn_started");
  await asked;
  await cancel(id);
  expect((await second.until("error")).code).toBe("cancelled");
  expect(textOf(await third.ended())).toBe("third");
  const { runs } = await e.json("GET", `/sessions/${id}/runs`);
  expect(runs.map(({ state }: Json) => state)).toEqual(["completed", "canceled", "failed"]);
});

test("queue: its order is what the client says, and those it does not name come after", async () => {
  const { id, stream, finish } = await busySession();
  const more = [];
  for (const content of ["two", "three", "four"]) more.push(await enqueue(id, content));
  const [, three, four] = more.map(runOf);
  const path = `/sessions/${id}/queue`;
  await e.json("PUT", path, { run_ids: [four, three] });
  expect(await prompts(id)).toEqual(["four", "three", "two"]);
  const unknown = await e.call("PUT", path, { run_ids: [three, "run_none"] });
  expect(unknown.status).toBe(404);
  expect(await prompts(id)).toEqual(["four", "three", "two"]);
  fake.reply("x", "x", "x");
  finish();
  await Promise.all([stream, ...more].map((each) => each.ended()));
  expect(await asks(id)).toEqual(["one", "four", "three", "two"]);
});

test("queue: a run that is named twice still runs once", async () => {
  const { id, stream, finish } = await busySession();
  const more = [await enqueue(id, "two"), await enqueue(id, "three")];
  const [two] = more.map(runOf);
  await e.call("PUT", `/sessions/${id}/queue`, { run_ids: [two, two] });
  expect(await prompts(id)).toEqual(["two", "three"]);
  fake.reply("x", "x", "x");
  finish();
  await Promise.all([stream, ...more].map((each) => each.ended()));
  expect(await asks(id)).toEqual(["one", "two", "three"]);
});

test("queue: a message cancelled before its turn never runs, and its stream ends once", async () => {
  const { id, stream, finish } = await busySession();
  const two = await enqueue(id, "two");
  const three = await enqueue(id, "three");
  await e.json("POST", `/sessions/${id}/runs/${runOf(two)}/cancel`);
  const seen = await two.ended();
  expect(typesOf(seen)).toEqual(["message_queued", "error"]);
  expect(seen[1]?.event).toMatchObject({ code: "cancelled", retryable: false });
  expect(await prompts(id)).toEqual(["three"]);
  const late = follow(await e.call("GET", `/sessions/${id}/runs/${runOf(two)}/events`));
  expect(typesOf(await late.ended()).at(-1)).toBe("error");
  fake.reply("x");
  finish();
  await Promise.all([stream.ended(), three.ended()]);
  expect(await asks(id)).toEqual(["one", "three"]);
  expect((await e.json("GET", `/sessions/${id}/runs/${runOf(two)}`)).state).toBe("canceled");
});

test("queue: it is full at a hundred, and says so", async () => {
  const { id, stream, finish } = await busySession();
  const statuses = await Promise.all(
    Array.from({ length: 103 }, async (_, n) => {
      const response = await e.call("POST", `/sessions/${id}/runs`, { content: `say ${n}` });
      await response.text();
      return response.status;
    }),
  );
  expect(statuses.filter((status) => status === 202)).toHaveLength(100);
  expect(statuses.filter((status) => status === 503)).toHaveLength(3);
  for (const { run_id } of await queue(id))
    await e.json("POST", `/sessions/${id}/runs/${run_id}/cancel`);
  finish();
  await stream.ended();
});

test("queue: a client that leaves lets its message run, or takes it along if it said so", async () => {
  const { id, stream, finish } = await busySession();
  const stays = await enqueue(id, "two");
  const goes = await send(e, id, "three", { delivery: "queue", on_disconnect: "cancel" });
  const last = await enqueue(id, "four");
  await stays.hangUp();
  await goes.hangUp();
  const own = follow(await e.call("GET", `/sessions/${id}/events`));
  await own.until("run_canceled");
  fake.reply("x", "x");
  finish();
  await stream.ended();
  await last.ended();
  await own.hangUp();
  expect(await asks(id)).toEqual(["one", "two", "four"]);
});

for (const protocol of PROTOCOLS)
  test(`steer: the message joins the turn before the model is called again (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    const call = { call: "terminal", input: { command: "echo hi" } };
    fake.reply({ steps: [{ text: "Running." }, call] }, "Both done.");
    const stream = await send(e, id, "run it");
    const { tool_id } = await stream.until("permission_request");
    const joined = await send(e, id, "and be quick", { delivery: "steer" });
    expect(joined.headers.get("x-delivery")).toBe("steered");
    expect(await joined.until("message_steered")).toMatchObject({
      run_id: runOf(joined),
      into: runOf(stream),
    });
    const request = fake.nextRequest();
    await answer(e, id, tool_id);
    const sent = JSON.stringify((await request).body);
    expect(sent).toContain("and be quick");
    expect(sent.lastIndexOf("and be quick")).toBeGreaterThan(sent.lastIndexOf("hi\\n"));
    const [own, other] = await Promise.all([stream.ended(), joined.ended()]);
    expect(eventsOf(own, "turn_complete")).toHaveLength(1);
    expect(other.at(-1)).toEqual(own.at(-1));
    expect(textOf(other)).toBe("Both done.");
    expect((await historyOf(e, id)).map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "user",
      "assistant",
    ]);
    expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  });

test("steer: during the last reply it makes the turn go on", async () => {
  const { id, stream, finish } = await busySession();
  fake.reply("second");
  const joined = await send(e, id, "wait, also this", { delivery: "steer" });
  finish();
  const [own, other] = await Promise.all([stream.ended(), joined.ended()]);
  expect(textOf(own)).toBe("firstsecond");
  expect(own.at(-1)).toEqual(other.at(-1)!);
  expect(eventsOf(own, "turn_started")).toHaveLength(1);
  expect(await asks(id)).toEqual(["one", "wait, also this"]);
});

test("steer: with no turn to join the message starts one", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("alone");
  const stream = await send(e, id, "hello", { delivery: "steer" });
  expect(stream.headers.get("x-delivery")).toBe("started");
  expect(textOf(await stream.ended())).toBe("alone");
});

test("steer: a message that came too late for the turn becomes the next run, before the queue", async () => {
  const { id, stream } = await busySession();
  const queued = await enqueue(id, "queued");
  const steered = await send(e, id, "steered", { delivery: "steer" });
  fake.reply("for the steered one", "for the queued one");
  await cancel(id);
  const seen = await stream.ended();
  expect(seen.at(-1)?.event.code).toBe("cancelled");
  expect(textOf(await steered.ended())).toBe("for the steered one");
  expect(textOf(await queued.ended())).toBe("for the queued one");
  expect(await asks(id)).toEqual(["one", "steered", "queued"]);
  for (const each of [steered, queued])
    expect(eventsOf(each.events, "turn_complete")).toHaveLength(1);
});

test("steer: a turn that is cancelled during a command does not swallow the message", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [{ call: "terminal", input: { command: "echo on; sleep 300" } }] });
  const stream = await send(e, id, "run it");
  await stream.until("tool_output");
  const steered = await send(e, id, "do this instead", { delivery: "steer" });
  fake.reply("doing that");
  await cancel(id);
  expect((await stream.ended()).at(-1)?.event.code).toBe("cancelled");
  expect(textOf(await steered.ended())).toBe("doing that");
});

test("steer: a message that has not joined yet can be cancelled", async () => {
  const { id, stream, finish } = await busySession();
  const steered = await send(e, id, "never mind", { delivery: "steer" });
  await e.json("POST", `/sessions/${id}/runs/${runOf(steered)}/cancel`);
  const seen = await steered.ended();
  expect(typesOf(seen)).toEqual(["message_steered", "error"]);
  finish();
  expect(textOf(await stream.ended())).toBe("first");
  expect(await asks(id)).toEqual(["one"]);
});

test("runs are listed newest first, and tell what they are", async () => {
  const { id, stream, finish } = await busySession();
  const reply = await e.json("POST", `/sessions/${id}/runs`, { content: "two" });
  expect(reply).toMatchObject({
    session_id: id,
    state: "queued",
    outcome: "queued",
    delivery: "queue",
    prompt: "two",
    position: 1,
  });
  fake.reply("second");
  finish();
  await stream.ended();
  const second = follow(await e.call("GET", `/sessions/${id}/runs/${reply.run_id}/events`));
  expect(textOf(await second.ended())).toBe("second");
  const { runs } = await e.json("GET", `/sessions/${id}/runs`);
  expect(
    runs.map(({ prompt, state, stop_reason, input_tokens }: Json) => [
      prompt,
      state,
      stop_reason,
      input_tokens,
    ]),
  ).toEqual([
    ["two", "completed", "stop", 10],
    ["one", "completed", "stop", 10],
  ]);
  const other = await fakeSession(e, fake);
  expect((await e.call("GET", `/sessions/${other}/runs/${reply.run_id}`)).status).toBe(404);
});

test("a run asked for in the instant of its end is shown as ended, and its stream ends", async () => {
  const { id, stream, finish } = await busySession();
  const session = await e.engine.sessions.get(id as never);
  const { store } = session.services;
  const { apply } = store;
  // A disk that takes its time over the turn's last words.
  const disk = Promise.withResolvers<void>();
  const busy = Promise.withResolvers<void>();
  store.apply = async (writes) => {
    if (session.active === null) {
      busy.resolve();
      await disk.promise;
    }
    return apply(writes);
  };
  try {
    finish();
    await busy.promise;
    const path = `/sessions/${id}/runs/${runOf(stream)}`;
    const asked = e.json("GET", path);
    const followed = e.call("GET", `${path}/events`);
    // Both are being answered before the disk is done.
    await e.json("GET", `/sessions/${id}`);
    await e.json("GET", `/sessions/${id}`);
    disk.resolve();
    expect((await asked).state).toBe("completed");
    expect(typesOf(await follow(await followed).ended()).at(-1)).toBe("turn_complete");
  } finally {
    store.apply = apply;
    disk.resolve();
  }
});
