/** One turn: from a user's message to the reply that calls no more tools, or to what ended it early. */
import { CANCELLED_BY_USER, EngineError, toEngineError, turnFault } from "../domain/errors.ts";
import type { LastEvent } from "../domain/events.ts";
import type { ModelToolCall } from "../domain/model.ts";
import type { RunRecord } from "../domain/session.ts";
import { answerOpenCalls } from "./conversation.ts";
import { callModel, type ModelReply } from "./model-call.ts";
import { answerQuestion, askQuestion, heldCalls } from "./question-gate.ts";
import { type ActiveRun, addMessage, forgetContent, type Session, saveRun } from "./session.ts";
import { modelOf } from "./session-model.ts";
import { runToolCalls } from "./tool-calls.ts";

/** Twenty rounds of tools and the reply to the last of them; a message's `limits` say otherwise. */
export const MODEL_CALLS_DEFAULT = 21;

const TIMER_MS_MAX = 2 ** 31 - 1;

const NOT_EXECUTED = "Not executed: the turn ended before this call was run";

/** Why a turn ends before its model is done, yet without a failure; the `stop_reason` clients see. */
export type LimitName = "max_turns" | "max_tool_calls" | "max_seconds" | "max_run_tokens";
export class LimitReached extends Error {
  constructor(readonly limit: LimitName) {
    super(`The run reached its limit: ${limit}`);
  }
}

/**
 * Runs the turn and returns the event that ends it. Never throws: whatever goes wrong is an `error`
 * event. The conversation is complete when it returns: every tool call has an answer.
 */
export async function runTurn(session: Session, run: ActiveRun): Promise<LastEvent> {
  const { record, abort } = run;
  const deadline = deadlineOf(run);
  try {
    const stopReason = await runSteps(session, run, abort.signal);
    return complete(record, stopReason);
  } catch (caught) {
    const cause = abort.signal.aborted ? abort.signal.reason : caught;
    if (cause instanceof LimitReached) return complete(record, cause.limit);
    const error = toEngineError(cause);
    if (error.code === "internal")
      session.services.log.error("turn failed", { session: session.id, run: record.id, error });
    const { message, retryable } = error;
    return { type: "error", code: turnFault(error), message, retryable };
  } finally {
    clearTimeout(deadline);
    answerQuestion(session, run, NOT_EXECUTED);
    if (session.record.question === null) answerOpenCalls(session, NOT_EXECUTED);
  }
}

async function runSteps(session: Session, run: ActiveRun, signal: AbortSignal): Promise<string> {
  const model = await modelOf(session);
  const { usage, limits } = run.record;
  await answerHeld(session, run, signal);
  const callsMax = limits.modelCalls ?? MODEL_CALLS_DEFAULT;
  for (let calls = 0; ; calls++) {
    if (calls === callsMax) throw new LimitReached("max_turns");
    const tokens = usage.inputTokens + usage.outputTokens + run.subagents.tokens;
    if (limits.tokens !== null && tokens >= limits.tokens) throw new LimitReached("max_run_tokens");
    joinSteered(session, run);
    const reply = await callModel(session, model, signal, (text) => addReply(session, run, text));
    usage.inputTokens += reply.usage.inputTokens;
    usage.outputTokens += reply.usage.outputTokens;
    usage.thinkingTokens += reply.usage.thinkingTokens;
    addReply(session, run, reply.text, reply);
    if (reply.question !== null) {
      // Those that nobody could run are answered now: their arguments are not kept.
      const broken = reply.calls.filter(({ invalidInput }) => invalidInput !== undefined);
      await runCalls(session, run, broken, signal);
      askQuestion(session, reply.question);
      return "question";
    }
    if (reply.calls.length > 0) await runCalls(session, run, reply.calls, signal);
    else if (run.steered.length === 0) return reply.stopReason;
  }
}

/** What the last turn's question held runs first; then the message, which answers it, is said. */
async function answerHeld(session: Session, run: ActiveRun, signal: AbortSignal): Promise<void> {
  if (run.unsaid === null) return;
  await runCalls(session, run, heldCalls(session), signal);
  answerQuestion(session, run, NOT_EXECUTED);
}

async function runCalls(
  session: Session,
  { record, subagents }: ActiveRun,
  calls: readonly ModelToolCall[],
  signal: AbortSignal,
): Promise<void> {
  const { limits, usage } = record;
  for (const call of calls) {
    // Looked at anew each time: the call before may have been a subagent, which makes calls too.
    if (limits.toolCalls !== null && usage.toolCalls + subagents.toolCalls >= limits.toolCalls)
      throw new LimitReached("max_tool_calls");
    usage.toolCalls += 1;
    await runToolCalls(session, [call], signal);
  }
}

/** Messages that came while the turn ran are the user's next words to the model. */
function joinSteered(session: Session, run: ActiveRun): void {
  for (const record of run.steered.splice(0)) {
    addMessage(session, { ...record.message, ts: Date.now() });
    forgetContent(record);
    record.state = "steered";
    record.endedAt = Date.now();
    record.steeredInto = run.record.id;
    saveRun(session, record);
  }
}

/** Without a whole reply the text is what was shown before the call was cut. */
function addReply(session: Session, run: ActiveRun, text: string, whole?: ModelReply): void {
  // Providers refuse an empty message.
  if (text === "" && (whole?.calls ?? []).length === 0) return;
  run.answer = text || run.answer;
  addMessage(session, {
    role: "assistant",
    text,
    thinking: whole?.thinking ?? [],
    toolCalls: (whole?.calls ?? []).map(({ id, name, input }) => ({ id, name, input })),
    ...(whole ? {} : { partial: true }),
    ts: Date.now(),
  });
}

const complete = ({ usage }: RunRecord, stopReason: string): LastEvent => ({
  type: "turn_complete",
  input_tokens: usage.inputTokens,
  output_tokens: usage.outputTokens,
  thinking_tokens: usage.thinkingTokens,
  tool_calls: usage.toolCalls,
  stop_reason: stopReason,
});

function deadlineOf({ record, abort }: ActiveRun): Timer | undefined {
  const { seconds } = record.limits;
  // A timer counts no further, and some 24 days are no limit either.
  if (seconds === null || seconds * 1000 > TIMER_MS_MAX) return undefined;
  return setTimeout(() => abort.abort(new LimitReached("max_seconds")), seconds * 1000);
}

/** Stops the turn at whatever it is doing; it ends in `error{cancelled}`. */
export function cancelRun({ abort }: ActiveRun): void {
  abort.abort(new EngineError("cancelled", CANCELLED_BY_USER));
}
