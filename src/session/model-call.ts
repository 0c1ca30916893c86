/** One call of the model: streams the reply into the event log and returns it whole. */
import { EngineError, toEngineError } from "../domain/errors.ts";
import { type AssistantMessage, NO_USAGE, type Usage } from "../domain/messages.ts";
import type { Model, ModelToolCall } from "../domain/model.ts";
import { sleep } from "../lib/abort.ts";
import { cleanToolName } from "../tools/registry.ts";
import { QuestionFilter } from "./question-gate.ts";
import { append, parentOf, type Session } from "./session.ts";

/** A call that failed before its first token is made again this often … */
const RETRIES_MAX = 5;
/** … after this long, doubled each time, unless the provider says how long. */
const RETRY_DELAY_MS = 500;
const RETRY_DELAY_MS_MAX = 120_000;
/** Reasoning is shown in pieces of at least this length, since some clients give each a line. */
const THINKING_CHARS_MIN = 240;

export type ModelReply = {
  /** As the model wrote it. */
  text: string;
  /** What it asks the user, where that ends the turn. */
  question: string | null;
  thinking: AssistantMessage["thinking"];
  calls: ModelToolCall[];
  stopReason: string;
  usage: Usage;
};

/** Throws EngineError; `onPartial` is told first what text had already been shown. */
export async function callModel(
  session: Session,
  model: Model,
  signal: AbortSignal,
  onPartial: (text: string) => void,
): Promise<ModelReply> {
  for (let attempt = 1; ; attempt++) {
    const reply: ModelReply = emptyReply();
    let shown = false;
    try {
      const startedAt = performance.now();
      await readReply(session, model, reply, signal, () => {
        shown = true;
      });
      append(session, modelCallEvent(model, reply.usage, performance.now() - startedAt));
      return reply;
    } catch (caught) {
      if (reply.text !== "") onPartial(reply.text);
      const error = toEngineError(signal.aborted ? signal.reason : caught);
      if (shown || signal.aborted || !error.retryable || attempt > RETRIES_MAX) throw error;
      const delay = retryDelay(attempt, error);
      append(session, { type: "retry", attempt, delay_ms: delay, reason: error.message });
      await sleep(delay, signal);
    }
  }
}

async function readReply(
  session: Session,
  model: Model,
  reply: ModelReply,
  signal: AbortSignal,
  onShown: () => void,
): Promise<void> {
  const request = {
    system: session.systemPrompt,
    messages: session.messages,
    tools: model.callsTools ? session.tools : [],
  };
  const names = session.tools.map(({ name }) => name);
  const filter = gateOf(session);
  let thought = "";
  const show = (text: string) => {
    if (text !== "") append(session, { type: "token", text });
  };
  const showThought = () => {
    if (thought !== "") append(session, { type: "thinking", text: thought });
    thought = "";
  };
  try {
    for await (const event of model.stream(request, signal)) {
      if (event.type !== "finish") onShown();
      switch (event.type) {
        case "text":
          reply.text += event.text;
          show(filter ? filter.add(event.text) : event.text);
          break;
        case "thinking":
          thought += event.text;
          if (thought.length >= THINKING_CHARS_MIN) showThought();
          break;
        case "thinking_block":
          showThought();
          reply.thinking.push(event.block);
          break;
        case "tool_call":
          reply.calls.push({ ...event.call, name: cleanToolName(event.call.name, names) });
          break;
        case "finish":
          showThought();
          reply.question = filter?.question ?? null;
          reply.stopReason = event.stopReason;
          reply.usage = event.usage;
          signal.throwIfAborted();
          return;
        default:
          event satisfies never;
      }
      if (session.events.full) await session.events.flushed();
    }
  } finally {
    // Also of a reply that is cut: what it had said is shown.
    if (filter) show(filter.end());
  }
  signal.throwIfAborted();
  throw new EngineError("provider_cut", `${model.provider} ended its reply without saying so`, {
    retryable: true,
  });
}

/** A child's question goes to its parent, in its answer. */
const gateOf = (session: Session): QuestionFilter | null =>
  parentOf(session) === null && session.services.questionGate() ? new QuestionFilter() : null;

function retryDelay(attempt: number, error: EngineError): number {
  const delay = error.retryAfterMs ?? RETRY_DELAY_MS * 2 ** (attempt - 1);
  return Math.min(delay, RETRY_DELAY_MS_MAX);
}

const modelCallEvent = (model: Model, usage: Usage, durationMs: number) => ({
  type: "model_call" as const,
  provider: model.provider,
  model: model.name,
  input_tokens: usage.inputTokens,
  output_tokens: usage.outputTokens,
  thinking_tokens: usage.thinkingTokens,
  cache_read_tokens: usage.cacheReadTokens,
  cache_write_tokens: usage.cacheWriteTokens,
  cost_usd: null,
  duration_ms: Math.round(durationMs),
});

const emptyReply = (): ModelReply => ({
  text: "",
  question: null,
  thinking: [],
  calls: [],
  stopReason: "",
  usage: NO_USAGE,
});
