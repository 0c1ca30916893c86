/**
 * The question gate: a reply that asks the user something in `<question>…</question>` ends its turn. The tool
 * calls it made as well are held until the answer, then run before the model sees it.
 */
import type { ModelToolCall } from "../domain/model.ts";
import { answerOpenCalls, openCalls } from "./conversation.ts";
import {
  type ActiveRun,
  addMessage,
  append,
  forgetContent,
  type Session,
  saveRun,
  saveSession,
} from "./session.ts";

const OPEN = "<question>";
const CLOSE = "</question>";
/** Not by the text in lower case, which may be longer: `İ` becomes two characters. */
const OPENING = /<question>/i;
const CLOSING = /<\/question>/i;
/** Longer, and it is no question but text that mentions the tag. */
const QUESTION_CHARS_MAX = 16_384;

/**
 * Takes the markers out of a text that comes in pieces. A question is shown once it is whole; a marker
 * without its end is text as any other. Nothing but the markers of whole questions is lost.
 */
export class QuestionFilter {
  /** The first question, trimmed; null: none was asked. */
  question: string | null = null;
  private held = "";
  private readonly inside = () => this.held.slice(0, OPEN.length).toLowerCase() === OPEN;

  /** What can be shown of the text so far. */
  add(text: string): string {
    this.held += text;
    let shown = "";
    for (;;) {
      if (this.inside()) {
        const end = this.held.search(CLOSING);
        if (end === -1) return this.held.length > QUESTION_CHARS_MAX ? shown + this.end() : shown;
        const inner = this.held.slice(OPEN.length, end);
        this.question ??= inner.trim() || null;
        shown += inner;
        this.held = this.held.slice(end + CLOSE.length);
        continue;
      }
      const at = startOfMarker(this.held);
      shown += this.held.slice(0, at);
      this.held = this.held.slice(at);
      if (!this.inside()) return shown;
    }
  }

  /** The text has ended: what was held back. */
  end(): string {
    const rest = this.held;
    this.held = "";
    return rest;
  }
}

/** Where a marker begins, or may begin with what comes next. */
function startOfMarker(text: string): number {
  const whole = text.search(OPENING);
  if (whole !== -1) return whole;
  for (let length = Math.min(OPEN.length - 1, text.length); length > 0; length--)
    if (text.slice(-length).toLowerCase() === OPEN.slice(0, length)) return text.length - length;
  return text.length;
}

/** The turn ends with this question; the calls of its last reply wait. */
export function askQuestion(session: Session, question: string): void {
  const pendingTools = openCalls(session).length;
  const seq = append(session, { type: "question_gate", question, pending_tools: pendingTools });
  session.record.question = { question, pendingTools, seq };
  saveSession(session);
}

/** The calls that the last turn's question holds. */
export const heldCalls = (session: Session): ModelToolCall[] =>
  session.record.question === null ? [] : openCalls(session);

/**
 * The user's message enters the conversation, after the answers of what was held: what is still open has
 * `reason` as its answer.
 */
export function answerQuestion(session: Session, run: ActiveRun, reason: string): void {
  const { unsaid, record } = run;
  if (unsaid === null) return;
  run.unsaid = null;
  dropQuestion(session, reason);
  addMessage(session, { ...unsaid, ts: record.startedAt ?? Date.now() });
  forgetContent(record);
  saveRun(session, record);
}

/** Nobody will answer: held calls are not run. */
export function dropQuestion(session: Session, reason: string): void {
  if (session.record.question === null) return;
  answerOpenCalls(session, reason);
  session.record.question = null;
  saveSession(session);
}
