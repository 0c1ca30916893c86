/** Refuses requests that the real providers refuse. Returns what is wrong, or null. */
import type { FakeProtocol } from "./fake-replies.ts";

// biome-ignore lint/suspicious/noExplicitAny: a request may hold anything; that is what is looked at.
type Json = any;

export function faultOf(
  protocol: FakeProtocol,
  body: Json,
  headers: Record<string, string>,
): string | null {
  if (typeof body?.model !== "string" || body.model === "") return "model: must not be empty";
  if (protocol === "chat") return chatFault(body);
  return protocol === "responses" ? responsesFault(body) : messagesFault(body, headers);
}

const isBlank = (text: unknown) => typeof text !== "string" || text.trim() === "";
const isObjectText = (text: unknown) => {
  try {
    const value = JSON.parse(text as string);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};
const reasoningModel = (model: string) => /^(o\d|gpt-5)/.test(model);

/** Every call is answered once, at once, and nothing else is. */
class OpenCalls {
  private readonly open = new Set<string>();

  get none(): boolean {
    return this.open.size === 0;
  }

  ask(id: unknown): string | null {
    if (typeof id !== "string" || id === "") return "a tool call has no id";
    if (this.open.has(id)) return `tool call ${id} stands twice`;
    this.open.add(id);
    return null;
  }

  answer(id: unknown): string | null {
    return this.open.delete(id as string) ? null : `${id} answers no tool call before it`;
  }

  unanswered(): string {
    return `tool calls without a result: ${[...this.open].join(", ")}`;
  }
}

function chatFault(body: Json): string | null {
  if (!Array.isArray(body.messages) || body.messages.length === 0) return "messages: empty";
  if (
    reasoningModel(body.model) &&
    ("temperature" in body || "top_p" in body || "max_tokens" in body)
  )
    return "Unsupported parameter for this model";
  if (body.tools?.length === 0) return "tools: must not be empty";
  const calls = new OpenCalls();
  for (const message of body.messages) {
    if (message.role === "tool") {
      const wrong = calls.answer(message.tool_call_id);
      if (wrong) return wrong;
      if (message.content === "") return "tool: empty content";
      continue;
    }
    if (!calls.none) return calls.unanswered();
    if (message.role === "assistant") {
      const made = message.tool_calls ?? [];
      if (message.tool_calls && made.length === 0) return "tool_calls: must not be empty";
      if (message.content === "" || (message.content === null && made.length === 0))
        return "assistant: empty content";
      for (const call of made) {
        const wrong = calls.ask(call.id);
        if (wrong) return wrong;
        if (!isObjectText(call.function?.arguments)) return `${call.id}: arguments are no object`;
      }
      continue;
    }
    if (message.role !== "user" && message.role !== "system") return `role ${message.role}`;
    if (message.content?.length === 0 || message.content == null) return "empty content";
    if (Array.isArray(message.content))
      for (const part of message.content)
        if (part.type === "text" && part.text === "") return "empty text part";
  }
  if (!calls.none) return calls.unanswered();
  return body.messages.at(-1).role === "assistant" ? "the last message is the assistant's" : null;
}

function responsesFault(body: Json): string | null {
  if (!Array.isArray(body.input) || body.input.length === 0) return "input: empty";
  if (body.store !== false) return "store: must be false";
  if (reasoningModel(body.model) && ("temperature" in body || "top_p" in body))
    return "Unsupported parameter for this model";
  if (body.instructions === "") return "instructions: empty";
  const calls = new OpenCalls();
  let answering = false;
  let before = "";
  for (const item of body.input) {
    if (item.type === "function_call_output") {
      const wrong = calls.answer(item.call_id);
      if (wrong) return wrong;
      if (item.output === "") return "function_call_output: empty";
      answering = true;
    } else if (item.type === "function_call") {
      if (answering && !calls.none) return calls.unanswered();
      answering = false;
      const wrong = calls.ask(item.call_id);
      if (wrong) return wrong;
      if (!isObjectText(item.arguments)) return `${item.call_id}: arguments are no object`;
    } else if (item.type === "reasoning") {
      if (!item.encrypted_content) return `Item '${item.id}' not found: nothing is stored`;
    } else if (item.type === "message") {
      if (!calls.none) return calls.unanswered();
      if (item.content?.length === 0 || item.content == null) return "message: empty content";
      if (before === "reasoning" && item.role === "user")
        return "reasoning without its following item";
    } else return `item type ${item.type}`;
    before = item.type;
  }
  if (before === "reasoning") return "reasoning without its following item";
  return calls.none ? null : calls.unanswered();
}

function messagesFault(body: Json, headers: Record<string, string>): string | null {
  if (!(body.max_tokens > 0)) return "max_tokens: Field required";
  const samplers = ["temperature", "top_p"].filter((name) => name in body);
  if (!headers["anthropic-version"]) return "anthropic-version: header is required";
  if (headers["anthropic-version"] !== "2023-06-01" && samplers.length > 0)
    return `${samplers[0]}: Extra inputs are not permitted`;
  if (body.temperature > 1) return "temperature: must be at most 1";
  for (const block of body.system ?? []) if (isBlank(block.text)) return "system: blank text";
  if (body.tools?.length === 0) return "tools: must not be empty";
  const marks = JSON.stringify(body).split('"cache_control"').length - 1;
  if (marks > 4) return `A maximum of 4 blocks with cache_control may be provided. Found ${marks}`;
  if (!Array.isArray(body.messages) || body.messages.length === 0) return "messages: empty";
  const calls = new OpenCalls();
  let before = "assistant";
  for (const { role, content } of body.messages) {
    if (role !== "user" && role !== "assistant") return `role ${role}`;
    if (role === before) return "roles must alternate, beginning with user";
    before = role;
    if (!Array.isArray(content) || content.length === 0) return "content: empty";
    let resultsOver = false;
    for (const block of content) {
      const wrong = blockFault(role, block, calls, resultsOver);
      if (wrong) return wrong;
      resultsOver ||= block.type !== "tool_result";
    }
    if (role === "user" && !calls.none) return calls.unanswered();
    if (role === "assistant" && /thinking$/.test(content.at(-1).type))
      return "The final block in an assistant message cannot be thinking";
  }
  return before === "assistant" ? "the last message is the assistant's" : null;
}

function blockFault(
  role: string,
  block: Json,
  calls: OpenCalls,
  resultsOver: boolean,
): string | null {
  switch (block.type) {
    case "text":
      return isBlank(block.text) ? "text content blocks must contain non-whitespace text" : null;
    case "image":
      return role === "user" && block.source?.data ? null : "image";
    case "thinking":
      return role === "assistant" && block.signature ? null : "thinking: signature required";
    case "redacted_thinking":
      return role === "assistant" && block.data ? null : "redacted_thinking: data required";
    case "tool_use":
      if (role !== "assistant") return "tool_use in a user message";
      if (!/^[A-Za-z0-9_-]+$/.test(block.id ?? "")) return `tool_use id ${block.id}`;
      if (typeof block.input !== "object" || block.input === null) return "tool_use input";
      return calls.ask(block.id);
    case "tool_result":
      if (role !== "user" || resultsOver) return "tool_result blocks must come first";
      return calls.answer(block.tool_use_id);
    default:
      return `block type ${block.type}`;
  }
}
