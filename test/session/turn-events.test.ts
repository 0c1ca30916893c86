/** What a turn shows, in which order, and what it leaves in the conversation. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { withoutDynamicTags } from "../../src/session/new-session.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf, typesOf } from "../support/sse.ts";
import {
  answer,
  bodyOf,
  eventsOf,
  fakeSession,
  historyOf,
  outline,
  PROTOCOLS,
  send,
  sendAnswering,
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

const run = (command: string, id?: string) => ({
  call: "terminal",
  input: { command },
  ...(id === undefined ? {} : { id }),
});

for (const protocol of PROTOCOLS)
  test(`approve, deny, approve in one reply gives three results and another call of the model (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    fake.reply(
      {
        steps: [{ text: "On it." }, run("echo a", "c1"), run("echo b", "c2"), run("echo c", "c3")],
      },
      "All done.",
    );
    const seen = await sendAnswering(e, id, "three at once", ["approve", "deny", "approve"]);
    expect(typesOf(seen).filter((type) => type !== "tool_output")).toEqual([
      "turn_started",
      "token",
      "model_call",
      ...["tool_start", "permission_request", "permission_granted", "tool_result"],
      ...["tool_start", "permission_request", "permission_denied", "tool_result"],
      ...["tool_start", "permission_request", "permission_granted", "tool_result"],
      "token",
      "model_call",
      "turn_complete",
    ]);
    const ids = seen.flatMap(({ event }) => event.tool_id ?? []);
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids)).toEqual(new Set(["c1", "c2", "c3"]));
    const results = eventsOf(seen, "tool_result");
    expect(results.map(({ success, output }) => [success, output])).toEqual([
      [true, "a\n"],
      [false, "User denied"],
      [true, "c\n"],
    ]);
    expect(results[1]).toMatchObject({
      error: "User denied",
      metadata: { permission_denied: true },
    });
    expect(seen.at(-1)?.event).toMatchObject({
      tool_calls: 3,
      input_tokens: 20,
      output_tokens: 10,
    });
    expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  });

test("every event carries its session and a time, and ids count from one without gaps", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [run("echo a")] }, "done");
  const before = Date.now();
  const seen = await sendAnswering(e, id, "go");
  expect(seen.map((each) => each.id)).toEqual(seen.map((_, at) => at + 1));
  for (const { event } of seen) {
    expect(event.session_id).toBe(id);
    expect(Number.isInteger(event.ts)).toBe(true);
    expect(event.ts).toBeGreaterThanOrEqual(before);
  }
});

test("a prompt shows the tool, its input and its risk as tool_start does", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [run("rm -rf build", "danger")] }, "done");
  const seen = await sendAnswering(e, id, "go", ["deny"]);
  const shown = {
    tool_id: "danger",
    tool_name: "terminal",
    tool_type: "terminal",
    input: { command: "rm -rf build" },
    risk_level: "high",
  };
  expect(eventsOf(seen, "tool_start")[0]).toMatchObject(shown);
  expect(eventsOf(seen, "permission_request")[0]).toMatchObject(shown);
  expect(eventsOf(seen, "permission_request")[0].risk_reason).toMatch(/high-risk pattern/);
});

test("the time a person takes to decide is no part of execution_time", async () => {
  const id = await e.newSession();
  const stream = await send(e, id, "run true");
  const { tool_id, ts } = await stream.until("permission_request");
  // The clock has to move while the prompt waits.
  while (Date.now() < ts + 50) await Bun.sleep(10);
  await answer(e, id, tool_id);
  const granted = await stream.until("permission_granted");
  const result = await stream.until("tool_result");
  expect(result.execution_time * 1000).toBeLessThanOrEqual(result.ts - granted.ts + 2);
  await stream.ended();
});

test("a name in the arguments never replaces the tool's own", async () => {
  const id = await fakeSession(e, fake);
  const input = { command: "echo x", name: "dev", type: "hub_spawn", id: "other" };
  fake.reply({ steps: [{ call: "terminal", input, id: "own" }] }, "done");
  const seen = await sendAnswering(e, id, "go");
  for (const type of ["tool_start", "permission_request"])
    expect(eventsOf(seen, type)[0]).toMatchObject({
      tool_id: "own",
      tool_name: "terminal",
      tool_type: "terminal",
      input,
    });
  expect(eventsOf(seen, "tool_result")[0]).toMatchObject({ tool_id: "own", output: "x\n" });
  const [, assistant] = await historyOf(e, id);
  expect(assistant.metadata.tool_calls[0]).toMatchObject({
    id: "own",
    function: { name: "terminal", arguments: JSON.stringify(input) },
  });
});

for (const [what, call, error] of [
  ["an unknown tool", { call: "hub_msg", input: { to: "x" } }, /'hub_msg' not found/],
  ["arguments that are no JSON", { call: "terminal", input: '{"command": "ec' }, /no JSON object/],
  ["arguments that are no object", { call: "terminal", input: '["ls"]' }, /no JSON object/],
  ["a missing parameter", { call: "file_edit", input: { file: "a" } }, /Missing.*'find'/],
  ["a parameter of the wrong type", { call: "terminal", input: { command: 5 } }, /'command'/],
] as const)
  test(`${what} is answered with an error that the model reads, without asking`, async () => {
    const id = await fakeSession(e, fake);
    fake.reply({ steps: [call, run("echo next")] }, "I see.");
    const seen = await sendAnswering(e, id, "go");
    const [result, next] = eventsOf(seen, "tool_result");
    expect(result.success).toBe(false);
    expect(result.error).toMatch(error);
    expect(next.output).toBe("next\n");
    expect(eventsOf(seen, "permission_request")).toHaveLength(1);
    expect(seen.at(-1)?.event.type).toBe("turn_complete");
    const answers = (await historyOf(e, id)).filter(({ role }) => role === "tool");
    expect(answers[0].content).toBe(`Error: ${result.error}`);
    // The conversation is still one that providers take.
    fake.reply("fine");
    expect(textOf(await sendAnswering(e, id, "again"))).toBe("fine");
  });

test("an unknown tool is shown as an mcp_tool", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [{ call: "nothing_here" }] }, "done");
  const seen = await sendAnswering(e, id, "go");
  expect(eventsOf(seen, "tool_start")[0]).toMatchObject({
    tool_name: "nothing_here",
    tool_type: "mcp_tool",
    input: {},
  });
});

test("a failed command's output reaches the model, and the error is named once", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [run("echo out; echo err >&2; exit 3")] }, "done");
  const seen = await sendAnswering(e, id, "go");
  const result = eventsOf(seen, "tool_result")[0];
  expect(result).toMatchObject({ success: false, metadata: { exit_code: 3 } });
  expect(result.output).toContain("out");
  const [, , told] = await historyOf(e, id);
  expect(told.content).toStartWith("Error: ");
  expect(told.content).not.toContain("Error: Error:");
  expect(told.content).toContain("out\n");
  expect(told.content).toContain("err");
});

for (const protocol of PROTOCOLS)
  test(`thinking is shown as it comes and stays apart from the text (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    fake.reply({ steps: [{ thinking: "let me see", signature: "c2ln" }, { text: "It is 4." }] });
    const seen = await sendAnswering(e, id, "2+2?");
    expect(typesOf(seen)).toEqual([
      "turn_started",
      "thinking",
      "token",
      "model_call",
      "turn_complete",
    ]);
    expect(eventsOf(seen, "thinking")[0].text).toBe("let me see");
    expect((await historyOf(e, id))[1].content).toBe("It is 4.");
  });

test("model_call tells what a call of the model took, cached tokens too", async () => {
  const id = await fakeSession(e, fake, { protocol: "messages" });
  const usage = { input: 7, output: 3, cacheRead: 100, cacheWrite: 20 };
  fake.reply({ steps: [{ text: "hi" }], usage });
  const seen = await sendAnswering(e, id, "hello");
  expect(eventsOf(seen, "model_call")[0]).toMatchObject({
    provider: "anthropic",
    model: "fake-model",
    input_tokens: 127,
    output_tokens: 3,
    cache_read_tokens: 100,
    cache_write_tokens: 20,
  });
  expect(seen.at(-1)?.event).toMatchObject({ input_tokens: 127, output_tokens: 3 });
});

test("the stop reason is the provider's own word", async () => {
  const id = await fakeSession(e, fake, { protocol: "messages" });
  fake.reply({ steps: [{ text: "cut off in" }], stopReason: "max_tokens" });
  const seen = await sendAnswering(e, id, "hello");
  expect(seen.at(-1)?.event).toMatchObject({ type: "turn_complete", stop_reason: "max_tokens" });
});

test("a turn's totals are the session's, and failed turns do not count", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("one", "two", { fault: { kind: "status", status: 400 } });
  for (const content of ["a", "b", "c"]) await e.turn(id, content);
  expect(await e.json("GET", `/sessions/${id}`)).toMatchObject({
    total_turns: 2,
    total_input_tokens: 20,
    total_output_tokens: 10,
    history_length: 5,
    active: false,
    active_turn_id: null,
    last_turn_status: "failed",
  });
});

test("a reply without any text or call ends the turn and is no message", async () => {
  const id = await fakeSession(e, fake, { protocol: "messages" });
  fake.reply({ steps: [] }, "something");
  expect(outline(await e.turn(id, "say nothing"))).toEqual(["turn_started", "turn_complete"]);
  expect(await historyOf(e, id)).toHaveLength(1);
  expect(textOf(await e.turn(id, "now say something"))).toBe("something");
});

test("tags that would run commands are taken out of a client's system prompt", async () => {
  const system_prompt =
    'Be kind. <trender>id > pwned</trender> <trender type="x">y</trender > Bye.';
  const id = await fakeSession(e, fake, { system_prompt });
  const neutral = "[dynamic content removed for security]";
  const expected = `Be kind. ${neutral} ${neutral} Bye.`;
  expect(await e.json("GET", `/sessions/${id}/system-prompt`)).toMatchObject({
    system_prompt: expected,
  });
  fake.reply("hello");
  const request = fake.nextRequest();
  await e.turn(id, "hi");
  expect((await request).body.messages[0]).toEqual({ role: "system", content: expected });
  expect((await historyOf(e, id))[0]).toMatchObject({ role: "system", content: expected });
});

test("a long row of opening tags is taken out in no time", () => {
  const startedAt = performance.now();
  withoutDynamicTags("<trender>".repeat(40_000));
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("history gives the last so many messages, and all where the limit is absent or zero", async () => {
  const id = await e.newSession({ system_prompt: "Be brief." });
  await e.turn(id, "say one");
  await e.turn(id, "say two");
  const all = await historyOf(e, id);
  expect(all.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user", "assistant"]);
  const limited = async (limit: string) =>
    bodyOf(await e.call("GET", `/sessions/${id}/history?limit=${limit}`));
  expect((await limited("2")).history).toEqual(all.slice(-2));
  expect((await limited("0")).history).toEqual(all);
  expect((await limited("99")).history).toEqual(all);
  for (const limit of ["-1", "x", "1.5"]) {
    const response = await e.call("GET", `/sessions/${id}/history?limit=${limit}`);
    expect(response.status).toBe(422);
  }
});
