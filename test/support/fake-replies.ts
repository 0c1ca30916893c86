/** A scripted reply in the words of each protocol: as streamed frames, and in one piece. */

export type FakeProtocol = "chat" | "responses" | "messages";

/** One thing that the model does; each text and thought is one delta. */
export type FakeStep =
  | { text: string }
  | { thinking: string; signature?: string }
  | { redactedThinking: string }
  /** `input` as a string is sent as it stands; `id: null` leaves the id out; `extra` is Gemini's. */
  | { call: string; input?: object | string; id?: string | null; extra?: object }
  /** Nothing more is sent until the promise settles. */
  | { wait: Promise<unknown> };

export type FakeUsage = {
  /** Without what came from or went to a cache. */
  input: number;
  output: number;
  thinking: number;
  cacheRead: number;
  cacheWrite: number;
};

export type FakeReply = {
  /** Default: the text `ok`. */
  steps?: FakeStep[];
  usage?: Partial<FakeUsage>;
  /** Default: the protocol's word for the steps. */
  stopReason?: string;
  fault?: FakeFault;
  /** Streamed as they stand, instead of the steps. */
  raw?: string[];
  /** The body comes in pieces of this many bytes, wherever that cuts. */
  pieceBytes?: number;
};

/** What goes wrong; `after` counts streamed frames. */
export type FakeFault =
  | { kind: "status"; status: number; body?: unknown; headers?: Record<string, string> }
  /** The body ends as it should, but too early. */
  | { kind: "end"; after: number }
  /**
   * The connection ends inside the body, or breaks. That takes with it what the client has not read
   * yet; a test that needs it read says `when` it is.
   */
  | { kind: "fin" | "reset"; after: number; when?: Promise<unknown> }
  /** Nothing more comes until the client leaves; `null`: not even headers. */
  | { kind: "stall"; after: number | null }
  | { kind: "garbage"; after: number }
  | { kind: "error"; after: number; error: { type: string; message: string; code?: string } };

export type Frame = string | Promise<unknown>;

export const stepsOf = (reply: FakeReply): FakeStep[] => reply.steps ?? [{ text: "ok" }];

export function streamedFrames(protocol: FakeProtocol, reply: FakeReply, usage: boolean): Frame[] {
  if (reply.raw) return reply.raw;
  if (protocol === "chat") return chatFrames(reply, usage);
  return protocol === "responses" ? responsesFrames(reply) : messagesFrames(reply);
}

export function wholeBody(protocol: FakeProtocol, reply: FakeReply): object {
  if (protocol === "chat") return chatWhole(reply);
  return protocol === "responses" ? responseObject(reply, "completed") : messagesWhole(reply);
}

export function errorFrame(protocol: FakeProtocol, error: object): string {
  if (protocol === "chat") return data({ error });
  if (protocol === "responses") return named("error", { ...error, type: "error", param: null });
  return named("error", { error });
}

/** The body of a refusal. */
export const errorBody = (protocol: FakeProtocol, type: string, message: string): object =>
  protocol === "messages"
    ? { type: "error", error: { type, message } }
    : { error: { message, type, param: null, code: null } };

/** One streamed event without a name. */
export const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (type: string, fields: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

const text = (input: object | string | undefined) =>
  typeof input === "string" ? input : JSON.stringify(input ?? {});
/** An object where the text is one: in one piece there is no half an object. */
const parsed = (input: object | string | undefined): unknown => {
  try {
    return JSON.parse(text(input) || "{}");
  } catch {
    return input;
  }
};
const halves = (whole: string) =>
  whole.length < 2 ? [whole] : [whole.slice(0, whole.length >> 1), whole.slice(whole.length >> 1)];
const callId = (step: { id?: string | null }, place: number) =>
  step.id === undefined ? `call_fake_${place}` : step.id;
const hasCalls = (reply: FakeReply) => stepsOf(reply).some((step) => "call" in step);
const usageOf = (reply: FakeReply): FakeUsage => ({
  input: 10,
  output: 5,
  thinking: 0,
  cacheRead: 0,
  cacheWrite: 0,
  ...reply.usage,
});

// Chat completions

const chunk = (fields: object) =>
  data({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "fake", ...fields });
const choice = (delta: object, finish: string | null = null) =>
  chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });

function chatFrames(reply: FakeReply, withUsage: boolean): Frame[] {
  const frames: Frame[] = [choice({ role: "assistant", content: "" })];
  let place = 0;
  for (const step of stepsOf(reply)) {
    if ("wait" in step) frames.push(step.wait);
    if ("text" in step) frames.push(choice({ content: step.text }));
    if ("thinking" in step) frames.push(choice({ reasoning_content: step.thinking }));
    if (!("call" in step)) continue;
    const id = callId(step, place);
    const head = {
      index: place,
      ...(id !== null && { id }),
      type: "function",
      function: { name: step.call, arguments: "" },
      ...(step.extra && { extra_content: step.extra }),
    };
    frames.push(choice({ tool_calls: [head] }));
    for (const part of halves(text(step.input ?? "")))
      frames.push(choice({ tool_calls: [{ index: place, function: { arguments: part } }] }));
    place++;
  }
  frames.push(choice({}, reply.stopReason ?? (hasCalls(reply) ? "tool_calls" : "stop")));
  if (withUsage) frames.push(chunk({ choices: [], usage: chatUsage(reply) }));
  frames.push("data: [DONE]\n\n");
  return frames;
}

function chatUsage(reply: FakeReply) {
  const usage = usageOf(reply);
  return {
    prompt_tokens: usage.input + usage.cacheRead + usage.cacheWrite,
    completion_tokens: usage.output,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      cache_write_tokens: usage.cacheWrite,
    },
    completion_tokens_details: { reasoning_tokens: usage.thinking },
  };
}

function chatWhole(reply: FakeReply): object {
  const steps = stepsOf(reply);
  const calls = steps.filter((step) => "call" in step);
  const message = {
    role: "assistant",
    content: steps.map((step) => ("text" in step ? step.text : "")).join("") || null,
    reasoning_content: steps.map((step) => ("thinking" in step ? step.thinking : "")).join(""),
    ...(calls.length > 0 && {
      tool_calls: calls.map((step, place) => ({
        id: callId(step, place),
        type: "function",
        function: { name: step.call, arguments: text(step.input ?? "") },
        ...(step.extra && { extra_content: step.extra }),
      })),
    }),
  };
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    model: "fake",
    choices: [
      {
        index: 0,
        message,
        finish_reason: reply.stopReason ?? (calls.length > 0 ? "tool_calls" : "stop"),
      },
    ],
    usage: chatUsage(reply),
  };
}

// Messages

function messagesFrames(reply: FakeReply): Frame[] {
  const frames: Frame[] = [
    named("message_start", {
      message: { ...messagesWhole(reply), content: [], stop_reason: null },
    }),
    named("ping", {}),
  ];
  let index = 0;
  const block = (start: object, deltas: object[]) => {
    frames.push(named("content_block_start", { index, content_block: start }));
    for (const delta of deltas) frames.push(named("content_block_delta", { index, delta }));
    frames.push(named("content_block_stop", { index }));
    index++;
  };
  let openText = false;
  const closeText = () => {
    if (openText) frames.push(named("content_block_stop", { index: index++ }));
    openText = false;
  };
  let place = 0;
  for (const step of stepsOf(reply)) {
    if ("wait" in step) {
      frames.push(step.wait);
      continue;
    }
    if ("text" in step) {
      if (!openText)
        frames.push(
          named("content_block_start", { index, content_block: { type: "text", text: "" } }),
        );
      openText = true;
      const delta = { type: "text_delta", text: step.text };
      frames.push(named("content_block_delta", { index, delta }));
      continue;
    }
    closeText();
    if ("thinking" in step)
      block({ type: "thinking", thinking: "", signature: "" }, [
        { type: "thinking_delta", thinking: step.thinking },
        { type: "signature_delta", signature: step.signature ?? "c2ln" },
      ]);
    if ("redactedThinking" in step)
      block({ type: "redacted_thinking", data: step.redactedThinking }, []);
    if ("call" in step)
      block(
        { type: "tool_use", id: callId(step, place++), name: step.call, input: {} },
        ["", ...halves(text(step.input ?? ""))].map((partial_json) => ({
          type: "input_json_delta",
          partial_json,
        })),
      );
  }
  closeText();
  const { stop_reason, usage } = messagesWhole(reply);
  frames.push(
    named("message_delta", {
      delta: { stop_reason, stop_sequence: null },
      usage: {
        output_tokens: usage.output_tokens,
        output_tokens_details: usage.output_tokens_details,
      },
    }),
    named("message_stop", {}),
  );
  return frames;
}

function messagesWhole(reply: FakeReply) {
  const usage = usageOf(reply);
  let place = 0;
  const content = stepsOf(reply).flatMap((step): object[] => {
    if ("text" in step) return [{ type: "text", text: step.text }];
    if ("thinking" in step)
      return [{ type: "thinking", thinking: step.thinking, signature: step.signature ?? "c2ln" }];
    if ("redactedThinking" in step)
      return [{ type: "redacted_thinking", data: step.redactedThinking }];
    if ("call" in step)
      return [
        {
          type: "tool_use",
          id: callId(step, place++),
          name: step.call,
          input: parsed(step.input),
        },
      ];
    return [];
  });
  return {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "fake",
    content,
    stop_reason: reply.stopReason ?? (hasCalls(reply) ? "tool_use" : "end_turn"),
    stop_sequence: null,
    usage: {
      input_tokens: usage.input,
      cache_creation_input_tokens: usage.cacheWrite,
      cache_read_input_tokens: usage.cacheRead,
      output_tokens: usage.output,
      output_tokens_details: { thinking_tokens: usage.thinking },
    },
  };
}

// Responses

function responsesFrames(reply: FakeReply): Frame[] {
  const frames: Frame[] = [
    named("response.created", { response: responseObject({ ...reply, steps: [] }, "in_progress") }),
  ];
  const items = outputItems(reply);
  const others = items.filter(({ type }) => type !== "message");
  let index = 0;
  for (const step of stepsOf(reply)) {
    if ("wait" in step) {
      frames.push(step.wait);
      continue;
    }
    if ("text" in step) {
      const at = { item_id: "msg_1", output_index: index, content_index: 0 };
      frames.push(named("response.output_text.delta", { ...at, delta: step.text }));
      continue;
    }
    const item = others[index++]!;
    if ("thinking" in step) {
      const at = { item_id: "rs_1", output_index: index, summary_index: 0 };
      frames.push(named("response.reasoning_summary_text.delta", { ...at, delta: step.thinking }));
    }
    if ("call" in step)
      for (const delta of halves(text(step.input ?? "")))
        frames.push(
          named("response.function_call_arguments.delta", { output_index: index, delta }),
        );
    frames.push(named("response.output_item.done", { output_index: index, item }));
  }
  const message = items.find((item) => item.type === "message");
  if (message)
    frames.push(named("response.output_item.done", { output_index: index, item: message }));
  const status = reply.stopReason === undefined ? "completed" : "incomplete";
  frames.push(named(`response.${status}`, { response: responseObject(reply, status) }));
  return frames;
}

type OutputItem = { type: string; [field: string]: unknown };

/** In the order of the steps; all text is one message, where the first of it stands. */
function outputItems(reply: FakeReply): OutputItem[] {
  const said = stepsOf(reply)
    .map((step) => ("text" in step ? step.text : ""))
    .join("");
  const items: OutputItem[] = [];
  let calls = 0;
  for (const step of stepsOf(reply)) {
    const id = items.length;
    if ("thinking" in step) items.push(reasoningItem(id, step.signature ?? "c2ln", step.thinking));
    if ("redactedThinking" in step) items.push(reasoningItem(id, step.redactedThinking));
    if ("text" in step && !items.some(({ type }) => type === "message"))
      items.push({
        type: "message",
        id: `msg_${id}`,
        role: "assistant",
        content: [{ type: "output_text", text: said, annotations: [] }],
      });
    if (!("call" in step)) continue;
    const call_id = callId(step, calls++);
    items.push({
      type: "function_call",
      id: `fc_${id}`,
      ...(call_id !== null && { call_id }),
      name: step.call,
      arguments: text(step.input ?? ""),
    });
  }
  return items;
}

const reasoningItem = (id: number, encrypted_content: string, summary?: string): OutputItem => ({
  type: "reasoning",
  id: `rs_${id}`,
  summary: summary === undefined ? [] : [{ type: "summary_text", text: summary }],
  encrypted_content,
});

function responseObject(reply: FakeReply, status: string): object {
  const usage = usageOf(reply);
  const cut = reply.stopReason !== undefined && status !== "in_progress";
  return {
    id: "resp_1",
    object: "response",
    status: cut ? "incomplete" : status,
    error: null,
    incomplete_details: cut ? { reason: reply.stopReason } : null,
    model: "fake",
    output: outputItems(reply),
    usage: {
      input_tokens: usage.input + usage.cacheRead + usage.cacheWrite,
      output_tokens: usage.output,
      input_tokens_details: {
        cached_tokens: usage.cacheRead,
        cache_write_tokens: usage.cacheWrite,
      },
      output_tokens_details: { reasoning_tokens: usage.thinking },
    },
  };
}
