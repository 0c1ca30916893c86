/** Chat completions: OpenAI's older protocol, and all servers that imitate it. */
import type { ChatCompletionCreateParams, ChatCompletionMessageParam } from "openai/resources/chat";
import {
  type AssistantMessage,
  type Image,
  type Message,
  NO_USAGE,
  type Thinking,
  type Usage,
  type UserMessage,
} from "../domain/messages.ts";
import type { Model, ModelEvent, ModelRequest } from "../domain/model.ts";
import { createModel, parseReply, type ReplyReader } from "./call.ts";
import {
  azureTakesStreamOptions,
  knownToReason,
  outputTokens,
  wantsReasoningBack,
} from "./catalog.ts";
import { dataUrl, isBlank, sendable } from "./conversation.ts";
import type { Endpoint } from "./endpoint.ts";
import { protocolFailure, replyFailure } from "./failures.ts";
import { openAiPost } from "./openai-client.ts";
import type { ReplyCalls } from "./tool-call.ts";
import { countOf, isRecord, listOf, stopReasonOf, textOf } from "./wire.ts";

export function openChat(endpoint: Endpoint): Model {
  return createModel(endpoint, {
    body: (request) => chatBody(endpoint, request),
    reply: (calls) => new ChatReply(endpoint, calls),
    post: openAiPost(endpoint, "/chat/completions"),
  });
}

function chatBody(endpoint: Endpoint, request: ModelRequest): ChatCompletionCreateParams {
  const { model, profile } = endpoint;
  const reasons = knownToReason(model);
  const tokens = profile.maxTokens ?? outputTokens(model);
  return {
    model,
    messages: chatMessages(endpoint, request),
    ...(request.tools.length > 0 && {
      tools: request.tools.map(({ name, description, parameters }) => ({
        type: "function",
        function: { name, description, parameters },
      })),
    }),
    ...(reasons ? { max_completion_tokens: tokens } : { max_tokens: tokens }),
    ...(!reasons && { temperature: profile.temperature }),
    ...(!reasons && profile.topP !== null && { top_p: profile.topP }),
    stream: profile.streaming,
    ...(profile.streaming &&
      countsStreams(endpoint) && { stream_options: { include_usage: true } }),
  };
}

const countsStreams = ({ query }: Endpoint): boolean =>
  query["api-version"] === undefined || azureTakesStreamOptions(query["api-version"]);

function chatMessages(endpoint: Endpoint, request: ModelRequest): ChatCompletionMessageParam[] {
  const messages = imagesSaid(sendable(request.messages, endpoint.sees)).map((message) =>
    chatMessage(endpoint, message),
  );
  if (!isBlank(request.system)) messages.unshift({ role: "system", content: request.system });
  return messages;
}

/** A tool's answer cannot hold images here: they follow as the user's, after the last answer. */
function imagesSaid(messages: readonly Message[]): Message[] {
  const said: Message[] = [];
  let images: Image[] = [];
  for (const [place, message] of messages.entries()) {
    said.push(message);
    if (message.role !== "tool") continue;
    images.push(...(message.images ?? []));
    if (images.length === 0 || messages[place + 1]?.role === "tool") continue;
    said.push({ role: "user", text: TOOL_IMAGES, images, ts: message.ts });
    images = [];
  }
  return said;
}

const TOOL_IMAGES = "(What the tools above returned as images.)";

function chatMessage(endpoint: Endpoint, message: Message): ChatCompletionMessageParam {
  switch (message.role) {
    case "user":
      return { role: "user", content: userContent(message) };
    case "assistant":
      return assistantMessage(endpoint, message);
    case "tool":
      return { role: "tool", tool_call_id: message.callId, content: message.output };
    default:
      return message satisfies never;
  }
}

function userContent({ text, images }: UserMessage) {
  if (images.length === 0) return text;
  const pictures = images.map((image) => ({
    type: "image_url" as const,
    image_url: { url: dataUrl(image) },
  }));
  return isBlank(text) ? pictures : [{ type: "text" as const, text }, ...pictures];
}

function assistantMessage(
  endpoint: Endpoint,
  { text, toolCalls, thinking }: AssistantMessage,
): ChatCompletionMessageParam {
  const own = thinking.filter((block) => block.provider === endpoint.provider);
  const extras = callExtras(own);
  return {
    role: "assistant",
    content: isBlank(text) ? null : text,
    ...(wantsReasoningBack(endpoint.model) && reasoningBack(own, toolCalls.length > 0)),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map(({ id, name, input }) => ({
        id,
        type: "function" as const,
        function: { name, arguments: JSON.stringify(input) },
        ...(extras.has(id) && { extra_content: extras.get(id) }),
      })),
    }),
  };
}

/** Beside tool calls the field must not be missing and not be empty. */
function reasoningBack(own: readonly Thinking[], calls: boolean): { reasoning_content?: string } {
  const text = own.map((block) => block.text).join("");
  if (text === "" && !calls) return {};
  return { reasoning_content: text || " " };
}

/**
 * Gemini signs its tool calls and refuses them back without. The signature is kept as a block of
 * unreadable reasoning that names its call.
 */
type CallExtra = { call: string; extra_content: unknown };

function callExtras(own: readonly Thinking[]): Map<string, unknown> {
  const extras = new Map<string, unknown>();
  for (const { signature } of own) {
    if (signature === null) continue;
    const extra = JSON.parse(signature) as CallExtra;
    extras.set(extra.call, extra.extra_content);
  }
  return extras;
}

/** What of a chunk we read; servers leave out and add what they like. */
type Chunk = {
  error?: unknown;
  choices?: Choice[] | null;
  usage?: WireUsage | null;
};
type Choice = { delta?: Delta | null; message?: Delta | null; finish_reason?: string | null };
type Delta = {
  content?: unknown;
  refusal?: unknown;
  reasoning_content?: unknown;
  reasoning?: unknown;
  tool_calls?: CallDelta[] | null;
};
type CallDelta = {
  index?: number;
  id?: string | null;
  function?: { name?: string | null; arguments?: unknown } | null;
  extra_content?: unknown;
};
type WireUsage = {
  prompt_tokens?: number;
  completion_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number; cache_write_tokens?: number } | null;
  completion_tokens_details?: { reasoning_tokens?: number } | null;
};

/** A tool call whose pieces are still coming. */
type OpenCall = { id: string; name: string; arguments: string; extra: unknown };

class ChatReply implements ReplyReader {
  state: ReplyReader["state"] = "open";
  private stopReason = "";
  private usage: Usage = NO_USAGE;
  private thought = "";
  private readonly openCalls: OpenCall[] = [];
  private readonly callsByIndex = new Map<number, OpenCall>();

  constructor(
    private readonly endpoint: Endpoint,
    private readonly calls: ReplyCalls,
  ) {}

  event(data: string, events: ModelEvent[]): void {
    if (data === "[DONE]") this.state = "over";
    else this.chunk(parseReply(data, this.endpoint.failing), events);
  }

  whole(body: unknown, events: ModelEvent[]): void {
    this.chunk(body, events);
    if (this.state === "open") throw protocolFailure("sent no reply", this.endpoint.failing);
  }

  private chunk(sent: unknown, events: ModelEvent[]): void {
    if (!isRecord(sent)) return;
    const chunk = sent as Chunk;
    if (chunk.error) throw replyFailure(chunk, this.endpoint.failing);
    if (chunk.usage) this.usage = usageOf(chunk.usage);
    // The chunk that brings the counts has no choice.
    const choice = chunk.choices?.[0];
    if (!choice) return;
    const delta = choice.delta ?? choice.message;
    if (delta) this.delta(delta, events);
    if (choice.finish_reason || choice.message) {
      this.stopReason = stopReasonOf(choice.finish_reason);
      this.state = "whole";
    }
  }

  private delta(delta: Delta, events: ModelEvent[]): void {
    const thought = delta.reasoning_content ?? delta.reasoning;
    if (typeof thought === "string" && thought !== "") {
      this.thought += thought;
      events.push({ type: "thinking", text: thought });
    }
    const text = delta.content || delta.refusal;
    if (text) this.text(text, events);
    for (const call of listOf(delta.tool_calls)) {
      this.endThought(events);
      this.callDelta(call);
    }
  }

  /** Text, or a list of parts as some servers send it. */
  private text(content: unknown, events: ModelEvent[]): void {
    const text =
      typeof content === "string"
        ? content
        : listOf(Array.isArray(content) ? content : null)
            .map((part) => (isRecord(part) ? textOf(part.text) : ""))
            .join("");
    if (text === "") return;
    this.endThought(events);
    events.push({ type: "text", text });
  }

  private endThought(events: ModelEvent[]): void {
    if (this.thought === "") return;
    const { provider } = this.endpoint;
    events.push({
      type: "thinking_block",
      block: { provider, text: this.thought, signature: null },
    });
    this.thought = "";
  }

  private callDelta(delta: CallDelta): void {
    const { index } = delta;
    const id = textOf(delta.id);
    const name = textOf(delta.function?.name);
    const known = index === undefined ? this.openCalls.at(-1) : this.callsByIndex.get(index);
    // Some servers number all calls of a reply 0, or not at all: a new id is a new call.
    const isNew =
      !known ||
      (id !== "" && known.id !== "" && known.id !== id) ||
      (index === undefined && id === "" && name !== "");
    const call = isNew ? { id: "", name: "", arguments: "", extra: undefined } : known;
    if (isNew) {
      this.calls.begin();
      this.openCalls.push(call);
    }
    if (index !== undefined) this.callsByIndex.set(index, call);
    call.id ||= id;
    call.name ||= name;
    call.extra ??= delta.extra_content;
    const text = delta.function?.arguments;
    call.arguments += isRecord(text) ? JSON.stringify(text) : textOf(text);
  }

  finish(events: ModelEvent[]): void {
    const { provider } = this.endpoint;
    this.endThought(events);
    for (const { id, name, arguments: text, extra } of this.openCalls) {
      const call = this.calls.whole(id, name, text);
      if (extra) {
        const signature = JSON.stringify({
          call: call.id,
          extra_content: extra,
        } satisfies CallExtra);
        const block: Thinking = { provider, text: "", signature, redacted: true };
        events.push({ type: "thinking_block", block });
      }
      events.push({ type: "tool_call", call });
    }
    const stopReason = this.stopReason || this.calls.stopReason;
    events.push({ type: "finish", stopReason, usage: this.usage });
  }
}

function usageOf(usage: WireUsage): Usage {
  return {
    inputTokens: countOf(usage.prompt_tokens),
    outputTokens: countOf(usage.completion_tokens),
    thinkingTokens: countOf(usage.completion_tokens_details?.reasoning_tokens),
    cacheReadTokens: countOf(usage.prompt_tokens_details?.cached_tokens),
    cacheWriteTokens: countOf(usage.prompt_tokens_details?.cache_write_tokens),
  };
}
