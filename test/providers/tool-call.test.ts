/** Tool calls of every protocol: whatever a provider sends, what reaches the engine is whole and bounded. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ModelToolCall } from "../../src/domain/model.ts";
import { openModel } from "../../src/providers/registry.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import {
  assistant,
  eventsOf,
  failureOf,
  PROTOCOLS,
  profileOf,
  requestOf,
  tool,
  toolCall,
  user,
} from "../support/model-calls.ts";

let fake: FakeProvider;
beforeAll(async () => {
  fake = await startFakeProvider();
});
afterAll(() => fake.stop());

const NEW_ID = expect.stringMatching(/^call_[0-9a-f]{16}$/);

describe.each(PROTOCOLS)("$protocol", ({ protocol, provider }) => {
  const open = () => openModel(profileOf({ provider, baseUrl: fake.baseUrl(protocol) }));

  async function callsOf(
    steps: { call: string; input?: string; id?: string | null }[],
    request = requestOf(),
    model = open(),
  ): Promise<ModelToolCall[]> {
    fake.reply({ steps });
    const events = await eventsOf(await model, request);
    return events.flatMap((event) => (event.type === "tool_call" ? [event.call] : []));
  }

  test("arguments that are no JSON object are passed on as they came", async () => {
    const calls = await callsOf([{ call: "read", input: '{"path": ', id: "call_1" }]);
    expect(calls).toEqual([{ ...toolCall("call_1", "read"), invalidInput: '{"path": ' }]);
  });

  test.each([
    ["deeper than 100 levels", `{"a":${"[".repeat(100)}${"]".repeat(100)}}`, "100 levels deep"],
    ["deeper than any stack", `{"a":${"[".repeat(60_000)}${"]".repeat(60_000)}}`, "100 levels"],
    ["longer than 1 MiB", `{"a":"${"x".repeat(1024 * 1024)}"}`, "1048576 characters"],
  ])("arguments %s are passed on as an excerpt that says so", async (_, input, fault) => {
    const [call] = await callsOf([{ call: "read", input, id: "call_1" }]);
    expect(call).toMatchObject(toolCall("call_1", "read"));
    expect(call?.invalidInput).toContain(fault);
    expect(call?.invalidInput).toContain('{"a":');
    expect(call?.invalidInput?.length).toBeLessThanOrEqual(200);
  });

  test("100 levels are not too deep, and brackets in strings are none", async () => {
    const nested = `${"[".repeat(99)}${"]".repeat(99)}`;
    const text = `${'"'}${"[{".repeat(200)}`;
    const input = { nested: JSON.parse(nested), text };
    expect(await callsOf([{ call: "read", input: JSON.stringify(input), id: "call_1" }])).toEqual([
      toolCall("call_1", "read", input),
    ]);
  });

  test("more than 128 calls in one reply are a failure that is not tried again", async () => {
    const call = { call: "list" };
    expect(await callsOf(Array.from({ length: 128 }, () => call))).toHaveLength(128);
    fake.reply({ steps: Array.from({ length: 129 }, () => call) });
    const { error } = await failureOf(await open());
    expect([error.code, error.retryable]).toEqual(["internal", false]);
    expect(error.message).toContain("more than 128 tool calls");
  });

  test("a call without an id, or with one that was used before, gets a new one", async () => {
    const history = [
      user("list"),
      assistant("", { toolCalls: [toolCall("call_0", "list")] }),
      tool("call_0", "a"),
    ];
    const steps = [
      { call: "list", id: null },
      { call: "list", id: "call_0" },
    ];
    const ids = (await callsOf(steps, requestOf(history))).map(({ id }) => id);
    expect(ids).toEqual([NEW_ID, NEW_ID]);
    expect(new Set(ids).size).toBe(2);
  });

  test("an id is not used again, also when the conversation no longer has it", async () => {
    const model = open();
    const steps = [{ call: "list", id: "call_0" }];
    const [one] = await callsOf(steps, requestOf(), model);
    const [other] = await callsOf(steps, requestOf(), model);
    expect([one?.id, other?.id]).toEqual(["call_0", NEW_ID]);
  });

  test("an id that could not stand in a path gets a new one", async () => {
    const odd = ["../x", "a b", "a\n", "ä", "x".repeat(129)];
    const fine = ["functions.list:0", "x".repeat(128)];
    const calls = await callsOf([...odd, ...fine].map((id) => ({ call: "list", id })));
    expect(calls.map(({ id }) => id as string)).toEqual([...odd.map(() => NEW_ID), ...fine]);
  });

  test("a name is kept short and printable", async () => {
    const calls = await callsOf([
      { call: "re\u001bad\n\u202e" },
      { call: "x".repeat(1000) },
      { call: "<tool_call>list" },
    ]);
    expect(calls.map(({ name }) => name)).toEqual(["read", "x".repeat(128), "<tool_call>list"]);
  });

  test("a name that no tool can have goes back in a form that strict providers take", async () => {
    const names = ["read", "no such/tool", "x".repeat(128), ""];
    const toolCalls = names.map((name, place) => toolCall(`call_${place}`, name));
    const results = toolCalls.map(({ id }) => tool(id, "Error: not found", true));
    await eventsOf(await open(), requestOf([user("hi"), assistant("", { toolCalls }), ...results]));
    const sent = JSON.stringify(fake.requests.at(-1)?.body);
    expect([...sent.matchAll(/"name":"([^"]*)"/g)].map(([, name]) => name)).toEqual([
      "read",
      "no_such_tool",
      "x".repeat(64),
      "unnamed",
    ]);
  });
});
