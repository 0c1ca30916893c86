/** The events of one run as a response. */
import type { Seq } from "../domain/ids.ts";
import type { RunRecord } from "../domain/session.ts";
import { placeInSession } from "../session/attach.ts";
import { runEvents } from "../session/run-events.ts";
import { attachReader, type Session } from "../session/session.ts";
import { eventStream } from "./event-stream.ts";

export type RunStreamOptions = {
  /** The reader has seen everything up to here; null: nothing of this run. */
  cursor: Seq | null;
  /** Called when the client left before the end. */
  onHangUp?(): void;
  headers?: Record<string, string>;
};

export function runStream(session: Session, run: RunRecord, options: RunStreamOptions): Response {
  const { cursor, onHangUp, headers } = options;
  const isNew = cursor === null || cursor < (run.afterSeq ?? run.acceptedAfter);
  const { after, notices } = isNew
    ? { after: run.afterSeq ?? run.acceptedAfter, notices: [] }
    : placeInSession(session, cursor);
  const detach = attachReader(session);
  return eventStream({
    after,
    before: notices,
    batches: (signal) => runEvents(session, run, after, signal),
    whole: false,
    // One that was cancelled before it began has no event that says so to this reader.
    afterwards: () =>
      run.state === "canceled" && run.afterSeq === null ? CANCELLED_IN_QUEUE : null,
    closed: session.closed.signal,
    onEnd: (hungUp) => {
      detach();
      if (hungUp) onHangUp?.();
    },
    ...(headers ? { headers } : {}),
  });
}

const CANCELLED_IN_QUEUE = JSON.stringify({
  type: "error",
  code: "cancelled",
  message: "Cancelled before it began",
  retryable: false,
});
