import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ModelEvent } from "../../src/domain/model.ts";
import type { Profile } from "../../src/domain/profile.ts";
import { DEFAULT_DEADLINES } from "../../src/providers/endpoint.ts";
import { openModel } from "../../src/providers/registry.ts";
import { type FakeProvider, type FakeReply, startFakeProvider } from "../support/fake-provider.ts";
import { data } from "../support/fake-replies.ts";
import {
  assistant,
  eventsOf,
  failureOf,
  profileOf,
  requestOf,
  textOf,
  tool,
  toolCall,
  user,
} from "../support/model-calls.ts";

let fake: FakeProvider;
beforeAll(async () => {
  fake = await startFakeProvider();
});
afterAll(() => fake.stop());

const DONE = "data: [DONE]\n\n";
const open = (changes: Partial<Profile> = {}) =>
  openModel(profileOf({ provider: "custom", baseUrl: fake.baseUrl("chat"), ...changes }), {
    deadlines: { ...DEFAULT_DEADLINES, betweenBytesMs: 80 },
  });
const choice = (delta: object, finish_reason: string | null = null) =>
  data({ choices: [{ index: 0, delta, finish_reason }] });
const callDelta = (...calls: object[]) => choice({ tool_calls: calls });

async function replyTo(reply: FakeReply, changes: Partial<Profile> = {}): Promise<ModelEvent[]> {
  fake.reply(reply);
  return eventsOf(await open(changes));
}
const callsIn = (events: ModelEvent[]) =>
  events.flatMap((event) => (event.type === "tool_call" ? [event.call] : []));

test("the request, word for word", async () => {
  const parameters = { type: "object", properties: { path: { type: "string" } } };
  const request = requestOf(
    [
      user("look", [{ mediaType: "image/png", base64: "aGk=" }]),
      assistant("Reading.", {
        thinking: [{ provider: "custom", text: "hm", signature: null }],
        toolCalls: [toolCall("call_1", "read", { path: "a" })],
      }),
      tool("call_1", "Error: no such file", true),
    ],
    {
      system: "Be brief.",
      // More than the model is told stands on a tool.
      tools: [{ name: "read", description: "Reads.", parameters, risk: "low" } as never],
    },
  );
  await eventsOf(await open({ temperature: 0.2, topP: 0.5, maxTokens: 99 }), request);
  expect(fake.requests.at(-1)?.body).toEqual({
    model: "fake-model",
    messages: [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "text", text: "look" },
          { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } },
        ],
      },
      {
        role: "assistant",
        content: "Reading.",
        tool_calls: [
          { id: "call_1", type: "function", function: { name: "read", arguments: '{"path":"a"}' } },
        ],
      },
      { role: "tool", tool_call_id: "call_1", content: "Error: no such file" },
    ],
    tools: [{ type: "function", function: { name: "read", description: "Reads.", parameters } }],
    max_tokens: 99,
    temperature: 0.2,
    top_p: 0.5,
    stream: true,
    stream_options: { include_usage: true },
  });
});

test("a reasoning model gets no sampling, and its own name of the token cap", async () => {
  await replyTo({}, { provider: "openai", model: "gpt-5.4", topP: 0.5 });
  const { body } = fake.requests.at(-1)!;
  expect([body.max_completion_tokens, body.max_tokens, body.temperature, body.top_p]).toEqual([
    16_384,
    undefined,
    undefined,
    undefined,
  ]);
});

test("an old version of Azure is not asked for counts", async () => {
  const azure = { provider: "azure_openai", baseUrl: fake.url };
  await replyTo({}, azure);
  expect(fake.requests.at(-1)?.body.stream_options).toBeUndefined();
  await replyTo({}, { ...azure, baseUrl: `${fake.url}?api-version=2024-10-21` });
  expect(fake.requests.at(-1)?.body.stream_options).toEqual({ include_usage: true });
});

test("a chunk of no known shape is a failure with a name, after what was said before it", async () => {
  fake.reply({
    raw: [choice({ content: "a" }), data({ choices: [{ delta: { tool_calls: [null] } }] })],
  });
  const { error, events } = await failureOf(await open());
  expect(textOf(events)).toBe("a");
  expect([error.code, error.message]).toEqual([
    "internal",
    "custom sent a reply of no known shape",
  ]);
});

test("a reply that never ends is given up at its limit", async () => {
  const frame = choice({ content: "x".repeat(1024 * 1024) });
  fake.reply({ raw: Array.from({ length: 65 }, () => frame) });
  // With patience: a busy machine may need a while for so much.
  const model = await openModel(profileOf({ provider: "custom", baseUrl: fake.baseUrl("chat") }));
  const { error } = await failureOf(model);
  expect([error.code, error.retryable]).toEqual(["internal", false]);
  expect(error.message).toContain("sent more than 67108864 bytes");
});

test("calls that are all numbered 0 are told apart by their ids", async () => {
  const events = await replyTo({
    raw: [
      callDelta({ index: 0, id: "a", function: { name: "one", arguments: '{"x":1}' } }),
      callDelta({ index: 0, id: "b", function: { name: "two", arguments: "" } }),
      callDelta({ index: 0, id: "b", function: { arguments: "{}" } }),
      choice({}, "tool_calls"),
      DONE,
    ],
  });
  expect(callsIn(events)).toEqual([toolCall("a", "one", { x: 1 }), toolCall("b", "two")]);
});

test("calls that come interleaved, several in a chunk, without numbers, or as objects", async () => {
  const interleaved = await replyTo({
    raw: [
      callDelta(
        { index: 0, id: "a", function: { name: "one", arguments: "" } },
        { index: 1, id: "b", function: { name: "two", arguments: '{"y"' } },
      ),
      callDelta({ index: 0, function: { arguments: '{"x":1}' } }),
      callDelta({ index: 1, id: "", function: { name: "", arguments: ":2}" } }),
      choice({}, "tool_calls"),
      DONE,
    ],
  });
  const both = [toolCall("a", "one", { x: 1 }), toolCall("b", "two", { y: 2 })];
  expect(callsIn(interleaved)).toEqual(both);

  const unnumbered = await replyTo({
    raw: [
      callDelta(
        { id: "a", function: { name: "one", arguments: { x: 1 } } },
        { id: "b", function: { name: "two", arguments: { y: 2 } } },
      ),
      choice({}, "stop"),
      DONE,
    ],
  });
  expect(callsIn(unnumbered)).toEqual(both);

  const nameless = await replyTo({
    raw: [
      callDelta({ function: { name: "one", arguments: "null" } }),
      callDelta({ function: { name: "two", arguments: "{}" } }),
      choice({}, "stop"),
      DONE,
    ],
  });
  expect(callsIn(nameless).map(({ name, input }) => [name, input])).toEqual([
    ["one", {}],
    ["two", {}],
  ]);
});

test("counts come with a chunk of their own, with the last one, or not at all", async () => {
  const usage = { prompt_tokens: 3, completion_tokens: 2 };
  const counts = { inputTokens: 3, outputTokens: 2, thinkingTokens: 0 };
  const own = await replyTo({
    raw: [choice({ content: "x" }), choice({}, "stop"), data({ choices: [], usage }), DONE],
  });
  expect(own.at(-1)).toMatchObject({ usage: counts });
  const last = await replyTo({
    raw: [
      choice({ content: "x" }),
      data({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage }),
      DONE,
    ],
  });
  expect(last.at(-1)).toMatchObject({ usage: counts });
  const none = await replyTo({ raw: [choice({ content: "x" }, "stop"), DONE] });
  expect(none.at(-1)).toMatchObject({ usage: { inputTokens: 0, outputTokens: 0 } });
});

test("either end marker is one: a finish reason, or [DONE]", async () => {
  const reason = await replyTo({ raw: [choice({ content: "x" }), choice({}, "eos_token")] });
  expect(reason.at(-1)).toMatchObject({ type: "finish", stopReason: "eos_token" });
  const done = await replyTo({ raw: [choice({ content: "x" }), DONE, choice({ content: "no" })] });
  expect(textOf(done)).toBe("x");
  expect(done.at(-1)).toMatchObject({ type: "finish", stopReason: "stop" });
});

test.each(["stall", "reset", "fin"] as const)(
  "a reply that is whole stays whole when its counts never come: %s",
  async (kind) => {
    const read = Promise.withResolvers<void>();
    const fault = { kind, after: 1, when: read.promise };
    fake.reply({ raw: [choice({ content: "x" }, "stop"), DONE], fault });
    const types: string[] = [];
    const model = await open();
    for await (const { type } of model.stream(requestOf(), new AbortController().signal)) {
      types.push(type);
      read.resolve();
    }
    expect(types).toEqual(["text", "finish"]);
  },
);

test("reasoning under either name, text as a list of parts, a refusal", async () => {
  const events = await replyTo({
    raw: [
      choice({ reasoning: "a", content: null }),
      choice({ reasoning_content: "b" }),
      choice({ content: [{ type: "text", text: "c" }] }),
      choice({ refusal: "d" }),
      choice({}, "stop"),
      DONE,
    ],
  });
  expect(events.slice(0, -1)).toEqual([
    { type: "thinking", text: "a" },
    { type: "thinking", text: "b" },
    { type: "thinking_block", block: { provider: "custom", text: "ab", signature: null } },
    { type: "text", text: "c" },
    { type: "text", text: "d" },
  ]);
});

test("reasoning goes back to the models that refuse a conversation without it, and to no other", async () => {
  const thinking = [
    { provider: "custom", text: "first ", signature: null },
    { provider: "anthropic", text: "not this", signature: "x" },
    { provider: "custom", text: "second", signature: null },
  ];
  const request = requestOf([
    user("a"),
    assistant("", { thinking, toolCalls: [toolCall("call_1", "list")] }),
    tool("call_1", "b"),
    assistant("", { toolCalls: [toolCall("call_2", "list")] }),
    tool("call_2", "b"),
    assistant("c"),
    user("d"),
  ]);
  const sent = async (model: string) => {
    await eventsOf(await open({ model }), request);
    return fake.requests
      .at(-1)
      ?.body.messages.filter(({ role }: { role: string }) => role === "assistant")
      .map((message: { reasoning_content?: string }) => message.reasoning_content);
  };
  expect(await sent("kimi-k2.5")).toEqual(["first second", " ", undefined]);
  expect(await sent("qwen3-4b")).toEqual([undefined, undefined, undefined]);
});

test("what Gemini signs of a call goes back with it", async () => {
  const extra = { google: { thought_signature: "c2ln" } };
  const steps = [
    { call: "list", id: "call_1", extra },
    { call: "read", id: "call_2" },
  ];
  for (const streaming of [true, false]) {
    const gemini = { provider: "gemini", baseUrl: fake.url, streaming };
    const events = await replyTo({ steps }, gemini);
    const thinking = events.flatMap((event) =>
      event.type === "thinking_block" ? [event.block] : [],
    );
    expect(thinking).toEqual([
      { provider: "gemini", text: "", signature: expect.any(String), redacted: true },
    ]);
    const next = requestOf([
      user("a"),
      assistant("", { thinking, toolCalls: callsIn(events) }),
      tool("call_1", "b"),
      tool("call_2", "b"),
    ]);
    await eventsOf(await open(gemini), next);
    const [first, second] = fake.requests.at(-1)!.body.messages[1].tool_calls;
    expect([first.extra_content, second.extra_content]).toEqual([extra, undefined]);
  }
});

test("chunks of any other shape do no harm", async () => {
  const events = await replyTo({
    raw: [
      "data: null\n\n",
      "data: 5\n\n",
      data({ choices: null }),
      data({ choices: [{}] }),
      data({ choices: [{ delta: null }] }),
      choice({ content: 5, tool_calls: "x", reasoning: {} }),
      choice({ content: "y" }, "stop"),
      DONE,
    ],
  });
  expect(events.map(({ type }) => type)).toEqual(["text", "finish"]);
});

test("an answer in one piece without a choice is no reply", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json({ choices: [] }),
  });
  const { error } = await failureOf(await open({ baseUrl: server.url.href }));
  expect([error.code, error.message]).toEqual(["internal", "custom sent no reply"]);
  await server.stop(true);
});
