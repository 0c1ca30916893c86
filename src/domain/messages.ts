/** The conversation in the engine's own shape. Each provider file turns it into its API's shape and back. */
import type { ToolCallId } from "./ids.ts";

export type ToolCall = { id: ToolCallId; name: string; input: Record<string, unknown> };

export type UserMessage = { role: "user"; text: string; images: Image[] };
export type AssistantMessage = {
  role: "assistant";
  text: string;
  thinking: Thinking[];
  toolCalls: ToolCall[];
  /** The reply was cut: cancelled, interrupted or failed after its first token. */
  partial?: true;
};
/** What a tool answered. Every call of an assistant message has exactly one, right after it. */
export type ToolMessage = {
  role: "tool";
  callId: ToolCallId;
  output: string;
  isError: boolean;
  /** Shown to a model that sees, with the output. */
  images?: Image[];
};

/** `ts`: milliseconds since the epoch, when it was added. */
export type Message = (UserMessage | AssistantMessage | ToolMessage) & { ts: number };

export type Image = { mediaType: string; base64: string };

/**
 * A whole block of reasoning. `signature` is opaque and goes back to the provider that made it
 * (`provider`), and to no other: Anthropic's signature, or a Responses reasoning item as JSON.
 * `redacted`: the text is unreadable and only the signature counts.
 */
export type Thinking = {
  provider: string;
  text: string;
  signature: string | null;
  redacted?: true;
};

/** Tokens of one model call. `inputTokens` includes those read from and written to a cache. */
export type Usage = {
  inputTokens: number;
  outputTokens: number;
  thinkingTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
};

export const NO_USAGE: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  thinkingTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
};
