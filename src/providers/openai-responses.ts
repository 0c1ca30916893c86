/** Responses: OpenAI's newer protocol. Nothing is stored there; reasoning comes and goes encrypted. */
import type {
  ResponseCreateParams,
  ResponseInputItem,
  ResponseInputMessageContentList,
} from "openai/resources/responses/responses";
import {
  type AssistantMessage,
  type Image,
  type Message,
  NO_USAGE,
  type ToolMessage,
  type Usage,
  type UserMessage,
} from "../domain/messages.ts";
import type { Model, ModelEvent, ModelRequest } from "../domain/model.ts";
import { createModel, parseReply, type ReplyReader } from "./call.ts";
import { knownNotToReason, knownToReason, outputTokens } from "./catalog.ts";
import { dataUrl, isBlank, sendable } from "./conversation.ts";
import type { Endpoint } from "./endpoint.ts";
import { cutFailure, replyFailure } from "./failures.ts";
import { openAiPost } from "./openai-client.ts";
import type { ReplyCalls } from "./tool-call.ts";
import { countOf, isRecord, listOf, stopReasonOf, textOf } from "./wire.ts";

/** Marks reasoning that this protocol made, whoever serves it. */
const PROVIDER = "openai_responses";
/** The login's server wants instructions, also where there are none. */
const NO_INSTRUCTIONS = "You are a helpful assistant.";

export function openResponses(endpoint: Endpoint): Model {
  return createModel(endpoint, {
    body: (request) => responsesBody(endpoint, request),
    reply: (calls) => new ResponsesReply(endpoint, calls),
    post: openAiPost(endpoint, "/responses"),
  });
}

function responsesBody(endpoint: Endpoint, request: ModelRequest): ResponseCreateParams {
  const { model, profile } = endpoint;
  const login = profile.authType === "oauth";
  const system = isBlank(request.system) ? "" : request.system;
  return {
    model,
    input: inputItems(endpoint, request.messages),
    ...((system || login) && { instructions: system || NO_INSTRUCTIONS }),
    ...(request.tools.length > 0 && {
      tools: request.tools.map(({ name, description, parameters }) => ({
        type: "function",
        name,
        description,
        parameters,
        strict: false,
      })),
    }),
    store: false,
    ...(!knownNotToReason(model) && { include: ["reasoning.encrypted_content"] }),
    ...(login ? { reasoning: { summary: "auto" } } : limits(endpoint)),
    stream: login || profile.streaming,
  };
}

/** The login's server refuses all of these. */
function limits({ model, profile }: Endpoint): ResponseCreateParams {
  const reasons = knownToReason(model);
  return {
    max_output_tokens: profile.maxTokens ?? outputTokens(model),
    ...(!reasons && { temperature: profile.temperature }),
    ...(!reasons && profile.topP !== null && { top_p: profile.topP }),
  };
}

const inputItems = (endpoint: Endpoint, messages: readonly Message[]): ResponseInputItem[] =>
  sendable(messages, endpoint.sees).flatMap(itemsOf);

function itemsOf(message: Message): ResponseInputItem[] {
  switch (message.role) {
    case "user":
      return [{ type: "message", role: "user", content: userContent(message) }];
    case "assistant":
      return replyItems(message);
    case "tool":
      return [
        { type: "function_call_output", call_id: message.callId, output: outputContent(message) },
      ];
    default:
      return message satisfies never;
  }
}

function userContent({ text, images }: UserMessage): ResponseInputMessageContentList {
  const pictures = images.map(pictureOf);
  return isBlank(text) ? pictures : [{ type: "input_text", text }, ...pictures];
}

const outputContent = ({ output, images }: ToolMessage) =>
  images ? [{ type: "input_text" as const, text: output }, ...images.map(pictureOf)] : output;

const pictureOf = (image: Image) => ({
  type: "input_image" as const,
  detail: "auto" as const,
  image_url: dataUrl(image),
});

/** Reasoning first: its server wants it before what it led to. */
function replyItems({ text, thinking, toolCalls }: AssistantMessage): ResponseInputItem[] {
  const items: ResponseInputItem[] = [];
  for (const { provider, signature } of thinking)
    if (provider === PROVIDER && signature !== null)
      items.push(JSON.parse(signature) as ResponseInputItem);
  if (!isBlank(text)) items.push({ type: "message", role: "assistant", content: text });
  for (const { id, name, input } of toolCalls)
    items.push({
      type: "function_call",
      call_id: id,
      name,
      arguments: JSON.stringify(input),
    });
  return items;
}

/** What of a streamed event we read. */
type StreamedEvent = {
  type?: string;
  delta?: unknown;
  summary_index?: number;
  item?: Item | null;
  response?: WireResponse | null;
};
type Item = {
  type?: string;
  id?: string;
  call_id?: string;
  name?: string;
  arguments?: unknown;
  encrypted_content?: unknown;
  content?: Part[] | null;
  summary?: Part[] | null;
};
type Part = { type?: string; text?: unknown; refusal?: unknown };
type WireResponse = {
  status?: string;
  error?: unknown;
  incomplete_details?: { reason?: string } | null;
  output?: Item[] | null;
  usage?: {
    input_tokens?: number;
    output_tokens?: number;
    input_tokens_details?: { cached_tokens?: number; cache_write_tokens?: number } | null;
    output_tokens_details?: { reasoning_tokens?: number } | null;
  } | null;
};

class ResponsesReply implements ReplyReader {
  state: ReplyReader["state"] = "open";
  private stopReason = "";
  private usage: Usage = NO_USAGE;
  private hasText = false;
  private hasThought = false;
  /** Items that were told already; the last event has them all once more. */
  private readonly told = new Set<string>();

  constructor(
    private readonly endpoint: Endpoint,
    private readonly calls: ReplyCalls,
  ) {}

  event(data: string, events: ModelEvent[]): void {
    const sent = parseReply(data, this.endpoint.failing);
    if (!isRecord(sent)) return;
    const event = sent as StreamedEvent;
    switch (textOf(event.type)) {
      case "response.output_text.delta":
      case "response.refusal.delta":
        this.text(event.delta, events);
        break;
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        this.thought(event.delta, events);
        break;
      case "response.reasoning_summary_part.added":
        if (countOf(event.summary_index) > 0) this.thought("\n\n", events);
        break;
      case "response.output_item.done":
        if (event.item) this.item(event.item, events);
        break;
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        this.end(event.response ?? {}, events);
        break;
      case "error":
        throw replyFailure(event, this.endpoint.failing);
    }
  }

  whole(body: unknown, events: ModelEvent[]): void {
    this.end(isRecord(body) ? body : {}, events);
  }

  private text(text: unknown, events: ModelEvent[]): void {
    if (typeof text !== "string" || text === "") return;
    this.hasText = true;
    events.push({ type: "text", text });
  }

  private thought(text: unknown, events: ModelEvent[]): void {
    if (typeof text !== "string" || text === "") return;
    this.hasThought = true;
    events.push({ type: "thinking", text });
  }

  /** An item that is whole. Its text was streamed, unless nothing was. */
  private item(item: Item, events: ModelEvent[]): void {
    const key = `${item.type} ${item.id ?? item.call_id ?? this.told.size}`;
    if (this.told.has(key)) return;
    this.told.add(key);
    switch (textOf(item.type)) {
      case "function_call":
        this.call(item, events);
        break;
      case "reasoning":
        this.reasoning(item, events);
        break;
      case "message":
        if (!this.hasText)
          this.text(
            listOf(item.content)
              .map((part) => textOf(part.text) || textOf(part.refusal))
              .join(""),
            events,
          );
        break;
    }
  }

  private call(item: Item, events: ModelEvent[]): void {
    this.calls.begin();
    const call = this.calls.whole(item.call_id, item.name, textOf(item.arguments));
    events.push({ type: "tool_call", call });
  }

  private reasoning(item: Item, events: ModelEvent[]): void {
    const text = [...listOf(item.summary), ...listOf(item.content)]
      .map((part) => textOf(part.text))
      .join("\n\n");
    if (!this.hasThought) this.thought(text, events);
    // Without the encrypted content its server would look for the item, and it is not stored.
    const encrypted = textOf(item.encrypted_content) !== "";
    if (text === "" && !encrypted) return;
    const block = { provider: PROVIDER, text, signature: encrypted ? JSON.stringify(item) : null };
    events.push({
      type: "thinking_block",
      block: text === "" ? { ...block, redacted: true } : block,
    });
    this.hasThought = false;
  }

  private end(response: WireResponse, events: ModelEvent[]): void {
    const { failing } = this.endpoint;
    if (response.error || response.status === "failed") throw replyFailure(response, failing);
    if (response.status !== "completed" && response.status !== "incomplete")
      throw cutFailure(`ended its reply as '${textOf(response.status)}'`, failing);
    for (const item of listOf(response.output)) this.item(item, events);
    const { usage } = response;
    this.usage = {
      inputTokens: countOf(usage?.input_tokens),
      outputTokens: countOf(usage?.output_tokens),
      thinkingTokens: countOf(usage?.output_tokens_details?.reasoning_tokens),
      cacheReadTokens: countOf(usage?.input_tokens_details?.cached_tokens),
      cacheWriteTokens: countOf(usage?.input_tokens_details?.cache_write_tokens),
    };
    this.stopReason = stopReasonOf(response.incomplete_details?.reason);
    this.state = "over";
  }

  /** The protocol has a word only for a reply that stopped early; the others are chat's. */
  finish(events: ModelEvent[]): void {
    const stopReason = this.stopReason || this.calls.stopReason;
    events.push({ type: "finish", stopReason, usage: this.usage });
  }
}
