/** A message that is sent again with the same Idempotency-Key is the same message. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf } from "../support/sse.ts";
import { bodyOf, fakeSession, follow, historyOf, send } from "../support/turns.ts";

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

const keyed = (id: string, content: string, key: string, more: object = {}) =>
  send(e, id, content, more, { "idempotency-key": key });
const about = ({ headers }: { headers: Headers }) => [
  headers.get("x-delivery"),
  headers.get("x-run-id"),
];

test("while the run is under way, the repeat shows all of it, from its beginning", async () => {
  const id = await fakeSession(e, fake);
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ text: "one " }, { wait: gate.promise }, { text: "two" }] });
  const first = await keyed(id, "hello", "k1");
  await first.untilText("one");
  await first.hangUp();
  const again = await keyed(id, "hello", "k1");
  expect(about(again)).toEqual(["attached", first.headers.get("x-run-id")]);
  gate.resolve();
  const seen = await again.ended();
  expect(textOf(seen)).toBe("one two");
  expect(seen.map((each) => each.id)).toEqual(seen.map((_, at) => at + 1));
  expect(fake.requests).toHaveLength(1);
});

test("when the run has ended, the repeat replays it", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("hi", "other");
  const first = await keyed(id, "hello", "k1");
  const events = await first.ended();
  await e.turn(id, "something else");
  const again = await keyed(id, "hello", "k1");
  expect(again.headers.get("x-delivery")).toBe("attached");
  expect(await again.ended()).toEqual(events);
  expect(await historyOf(e, id)).toHaveLength(4);
});

test("the repeat may come during another turn, and as a run", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("hi", { fault: { kind: "stall", after: null } });
  const first = await keyed(id, "hello", "k1");
  const events = await first.ended();
  const busy = await send(e, id, "something else");
  expect(await (await keyed(id, "hello", "k1")).ended()).toEqual(events);
  const body = { content: "hello" };
  const headers = { "idempotency-key": "k1" };
  const run = await (await e.call("POST", `/sessions/${id}/runs`, body, headers)).json();
  expect(run).toMatchObject({ outcome: "attached", run_id: first.headers.get("x-run-id") });
  await e.json("POST", `/sessions/${id}/cancel`);
  await busy.ended();
});

test("after the engine was started again, the repeat still finds its run", async () => {
  const own = await startEngine();
  try {
    const id = await own.newSession();
    const headers = { "idempotency-key": "k1" };
    const first = await send(own, id, "say hello", {}, headers);
    const events = await first.ended();
    await own.restart();
    const again = await send(own, id, "say hello", {}, headers);
    expect(about(again)).toEqual(["attached", first.headers.get("x-run-id")]);
    expect(await again.ended()).toEqual(events);
  } finally {
    await own.stop();
  }
});

test("the same key with another message is refused, and that message is not taken", async () => {
  const id = await fakeSession(e, fake);
  await (await keyed(id, "hello", "k1")).ended();
  const path = `/sessions/${id}/message`;
  for (const body of [{ content: "other" }, { content: "hello", limits: { tokens: 5 } }]) {
    const response = await e.call("POST", path, body, { "idempotency-key": "k1" });
    expect(response.status).toBe(422);
    expect((await bodyOf(response)).code).toBe("invalid_request");
  }
  expect(await historyOf(e, id)).toHaveLength(2);
});

test("of twenty repeats at once one starts the run and the others attach to it", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("just once");
  const streams = await Promise.all(Array.from({ length: 20 }, () => keyed(id, "hello", "k1")));
  const deliveries = streams.map(({ headers }) => headers.get("x-delivery"));
  expect(deliveries.filter((each) => each === "started")).toHaveLength(1);
  expect(deliveries.filter((each) => each === "attached")).toHaveLength(19);
  expect(new Set(streams.map(({ headers }) => headers.get("x-run-id"))).size).toBe(1);
  const all = await Promise.all(streams.map((each) => each.ended()));
  for (const seen of all) expect(seen).toEqual(all[0]!);
  expect(fake.requests).toHaveLength(1);
  expect((await e.json("GET", `/sessions/${id}/runs`)).runs).toHaveLength(1);
});

test("twenty repeats of a queued message at once are one in the queue", async () => {
  const id = await fakeSession(e, fake);
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ wait: gate.promise }, { text: "first" }] }, "second");
  const busy = await send(e, id, "one");
  const streams = await Promise.all(
    Array.from({ length: 20 }, () => keyed(id, "two", "k2", { delivery: "queue" })),
  );
  expect((await e.json("GET", `/sessions/${id}/queue`)).runs).toHaveLength(1);
  gate.resolve();
  await busy.ended();
  for (const stream of streams) expect(textOf(await stream.ended())).toBe("second");
});

test("a key counts in its session only", async () => {
  const [one, other] = [await fakeSession(e, fake), await fakeSession(e, fake)];
  for (const id of [one, other]) {
    const stream = await keyed(id, "hello", "k1");
    expect(stream.headers.get("x-delivery")).toBe("started");
    await stream.ended();
  }
});

test("a message that was refused leaves its key free", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ fault: { kind: "stall", after: null } }, "hi");
  const busy = await send(e, id, "one");
  const path = `/sessions/${id}/message`;
  const refused = await e.call("POST", path, { content: "two" }, { "idempotency-key": "k2" });
  expect(refused.status).toBe(409);
  await e.json("POST", `/sessions/${id}/cancel`);
  await busy.ended();
  expect(about(await keyed(id, "two", "k2"))[0]).toBe("started");
});

test("a key that is none is refused", async () => {
  const id = await fakeSession(e, fake);
  for (const key of ["with space", "x".repeat(256)]) {
    const headers = { "idempotency-key": key };
    const response = await e.call("POST", `/sessions/${id}/message`, { content: "hi" }, headers);
    expect(response.status).toBe(422);
    expect((await bodyOf(response)).detail[0].loc).toEqual(["header", "idempotency-key"]);
  }
});

test("an attached stream follows a queued run by its events resource as well", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("hi");
  const first = await keyed(id, "hello", "k1");
  const events = await first.ended();
  const path = `/sessions/${id}/runs/${first.headers.get("x-run-id")}/events`;
  expect(await follow(await e.call("GET", path)).ended()).toEqual(events);
});
