/** Messages: Anthropic's protocol. */
import Anthropic from "@anthropic-ai/sdk";
import type {
  ContentBlockParam,
  ImageBlockParam,
  MessageCreateParamsBase,
  MessageParam,
} from "@anthropic-ai/sdk/resources/messages";
import type { AssistantMessage, Image, Message, Thinking, Usage } from "../domain/messages.ts";
import type { Model, ModelEvent, ModelRequest } from "../domain/model.ts";
import { createModel, type Dialect, parseReply, type ReplyReader } from "./call.ts";
import { messagesSampling, outputTokens } from "./catalog.ts";
import { isBlank, sendable } from "./conversation.ts";
import type { Endpoint } from "./endpoint.ts";
import { protocolFailure, replyFailure } from "./failures.ts";
import type { ReplyCalls } from "./tool-call.ts";
import { endpointFetch, SDK_TIMEOUT_MS } from "./transport.ts";
import { countOf, isRecord, listOf, stopReasonOf, textOf } from "./wire.ts";

/** Marks reasoning that this protocol made, whoever serves it. */
const PROVIDER = "anthropic";
/** Where the prompt cache may begin again: the system prompt, the tools, and the latest message. */
const CACHED = { cache_control: { type: "ephemeral" as const } };

export function openAnthropic(endpoint: Endpoint): Model {
  return createModel(endpoint, {
    body: (request) => messagesBody(endpoint, request),
    reply: (calls) => new MessagesReply(endpoint, calls),
    post: anthropicPost(endpoint),
  });
}

/** With a key, a base URL and these, the SDK looks for nothing in the environment or in files. */
function anthropicPost(endpoint: Endpoint): Dialect["post"] {
  const client = new Anthropic({
    // Never sent: the fetch below has the headers.
    apiKey: "none",
    webhookKey: null,
    baseURL: endpoint.baseUrl,
    defaultQuery: endpoint.query,
    fetch: endpointFetch(endpoint),
    logLevel: "off",
    openTelemetry: false,
    maxRetries: 0,
    timeout: SDK_TIMEOUT_MS,
  });
  // Not `messages.create`, which writes to the console when a model is old.
  return (body, signal) => client.post("/v1/messages", { body, signal }).asResponse();
}

/** The newest version of the protocol has no sampling; older ones do. */
type MessagesBody = MessageCreateParamsBase & { temperature?: number; top_p?: number };

function messagesBody(endpoint: Endpoint, request: ModelRequest): MessagesBody {
  const { model, profile } = endpoint;
  const { tools } = request;
  return {
    model,
    max_tokens: profile.maxTokens ?? outputTokens(model),
    ...(!isBlank(request.system) && {
      system: [{ type: "text", text: request.system, ...CACHED }],
    }),
    messages: messageParams(endpoint, request.messages),
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, parameters }, place) => ({
        name,
        description,
        input_schema: { ...parameters, type: "object" },
        ...(place === tools.length - 1 && CACHED),
      })),
    }),
    ...sampling(endpoint),
    stream: profile.streaming,
  };
}

function sampling({
  model,
  headers,
  profile,
}: Endpoint): Pick<MessagesBody, "temperature" | "top_p"> {
  const taken = messagesSampling(model, headers["anthropic-version"] ?? "");
  if (taken === "none") return {};
  // Its scale ends at 1.
  const temperature = Math.min(profile.temperature, 1);
  if (profile.topP === null) return { temperature };
  // One that was set says more than one that always has a value.
  return taken === "one" ? { top_p: profile.topP } : { temperature, top_p: profile.topP };
}

/** Roles alternate; a tool's results are the first thing the user says after the call. */
function messageParams(endpoint: Endpoint, messages: readonly Message[]): MessageParam[] {
  const params: { role: "user" | "assistant"; content: ContentBlockParam[] }[] = [];
  for (const message of sendable(messages, endpoint.sees)) {
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = params.at(-1);
    const content = last?.role === role ? last.content : [];
    content.push(...blocksOf(message));
    if (last?.role !== role) params.push({ role, content });
  }
  const content = params.findLast(({ role }) => role === "user")?.content;
  const latest = content?.at(-1);
  if (content && latest)
    content[content.length - 1] = { ...latest, ...CACHED } as ContentBlockParam;
  return params;
}

function blocksOf(message: Message): ContentBlockParam[] {
  switch (message.role) {
    case "user":
      return [...message.images.map(imageBlock), ...textBlocks(message.text)];
    case "assistant":
      return replyBlocks(message);
    case "tool":
      return [
        {
          type: "tool_result",
          tool_use_id: wireId(message.callId),
          content: message.images
            ? [{ type: "text", text: message.output }, ...message.images.map(imageBlock)]
            : message.output,
          ...(message.isError && { is_error: true }),
        },
      ];
    default:
      return message satisfies never;
  }
}

function replyBlocks({ text, thinking, toolCalls }: AssistantMessage): ContentBlockParam[] {
  return [
    ...thinking.flatMap(thinkingBlocks),
    ...textBlocks(text),
    ...toolCalls.map(({ id, name, input }) => ({
      type: "tool_use" as const,
      id: wireId(id),
      name,
      input,
    })),
  ];
}

function thinkingBlocks({ provider, text, signature, redacted }: Thinking): ContentBlockParam[] {
  if (provider !== PROVIDER || signature === null) return [];
  return redacted
    ? [{ type: "redacted_thinking", data: signature }]
    : [{ type: "thinking", thinking: text, signature }];
}

const textBlocks = (text: string): ContentBlockParam[] =>
  isBlank(text) ? [] : [{ type: "text", text }];

const imageBlock = ({ mediaType, base64 }: Image): ImageBlockParam => ({
  type: "image",
  source: {
    type: "base64",
    // What it is was checked where it came in.
    media_type: mediaType as "image/png",
    data: base64,
  },
});

/** A call that another provider made may have an id that this one refuses. */
const wireId = (id: string): string => id.replaceAll(/[^A-Za-z0-9_-]/g, "_");

/** What of a streamed event we read. */
type StreamedEvent = {
  type?: string;
  index?: number;
  message?: { usage?: WireUsage | null } | null;
  content_block?: Block | null;
  delta?: {
    type?: string;
    text?: unknown;
    thinking?: unknown;
    signature?: unknown;
    partial_json?: unknown;
    stop_reason?: string | null;
  } | null;
  usage?: WireUsage | null;
};
type Block = {
  type?: string;
  text?: unknown;
  thinking?: unknown;
  signature?: unknown;
  data?: unknown;
  id?: unknown;
  name?: unknown;
  input?: unknown;
};
type WireUsage = {
  input_tokens?: number | null;
  output_tokens?: number | null;
  cache_creation_input_tokens?: number | null;
  cache_read_input_tokens?: number | null;
  output_tokens_details?: { thinking_tokens?: number } | null;
};

/** A block whose pieces are still coming; `text` is what was thought, or a call's arguments. */
type OpenBlock = { block: Block; text: string; signature: string };

class MessagesReply implements ReplyReader {
  state: ReplyReader["state"] = "open";
  private stopReason = "";
  private readonly usage: WireUsage = {};
  private readonly blocks = new Map<number, OpenBlock>();

  constructor(
    private readonly endpoint: Endpoint,
    private readonly calls: ReplyCalls,
  ) {}

  event(data: string, events: ModelEvent[]): void {
    const sent = parseReply(data, this.endpoint.failing);
    if (!isRecord(sent)) return;
    const event = sent as StreamedEvent;
    switch (textOf(event.type)) {
      case "content_block_delta":
        this.delta(event, events);
        break;
      case "content_block_start":
        this.start(countOf(event.index), event.content_block ?? {}, events);
        break;
      case "content_block_stop":
        this.stop(countOf(event.index), events);
        break;
      case "message_start":
        this.count(event.message?.usage);
        break;
      case "message_delta":
        this.count(event.usage);
        this.stopReason = stopReasonOf(event.delta?.stop_reason) || this.stopReason;
        break;
      case "message_stop":
        this.state = "over";
        break;
      case "error":
        throw replyFailure(event, this.endpoint.failing);
    }
  }

  whole(body: unknown, events: ModelEvent[]): void {
    const { failing } = this.endpoint;
    if (isRecord(body) && body.type === "error") throw replyFailure(body, failing);
    if (!isRecord(body) || !Array.isArray(body.content))
      throw protocolFailure("sent no reply", failing);
    listOf(body.content as Block[]).forEach((block, index) => {
      this.start(index, block, events);
      this.stop(index, events);
    });
    this.count(isRecord(body.usage) ? body.usage : null);
    this.stopReason = stopReasonOf(body.stop_reason);
  }

  private start(index: number, block: Block, events: ModelEvent[]): void {
    if (block.type === "text") {
      this.text(block.text, events);
      return;
    }
    if (block.type === "tool_use") this.calls.begin();
    const open = { block, text: "", signature: textOf(block.signature) };
    this.blocks.set(index, open);
    if (block.type === "thinking") this.thought(open, block.thinking, events);
  }

  private delta({ index, delta }: StreamedEvent, events: ModelEvent[]): void {
    if (delta?.type === "text_delta") {
      this.text(delta.text, events);
      return;
    }
    const open = this.blocks.get(countOf(index));
    if (!open) return;
    if (delta?.type === "thinking_delta") this.thought(open, delta.thinking, events);
    if (delta?.type === "signature_delta") open.signature += textOf(delta.signature);
    if (delta?.type === "input_json_delta") open.text += textOf(delta.partial_json);
  }

  private text(text: unknown, events: ModelEvent[]): void {
    if (typeof text === "string" && text !== "") events.push({ type: "text", text });
  }

  private thought(open: OpenBlock, text: unknown, events: ModelEvent[]): void {
    if (typeof text !== "string" || text === "") return;
    open.text += text;
    events.push({ type: "thinking", text });
  }

  private stop(index: number, events: ModelEvent[]): void {
    const open = this.blocks.get(index);
    if (!open) return;
    this.blocks.delete(index);
    const { block, text, signature } = open;
    if (block.type === "thinking")
      events.push({
        type: "thinking_block",
        block: { provider: PROVIDER, text, signature: signature || null },
      });
    if (block.type === "redacted_thinking")
      events.push({
        type: "thinking_block",
        block: { provider: PROVIDER, text: "", signature: textOf(block.data), redacted: true },
      });
    if (block.type === "tool_use") {
      // Servers that do not stream the input send it with the block's start.
      const input = text || textOf(block.input) || JSON.stringify(block.input ?? {});
      events.push({ type: "tool_call", call: this.calls.whole(block.id, block.name, input) });
    }
  }

  /** Later counts of a reply replace earlier ones, but not those that they leave out. */
  private count(usage: WireUsage | null | undefined): void {
    for (const [name, value] of Object.entries(usage ?? {}))
      if (value !== null) Object.assign(this.usage, { [name]: value });
  }

  finish(events: ModelEvent[]): void {
    for (const index of [...this.blocks.keys()]) this.stop(index, events);
    events.push({
      type: "finish",
      stopReason: this.stopReason || "end_turn",
      usage: usageOf(this.usage),
    });
  }
}

function usageOf(usage: WireUsage): Usage {
  const cacheReadTokens = countOf(usage.cache_read_input_tokens);
  const cacheWriteTokens = countOf(usage.cache_creation_input_tokens);
  return {
    inputTokens: countOf(countOf(usage.input_tokens) + cacheReadTokens + cacheWriteTokens),
    outputTokens: countOf(usage.output_tokens),
    thinkingTokens: countOf(usage.output_tokens_details?.thinking_tokens),
    cacheReadTokens,
    cacheWriteTokens,
  };
}
