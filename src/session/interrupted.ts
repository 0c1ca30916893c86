/** Closes a run that a dead engine left open: what it had shown and done stays. */
import type { EngineEvent } from "../domain/events.ts";
import type { RunRecord } from "../domain/session.ts";
import { answerOpenCalls } from "./conversation.ts";
import { lastOf } from "./event-log.ts";
import { dropQuestion } from "./question-gate.ts";
import { recordEnd } from "./runs.ts";
import { addMessage, forgetContent, type Session } from "./session.ts";

export async function endInterrupted(session: Session, run: RunRecord): Promise<void> {
  const text = await unfinishedText(session, run);
  sayAnswer(session, run);
  if (session.record.question === null) answerOpenCalls(session, INTERRUPTED);
  if (text !== "")
    addMessage(session, {
      role: "assistant",
      text,
      thinking: [],
      toolCalls: [],
      partial: true,
      ts: Date.now(),
    });
  recordEnd(session, run, {
    type: "error",
    code: "interrupted",
    message: "The engine ended before this turn was done",
    retryable: true,
  });
}

const INTERRUPTED = "Interrupted: the engine ended while this call was open";

/** A message that answers a question had still to wait for the calls that this held, if there is one still. */
function sayAnswer(session: Session, run: RunRecord): void {
  if (session.record.question === null || run.startedAt === null) return;
  const answered = run.message;
  dropQuestion(session, INTERRUPTED);
  addMessage(session, { ...answered, ts: run.startedAt });
  forgetContent(run);
}

/** What the last call of the model had said: a whole reply is followed by `model_call`. */
async function unfinishedText(session: Session, run: RunRecord): Promise<string> {
  let text = "";
  let cursor = run.afterSeq ?? session.events.last;
  while (cursor < session.events.last) {
    const batches = await session.services.store.eventsAfter(session.id, cursor);
    for (const event of batches.flatMap(({ json }) => json.map(parse))) {
      if (event.type === "token") text += event.text;
      if (event.type === "model_call") text = "";
    }
    const last = batches.at(-1);
    if (!last) break;
    cursor = lastOf(last);
  }
  return text;
}

const parse = (line: string): EngineEvent => JSON.parse(line);
