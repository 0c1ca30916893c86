import { afterEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { readSse, textOf, typesOf } from "../support/sse.ts";

let e: TestEngine;
afterEach(() => e.stop());

test("a turn with the offline model streams its text and ends once", async () => {
  e = await startEngine();
  const id = await e.newSession();
  const events = await e.turn(id, "say hello to the world");
  expect(typesOf(events)[0]).toBe("turn_started");
  expect(typesOf(events).at(-1)).toBe("turn_complete");
  expect(textOf(events)).toContain("hello to the world");
  expect(events.map(({ id }) => id)).toEqual(events.map((_, at) => at + 1));
});

test("a command runs after it was allowed, and its result comes back", async () => {
  e = await startEngine();
  const id = await e.newSession();
  const response = await e.call("POST", `/sessions/${id}/message`, {
    content: "run echo hi there",
  });
  const seen = [];
  for await (const each of readSse(response)) {
    seen.push(each);
    if (each.event.type !== "permission_request") continue;
    const tool_id = each.event.tool_id;
    const answer = await e.json("POST", `/sessions/${id}/permission`, {
      tool_id,
      decision: "approve",
    });
    expect(answer).toMatchObject({ ok: true, applied_scope: "once" });
  }
  expect(
    typesOf(seen).filter((type) => !["token", "model_call", "tool_output"].includes(type)),
  ).toEqual([
    "turn_started",
    "tool_start",
    "permission_request",
    "permission_granted",
    "tool_result",
    "turn_complete",
  ]);
  const result = seen.find(({ event }) => event.type === "tool_result")?.event;
  expect(result).toMatchObject({ success: true, output: "hi there\n", tool_name: "terminal" });
});
