/** The events of one run, cut out of its session's log. */
import type { Seq } from "../domain/ids.ts";
import type { RunRecord } from "../domain/session.ts";
import { type EventBatch, type LogReader, lastOf } from "./event-log.ts";
import { findRun } from "./runs.ts";
import type { Session } from "./session.ts";

/** What of the log belongs to the run, as far as is known: `after < seq <= until`. */
type Span = { after: Seq; until: Seq; ended: boolean };

/**
 * A reader of the run's events after `after`, past and live; null when it has ended. A run that waits
 * in the queue shows its place and then nothing until it begins; one that joins another shows that
 * one's events from then on.
 */
export function runReader(
  session: Session,
  run: RunRecord,
  after: Seq,
  signal: AbortSignal,
): LogReader {
  let cursor = Math.max(after, run.acceptedAfter);
  const log = session.events.reader(cursor, signal);
  return {
    async next() {
      for (;;) {
        const { ended, until } = ownSpan(run) ?? (await waitingSpan(session, run));
        if (ended && cursor >= until) return null;
        const batch = await log.next();
        if (batch === null) return null;
        cursor = lastOf(batch);
        // Asked again: the batch may hold the very events that begin or end the run.
        const shown = within(batch, ownSpan(run) ?? (await waitingSpan(session, run)));
        if (shown) return shown;
      }
    },
  };
}

/** Once the run has begun. */
const ownSpan = ({ afterSeq, endSeq }: RunRecord): Span | null =>
  afterSeq === null ? null : span(afterSeq, endSeq);

async function waitingSpan(session: Session, run: RunRecord): Promise<Span> {
  const { acceptedAfter } = run;
  if (run.steeredInto !== null) {
    const into = await findRun(session, run.steeredInto);
    return span(acceptedAfter, into.endSeq);
  }
  if (session.active?.steered.includes(run)) return span(acceptedAfter, null);
  // Nothing but the event that says that it waits.
  return { after: acceptedAfter, until: acceptedAfter + 1, ended: run.state === "canceled" };
}

const span = (after: Seq, endSeq: Seq | null): Span => ({
  after,
  until: endSeq ?? Number.POSITIVE_INFINITY,
  ended: endSeq !== null,
});

function within(batch: EventBatch, { after, until }: Span): EventBatch | null {
  const { first, json } = batch;
  if (first > after && lastOf(batch) <= until) return batch;
  const skip = Math.max(0, after + 1 - first);
  const kept = json.slice(skip, Math.max(skip, until - first + 1));
  return kept.length > 0 ? { first: first + skip, json: kept } : null;
}
