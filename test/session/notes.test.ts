/** The agent's notes: the plan that people see, and the scratchpad. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { eventsOf, fakeSession } from "../support/turns.ts";

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

const trusting = () => fakeSession(e, fake, { approval_mode: "trust_all" });
const call = (name: string, input: object = {}) => ({ steps: [{ call: name, input }] });
const results = async (id: string) =>
  eventsOf(await e.turn(id, "go"), "tool_result").map(({ output, error }) => error || output);

test("a plan is shown when it changes, and can be read", async () => {
  const id = await trusting();
  const items = [
    { content: "read", status: "completed" },
    { content: "write", status: "in_progress" },
  ];
  fake.reply(call("todo", { items }), "ok");
  const seen = await e.turn(id, "plan it");
  expect(eventsOf(seen, "todo")[0]).toMatchObject({ items });
  expect(eventsOf(seen, "tool_result")[0]?.output).toBe("✓ Plan updated\n[x] read\n[>] write");
  expect(await e.json("GET", `/sessions/${id}/todo`)).toEqual({ session_id: id, items });
});

test("a plan given as text is read; one that is wrong changes nothing", async () => {
  const id = await trusting();
  fake.reply(
    call("todo", { items: JSON.stringify([{ content: "a", status: "pending" }]) }),
    call("todo", { items: [{ content: "a", status: "later" }] }),
    call("todo", { items: [{ content: " ", status: "pending" }] }),
    call("todo", { items: "nothing" }),
    call("todo", {}),
    "ok",
  );
  expect(await results(id)).toEqual([
    "✓ Plan updated\n[ ] a",
    "Parameter 'items', item 1: Parameter 'status' must be one of pending, in_progress, completed, cancelled",
    "An item has no content",
    "Parameter 'items' must be of type array",
    "Missing required parameter 'items'",
  ]);
  expect((await e.json("GET", `/sessions/${id}/todo`)).items).toEqual([
    { content: "a", status: "pending" },
  ]);
});

test("the scratchpad is one session's, and survives a restart with the plan", async () => {
  const id = await trusting();
  fake.reply(
    call("scratchpad_get"),
    call("scratchpad", { content: "one" }),
    call("scratchpad_append", { content: "two" }),
    call("scratchpad_get"),
    call("todo", { items: [{ content: "a", status: "pending" }] }),
    "ok",
  );
  expect((await results(id)).slice(0, 4)).toEqual([
    "The scratchpad is empty",
    "✓ The scratchpad has 3 characters",
    "✓ The scratchpad has 7 characters",
    "one\ntwo",
  ]);
  const other = await trusting();
  fake.reply(call("scratchpad_get"), "ok");
  expect(await results(other)).toEqual(["The scratchpad is empty"]);

  await e.restart();
  expect((await e.json("GET", `/sessions/${id}/todo`)).items).toHaveLength(1);
  const again = await e.engine.sessions.get(id as never);
  expect(again.notes.scratchpad).toBe("one\ntwo");
});

test("a scratchpad that is too long is refused and stays as it was", async () => {
  const id = await trusting();
  fake.reply(
    call("scratchpad", { content: "kept" }),
    call("scratchpad_append", { content: "x".repeat(100_000) }),
    call("scratchpad_get"),
    call("scratchpad_clear"),
    call("scratchpad_get"),
    "ok",
  );
  const all = await results(id);
  expect(all[1]).toContain("the limit is 100000");
  expect(all.slice(2)).toEqual([
    "kept",
    "✓ The scratchpad has 0 characters",
    "The scratchpad is empty",
  ]);
});
