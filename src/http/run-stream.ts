/** The events of one run as a response. */
import type { Seq } from "../domain/ids.ts";
import type { RunRecord } from "../domain/session.ts";
import { placeInSession, type Said } from "../session/attach.ts";
import { runReader } from "../session/run-events.ts";
import { attachReader, type Session } from "../session/session.ts";
import { eventStream } from "./event-stream.ts";

export type RunStreamOptions = {
  /** The reader has seen everything up to here; null: nothing of this run. */
  cursor: Seq | null;
  /** `hungUp`: the client left before the end. */
  onEnd?(hungUp: boolean): void;
  headers?: Record<string, string>;
};

export function runStream(session: Session, run: RunRecord, options: RunStreamOptions): Response {
  const { cursor, onEnd, headers } = options;
  const begin = run.afterSeq ?? run.acceptedAfter;
  // A run that joins another may be held up by a prompt from before; else a new reader comes upon all.
  const joins = session.active?.steered.includes(run);
  const { after, notices } =
    joins || (cursor !== null && cursor >= begin)
      ? placeInSession(session, Math.max(cursor ?? 0, begin))
      : { after: begin, notices: [] };
  const detach = attachReader(session);
  return eventStream({
    after,
    before: [...goneNotice(session, run, after), ...notices],
    open: (signal) => runReader(session, run, after, signal),
    whole: run.afterSeq !== null,
    // One that was cancelled before it began has no event that says so to this reader.
    afterwards: () =>
      run.state === "canceled" && run.afterSeq === null ? CANCELLED_IN_QUEUE : null,
    about: { session_id: session.id },
    isOver: () => run.endSeq !== null,
    closed: session.closed.signal,
    onEnd: (hungUp) => {
      detach();
      onEnd?.(hungUp);
    },
    ...(headers ? { headers } : {}),
  });
}

/** None of an old run's events may be kept any more. */
function goneNotice({ events }: Session, { endSeq }: RunRecord, after: Seq): Said[] {
  if (endSeq === null || endSeq >= events.first || after >= endSeq) return [];
  return [{ type: "replay_gap", after, next: events.first }];
}

const CANCELLED_IN_QUEUE: Said = {
  type: "error",
  code: "cancelled",
  message: "Cancelled before it began",
  retryable: false,
};
