/** Calls of the model that fail: what is tried again, what the client sees of it, what stays. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeFault, type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf, typesOf } from "../support/sse.ts";
import {
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  KEY,
  outline,
  PROTOCOLS,
  send,
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

const status = (status: number, headers: Record<string, string> = {}) => ({
  fault: { kind: "status", status, headers } as const,
});
const soon = { "retry-after-ms": "5" };

for (const protocol of PROTOCOLS) {
  test(`too many requests, twice, then an answer: two retries are shown, and then the text (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    fake.reply(status(429, soon), status(429, soon), "at last");
    const seen = await e.turn(id, "hello");
    expect(typesOf(seen)).toEqual([
      "turn_started",
      "retry",
      "retry",
      "token",
      "model_call",
      "turn_complete",
    ]);
    expect(eventsOf(seen, "retry")).toMatchObject([
      { attempt: 1, delay_ms: 5, reason: expect.any(String) },
      { attempt: 2, delay_ms: 5, reason: expect.any(String) },
    ]);
    expect(await historyOf(e, id)).toHaveLength(2);
  });

  test(`a wrong key is not tried again (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    const body = { error: { type: "authentication_error", message: `invalid key ${KEY}` } };
    fake.reply({ fault: { kind: "status", status: 401, body } });
    const seen = await e.turn(id, "hello");
    expect(typesOf(seen)).toEqual(["turn_started", "error"]);
    expect(seen[1]?.event).toMatchObject({ code: "auth_error", retryable: false });
    expect(JSON.stringify(seen)).not.toContain(KEY);
    expect(fake.requests).toHaveLength(1);
  });

  for (const kind of ["end", "fin", "reset"] as const)
    test(`a reply that breaks off after its first text is an error, not tried again (${protocol}, ${kind})`, async () => {
      const id = await fakeSession(e, fake, { protocol });
      const after = protocol === "messages" ? 5 : 3;
      const shown = Promise.withResolvers<void>();
      const steps = [{ text: "Half of" }, { wait: shown.promise }, { text: " it" }];
      fake.reply({ steps, fault: { kind, after } });
      const stream = await send(e, id, "hello");
      await stream.untilText("Half of");
      shown.resolve();
      const seen = await stream.ended();
      expect(outline(seen)).toEqual(["turn_started", "error"]);
      expect(seen.at(-1)?.event).toMatchObject({ code: "provider_cut", retryable: true });
      expect(fake.requests).toHaveLength(1);
      expect((await historyOf(e, id))[1]).toMatchObject({
        content: textOf(seen),
        metadata: { partial: true },
      });
      fake.reply("whole");
      expect(textOf(await e.turn(id, "again"))).toBe("whole");
    });
}

test("retry-after in seconds is kept to", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(status(503, { "retry-after": "0.02" }), "ok then");
  const seen = await e.turn(id, "hello");
  expect(eventsOf(seen, "retry")[0].delay_ms).toBe(20);
  expect(textOf(seen)).toBe("ok then");
});

test("a longer pause than two minutes is cut to them", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(status(529, { "retry-after": "3600" }));
  const { run_id } = await e.json("POST", `/sessions/${id}/runs`, { content: "hello" });
  const stream = follow(await e.call("GET", `/sessions/${id}/runs/${run_id}/events`));
  expect((await stream.until("retry")).delay_ms).toBe(120_000);
  await e.json("POST", `/sessions/${id}/cancel`);
  await stream.ended();
});

test("after five retries the failure is the turn's end", async () => {
  const id = await fakeSession(e, fake);
  fake.fallback = status(429, soon);
  const seen = await e.turn(id, "hello");
  expect(eventsOf(seen, "retry").map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
  expect(seen.at(-1)?.event).toMatchObject({ type: "error", code: "rate_limit", retryable: true });
  expect(fake.requests).toHaveLength(6);
  expect((await historyOf(e, id)).map(({ role }) => role)).toEqual(["user"]);
});

for (const [name, fault, code] of [
  ["a request that the provider refuses", { kind: "status", status: 400 }, "internal"],
  ["a model that is not there", { kind: "status", status: 404 }, "internal"],
  ["no right to it", { kind: "status", status: 403 }, "auth_error"],
] as const)
  test(`${name} is not tried again`, async () => {
    const id = await fakeSession(e, fake);
    fake.reply({ fault: fault as FakeFault });
    const seen = await e.turn(id, "hello");
    expect(typesOf(seen)).toEqual(["turn_started", "error"]);
    expect(seen[1]?.event).toMatchObject({ code, retryable: false });
  });

test("a connection that breaks before the reply is tried again", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ fault: { kind: "reset", after: 0 } }, "second time");
  const seen = await e.turn(id, "hello");
  expect(outline(seen)).toEqual(["turn_started", "retry", "turn_complete"]);
  expect(textOf(seen)).toBe("second time");
});

test("a provider that is not there is tried again, and then the turn's end", async () => {
  const gone = await startFakeProvider();
  const id = await fakeSession(e, gone);
  await gone.stop();
  const { run_id } = await e.json("POST", `/sessions/${id}/runs`, { content: "hello" });
  const stream = follow(await e.call("GET", `/sessions/${id}/runs/${run_id}/events`));
  expect(await stream.until("retry")).toMatchObject({ attempt: 1, delay_ms: 500 });
  await e.json("POST", `/sessions/${id}/cancel`);
  await stream.ended();
});

test("retries of the second call keep what the first one did", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const call = { call: "terminal", input: { command: "echo once" } };
  fake.reply({ steps: [call] }, status(500, soon), "done");
  const seen = await e.turn(id, "go");
  expect(outline(seen)).toEqual([
    "turn_started",
    "tool_start",
    "tool_result",
    "retry",
    "turn_complete",
  ]);
  expect(eventsOf(seen, "model_call")).toHaveLength(2);
});

test("calls of a reply that breaks off are not run", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const call = { call: "terminal", input: { command: "echo never" } };
  fake.reply({ steps: [{ text: "Running" }, call, call], fault: { kind: "end", after: 6 } });
  const seen = await e.turn(id, "go");
  expect(outline(seen)).toEqual(["turn_started", "error"]);
  expect((await historyOf(e, id))[1].metadata.tool_calls).toBeUndefined();
});

test("a profile without a key: the session is made, and the first message says what to set", async () => {
  const id = await e.newSession({ profile: "claude" });
  const seen = await e.turn(id, "hello");
  expect(typesOf(seen)).toEqual(["turn_started", "error"]);
  expect(seen[1]?.event).toMatchObject({ code: "auth_error", retryable: false });
  expect(seen[1]?.event.message).toMatch(/API_KEY/);
});

test("the offline model fails when asked to, and says with which error", async () => {
  const id = await e.newSession();
  for (const code of ["rate_limit", "timeout", "context_exceeded", "internal"]) {
    const seen = await e.turn(id, `fail with ${code}`);
    expect(seen.at(-1)?.event).toMatchObject({ type: "error", code });
  }
  const seen = await e.turn(id, "fail twice then succeed");
  expect(eventsOf(seen, "retry")).toHaveLength(2);
  expect(seen.at(-1)?.event.type).toBe("turn_complete");
});
