/** The contract of a provider. */
import type { Message, Thinking, ToolCall, Usage } from "./messages.ts";
import type { ToolSpec } from "./tool.ts";

export type ModelRequest = {
  /** Empty: no system prompt. */
  system: string;
  messages: readonly Message[];
  /** Empty where the profile says that its model cannot call tools. */
  tools: readonly ToolSpec[];
};

/**
 * A tool call whose arguments are not a JSON object has `invalidInput` with the text as it came, or its
 * beginning, and an empty `input`: the call is answered with an error that the model can read.
 */
export type ModelToolCall = ToolCall & { invalidInput?: string };

export type ModelEvent =
  /** Visible text as it comes; never empty. */
  | { type: "text"; text: string }
  /** Reasoning as it comes; never empty. */
  | { type: "thinking"; text: string }
  /** A whole block of reasoning, at its end, as it must go back to the provider. */
  | { type: "thinking_block"; block: Thinking }
  /** A whole tool call. */
  | { type: "tool_call"; call: ModelToolCall }
  /** Always last, exactly once. `stopReason` is the provider's own word. */
  | { type: "finish"; stopReason: string; usage: Usage };

/**
 * One call of the model. Throws EngineError with a turn fault as its code, never retries, and
 * closes its socket and ends soon after `signal` aborts (by throwing or returning, both are fine).
 * A stream that ends without its terminal marker throws `provider_cut`.
 */
export type StreamModel = (request: ModelRequest, signal: AbortSignal) => AsyncIterable<ModelEvent>;

/** A provider bound to one profile: one instance for each session, closed with it. */
export type Model = {
  /** For events and people: the profile's provider and model. */
  provider: string;
  name: string;
  /** Whether images may be sent to it. */
  sees: boolean;
  /** Whether tools may be offered to it. */
  callsTools: boolean;
  stream: StreamModel;
  /** Lets go of its sockets. */
  close(): void;
};
