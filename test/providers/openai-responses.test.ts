import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ModelEvent } from "../../src/domain/model.ts";
import type { Profile } from "../../src/domain/profile.ts";
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

const open = (changes: Partial<Profile> = {}) =>
  openModel(
    profileOf({ provider: "openai_responses", baseUrl: fake.baseUrl("responses"), ...changes }),
  );
async function replyTo(reply: FakeReply, changes: Partial<Profile> = {}): Promise<ModelEvent[]> {
  fake.reply(reply);
  return eventsOf(await open(changes));
}
const ended = (type: string, response: object) => data({ type: `response.${type}`, response });

test("the request, word for word", async () => {
  const parameters = { type: "object", properties: {} };
  const request = requestOf(
    [
      user("look", [{ mediaType: "image/png", base64: "aGk=" }]),
      assistant("Reading.", { toolCalls: [toolCall("call_1", "read", { path: "a" })] }),
      tool("call_1", "b"),
    ],
    { system: "Be brief.", tools: [{ name: "read", description: "Reads.", parameters }] },
  );
  await eventsOf(await open({ temperature: 0.2, topP: 0.5, maxTokens: 99 }), request);
  expect(fake.requests.at(-1)?.body).toEqual({
    model: "fake-model",
    input: [
      {
        type: "message",
        role: "user",
        content: [
          { type: "input_text", text: "look" },
          { type: "input_image", detail: "auto", image_url: "data:image/png;base64,aGk=" },
        ],
      },
      { type: "message", role: "assistant", content: "Reading." },
      { type: "function_call", call_id: "call_1", name: "read", arguments: '{"path":"a"}' },
      { type: "function_call_output", call_id: "call_1", output: "b" },
    ],
    instructions: "Be brief.",
    tools: [{ type: "function", name: "read", description: "Reads.", parameters, strict: false }],
    store: false,
    include: ["reasoning.encrypted_content"],
    max_output_tokens: 99,
    temperature: 0.2,
    top_p: 0.5,
    stream: true,
  });
});

test.each([true, false])(
  "reasoning goes back encrypted, as it came (streaming: %p)",
  async (streaming) => {
    const events = await replyTo(
      {
        steps: [
          { thinking: "hm", signature: "c2VjcmV0" },
          { redactedThinking: "aGlkZGVu" },
          { call: "list", id: "call_1" },
        ],
      },
      { streaming },
    );
    const blocks = events.flatMap((event) =>
      event.type === "thinking_block" ? [event.block] : [],
    );
    expect(blocks).toEqual([
      { provider: "openai_responses", text: "hm", signature: expect.any(String) },
      { provider: "openai_responses", text: "", signature: expect.any(String), redacted: true },
    ]);
    expect(events[0]).toEqual({ type: "thinking", text: "hm" });

    const foreign = { provider: "anthropic", text: "not this", signature: "x" };
    const plain = { provider: "openai_responses", text: "nor this", signature: null };
    const next = requestOf([
      user("a"),
      assistant("", {
        thinking: [foreign, ...blocks, plain],
        toolCalls: [toolCall("call_1", "list")],
      }),
      tool("call_1", "b"),
    ]);
    await eventsOf(await open({ streaming }), next);
    const { input } = fake.requests.at(-1)!.body;
    expect(input.map(({ type }: { type: string }) => type)).toEqual([
      "message",
      "reasoning",
      "reasoning",
      "function_call",
      "function_call_output",
    ]);
    expect(input.slice(1, 3)).toEqual([
      {
        type: "reasoning",
        id: "rs_0",
        summary: [{ type: "summary_text", text: "hm" }],
        encrypted_content: "c2VjcmV0",
      },
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "aGlkZGVu" },
    ]);
  },
);

test("models that reason get no sampling, models that do not are not asked for it", async () => {
  await replyTo({}, { model: "gpt-5.4", topP: 0.5 });
  expect(fake.requests.at(-1)?.body).toMatchObject({ include: ["reasoning.encrypted_content"] });
  expect(fake.requests.at(-1)?.body).not.toContainAnyKeys(["temperature", "top_p"]);
  await replyTo({}, { model: "gpt-4o" });
  expect(fake.requests.at(-1)?.body).not.toContainAnyKeys(["include"]);
});

test("the server of the login wants a stream and instructions, and no limits", async () => {
  await replyTo({}, { authType: "oauth", streaming: false, maxTokens: 5, topP: 0.1 });
  const { body } = fake.requests.at(-1)!;
  expect(body.stream).toBe(true);
  expect(body.instructions).not.toBeEmpty();
  expect(body).not.toContainAnyKeys(["temperature", "top_p", "max_output_tokens"]);
});

test("a failed response is an error, by its own code", async () => {
  for (const [code, message, fault, retryable] of [
    ["server_error", "Oops", "internal", true],
    ["rate_limit_exceeded", "Slow down", "rate_limit", true],
    ["context_length_exceeded", "Too long", "context_exceeded", false],
    ["invalid_prompt", "No", "internal", false],
  ] as const) {
    fake.reply({ raw: [ended("failed", { status: "failed", error: { code, message } })] });
    const { error } = await failureOf(await open());
    expect([error.code, error.retryable, error.message]).toEqual([
      fault,
      retryable,
      `openai_responses failed: ${message}`,
    ]);
  }
  fake.reply({ raw: [ended("incomplete", { status: "cancelled" })] });
  expect((await failureOf(await open())).error.code).toBe("provider_cut");
});

test("what only the last event has is told all the same, and nothing twice", async () => {
  const message = { type: "message", content: [{ type: "output_text", text: "hello" }] };
  const call = {
    type: "function_call",
    id: "fc_1",
    call_id: "call_1",
    name: "list",
    arguments: "",
  };
  const events = await replyTo({
    raw: [
      data({ type: "response.output_item.done", item: call }),
      ended("completed", { status: "completed", output: [message, call] }),
    ],
  });
  expect(events.map(({ type }) => type)).toEqual(["tool_call", "text", "finish"]);
  expect(textOf(events)).toBe("hello");
});

test("summaries in parts, raw reasoning and refusals", async () => {
  const part = (index: number) =>
    data({ type: "response.reasoning_summary_part.added", summary_index: index });
  const delta = (type: string, text: string) =>
    data({ type: `response.${type}.delta`, delta: text });
  const events = await replyTo({
    raw: [
      part(0),
      delta("reasoning_summary_text", "a"),
      part(1),
      delta("reasoning_summary_text", "b"),
      delta("reasoning_text", "c"),
      delta("refusal", "no"),
      ended("completed", { status: "completed" }),
    ],
  });
  expect(events.slice(0, -1)).toEqual([
    { type: "thinking", text: "a" },
    { type: "thinking", text: "\n\n" },
    { type: "thinking", text: "b" },
    { type: "thinking", text: "c" },
    { type: "text", text: "no" },
  ]);
});
