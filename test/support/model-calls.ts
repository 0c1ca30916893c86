/** Profiles of the three protocols, and calls of their models. */
import { EngineError } from "../../src/domain/errors.ts";
import type { ToolCallId } from "../../src/domain/ids.ts";
import type { Message, ToolCall } from "../../src/domain/messages.ts";
import type { Model, ModelEvent, ModelRequest } from "../../src/domain/model.ts";
import type { Profile } from "../../src/domain/profile.ts";
import type { FakeProtocol } from "./fake-replies.ts";

/** One provider for each protocol; the others differ in where they send and how they say who asks. */
export const PROTOCOLS: { protocol: FakeProtocol; provider: string }[] = [
  { protocol: "chat", provider: "openai" },
  { protocol: "responses", provider: "openai_responses" },
  { protocol: "messages", provider: "anthropic" },
];

export const TEST_KEY = "test-key-0123456789";

export const profileOf = (changes: Partial<Profile> = {}): Profile => ({
  name: "test",
  provider: "openai",
  model: "fake-model",
  baseUrl: "",
  apiKey: TEST_KEY,
  apiKeySource: "config",
  temperature: 0.7,
  maxTokens: null,
  topP: null,
  timeoutMs: 0,
  streaming: true,
  supportsTools: true,
  supportsImages: null,
  extraHeaders: {},
  authType: "",
  description: "",
  builtin: false,
  ...changes,
});

const ts = 0;
export const user = (
  text: string,
  images: { mediaType: string; base64: string }[] = [],
): Message => ({
  role: "user",
  text,
  images,
  ts,
});
export const assistant = (
  text: string,
  more: { thinking?: object[]; toolCalls?: ToolCall[] } = {},
): Message => ({ role: "assistant", text, thinking: [], toolCalls: [], ts, ...more }) as Message;
export const tool = (callId: string, output: string, isError = false): Message => ({
  role: "tool",
  callId: callId as ToolCallId,
  output,
  isError,
  ts,
});
export const toolCall = (
  id: string,
  name: string,
  input: Record<string, unknown> = {},
): ToolCall => ({
  id: id as ToolCallId,
  name,
  input,
});

export const requestOf = (
  messages: Message[] = [user("hello")],
  more: Partial<ModelRequest> = {},
): ModelRequest => ({ system: "", tools: [], messages, ...more });

export async function eventsOf(
  model: Model,
  request: ModelRequest = requestOf(),
  signal: AbortSignal = new AbortController().signal,
): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  for await (const event of model.stream(request, signal)) events.push(event);
  return events;
}

export const textOf = (events: ModelEvent[]): string =>
  events.map((event) => (event.type === "text" ? event.text : "")).join("");

/** What a call that must fail throws, and the events before it. */
export async function failureOf(
  model: Model,
  request: ModelRequest = requestOf(),
  signal: AbortSignal = new AbortController().signal,
): Promise<{ error: EngineError; events: ModelEvent[] }> {
  const events: ModelEvent[] = [];
  try {
    for await (const event of model.stream(request, signal)) events.push(event);
  } catch (error) {
    if (error instanceof EngineError) return { error, events };
    throw error;
  }
  throw new Error(`No failure, but ${JSON.stringify(events)}`);
}
