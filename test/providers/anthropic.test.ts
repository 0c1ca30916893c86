import { afterAll, beforeAll, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import type { ModelEvent } from "../../src/domain/model.ts";
import type { Profile } from "../../src/domain/profile.ts";
import { DEFAULT_DEADLINES, resolveEndpoint } from "../../src/providers/endpoint.ts";
import { openModel } from "../../src/providers/registry.ts";
import { type FakeProvider, type FakeReply, startFakeProvider } from "../support/fake-provider.ts";
import { data } from "../support/fake-replies.ts";
import {
  assistant,
  eventsOf,
  profileOf,
  requestOf,
  TEST_KEY,
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
  openModel(profileOf({ provider: "anthropic", baseUrl: fake.url, ...changes }));
async function replyTo(reply: FakeReply, changes: Partial<Profile> = {}): Promise<ModelEvent[]> {
  fake.reply(reply);
  return eventsOf(await open(changes));
}
const CACHED = { cache_control: { type: "ephemeral" } };

test("the request, word for word: marks for the cache, roles that alternate, results first", async () => {
  const schema = { type: "object", properties: {} };
  const spec = (name: string) => ({ name, description: `${name}s`, parameters: schema });
  const request = requestOf(
    [
      user("look", [{ mediaType: "image/png", base64: "aGk=" }]),
      user("there"),
      assistant("Reading.", {
        toolCalls: [toolCall("call_1", "read", { path: "a" }), toolCall("call_2", "list")],
      }),
      tool("call_1", "Error: no such file", true),
      tool("call_2", "b"),
      user("and then"),
    ],
    { system: "Be brief.", tools: [spec("read"), spec("list")] },
  );
  await eventsOf(await open({ temperature: 1.5 }), request);
  expect(fake.requests.at(-1)?.body).toEqual({
    model: "fake-model",
    max_tokens: 16_384,
    system: [{ type: "text", text: "Be brief.", ...CACHED }],
    messages: [
      {
        role: "user",
        content: [
          { type: "image", source: { type: "base64", media_type: "image/png", data: "aGk=" } },
          { type: "text", text: "look" },
          { type: "text", text: "there" },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Reading." },
          { type: "tool_use", id: "call_1", name: "read", input: { path: "a" } },
          { type: "tool_use", id: "call_2", name: "list", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          {
            type: "tool_result",
            tool_use_id: "call_1",
            content: "Error: no such file",
            is_error: true,
          },
          { type: "tool_result", tool_use_id: "call_2", content: "b" },
          { type: "text", text: "and then", ...CACHED },
        ],
      },
    ],
    tools: [
      { name: "read", description: "reads", input_schema: schema },
      { name: "list", description: "lists", input_schema: schema, ...CACHED },
    ],
    temperature: 1,
    stream: true,
  });
});

test.each([true, false])(
  "thinking goes back with its signature (streaming: %p)",
  async (streaming) => {
    const events = await replyTo(
      {
        steps: [
          { thinking: "hm", signature: "c2lnbmVk" },
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
      { provider: "anthropic", text: "hm", signature: "c2lnbmVk" },
      { provider: "anthropic", text: "", signature: "aGlkZGVu", redacted: true },
    ]);
    const foreign = { provider: "openai_responses", text: "not this", signature: "{}" };
    const unsigned = { provider: "anthropic", text: "nor this", signature: null };
    const next = requestOf([
      user("a"),
      assistant("", {
        thinking: [foreign, ...blocks, unsigned],
        toolCalls: [toolCall("call_1", "list")],
      }),
      tool("call_1", "b"),
    ]);
    await eventsOf(await open({ streaming }), next);
    expect(fake.requests.at(-1)?.body.messages[1].content).toEqual([
      { type: "thinking", thinking: "hm", signature: "c2lnbmVk" },
      { type: "redacted_thinking", data: "aGlkZGVu" },
      { type: "tool_use", id: "call_1", name: "list", input: {} },
    ]);
  },
);

test("a server of another make gets the older headers", async () => {
  await replyTo({});
  const { headers } = fake.requests.at(-1)!;
  expect([headers["x-api-key"], headers["anthropic-version"], headers.authorization]).toEqual([
    TEST_KEY,
    "2023-06-01",
    undefined,
  ]);
});

test("Anthropic itself gets what its SDK sends by itself", async () => {
  const sent: Record<string, string>[] = [];
  const sdk = new Anthropic({
    apiKey: TEST_KEY,
    baseURL: "https://api.anthropic.com",
    fetch: (_url, init) => {
      sent.push(Object.fromEntries(new Headers(init?.headers)));
      return Promise.resolve(Response.json({}));
    },
  });
  await sdk.post("/v1/messages", { body: {} });
  const ours = resolveEndpoint(profileOf({ provider: "anthropic" }), DEFAULT_DEADLINES);
  expect(ours.baseUrl).toBe("https://api.anthropic.com");
  expect(ours.headers).toEqual({
    "user-agent": "kollab-engine",
    authorization: sent[0]!.authorization!,
    "anthropic-version": sent[0]!["anthropic-version"]!,
  });
  expect(sent[0]!["x-api-key"]).toBeUndefined();
});

test("sampling is sent as far as it is taken", async () => {
  const sampling = async (changes: Partial<Profile>) => {
    await replyTo({}, { temperature: 0.2, topP: 0.5, ...changes });
    const { body } = fake.requests.at(-1)!;
    return [body.temperature, body.top_p];
  };
  expect(await sampling({ model: "claude-3-5-haiku-latest" })).toEqual([0.2, 0.5]);
  expect(await sampling({ model: "claude-sonnet-4-6" })).toEqual([undefined, 0.5]);
  expect(await sampling({ model: "claude-sonnet-4-6", topP: null })).toEqual([0.2, undefined]);
  expect(await sampling({ model: "claude-opus-5" })).toEqual([undefined, undefined]);
  const extraHeaders = { "Anthropic-Version": "2026-10-21" };
  expect(await sampling({ model: "claude-sonnet-4-6", extraHeaders })).toEqual([
    undefined,
    undefined,
  ]);
});

test("counts add what came from and went to the cache; later ones replace earlier", async () => {
  const events = await replyTo({
    raw: [
      data({
        type: "message_start",
        message: {
          usage: { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 20 },
        },
      }),
      data({ type: "content_block_start", index: 0, content_block: { type: "text", text: "a" } }),
      data({
        type: "message_delta",
        delta: { stop_reason: "refusal" },
        usage: { output_tokens: 7, input_tokens: 6, cache_read_input_tokens: null },
      }),
      data({ type: "message_stop" }),
    ],
  });
  expect(textOf(events)).toBe("a");
  expect(events.at(-1)).toEqual({
    type: "finish",
    stopReason: "refusal",
    usage: {
      inputTokens: 126,
      outputTokens: 7,
      thinkingTokens: 0,
      cacheReadTokens: 100,
      cacheWriteTokens: 20,
    },
  });
});

test("input that comes with a block's start, and events of any other shape", async () => {
  const block = { type: "tool_use", id: "call_1", name: "read", input: { path: "a" } };
  const events = await replyTo({
    raw: [
      data({ type: "content_block_start", index: 0, content_block: block }),
      data({ type: "content_block_delta", index: 0, delta: null }),
      data({ type: "content_block_delta", index: 9, delta: { type: "thinking_delta" } }),
      data({ type: "content_block_stop", index: 0 }),
      data({ type: "content_block_start", index: 1, content_block: { ...block, id: "call_2" } }),
      data({ type: "something_new" }),
      data(null),
      data({ type: "message_stop" }),
    ],
  });
  const input = { path: "a" };
  expect(events.slice(0, -1)).toEqual([
    { type: "tool_call", call: toolCall("call_1", "read", input) },
    { type: "tool_call", call: toolCall("call_2", "read", input) },
  ]);
});
