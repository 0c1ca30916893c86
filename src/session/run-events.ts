/** The events of one run, cut out of its session's log. */
import type { Seq } from "../domain/ids.ts";
import type { RunRecord } from "../domain/session.ts";
import type { EventBatch } from "../store/store.ts";
import { findRun } from "./runs.ts";
import type { Session } from "./session.ts";

/** What of the log belongs to the run, as far as is known: `after < seq <= until`. */
type Span = { after: Seq; until: Seq; ended: boolean };

/**
 * Yields the run's events after `after`, past and live, and returns when it has ended. A run that
 * waits in the queue shows its place and then nothing until it begins; one that joins another
 * shows that one's events from then on.
 */
export async function* runEvents(
  session: Session,
  run: RunRecord,
  after: Seq,
  signal: AbortSignal,
): AsyncGenerator<EventBatch> {
  let cursor = Math.max(after, run.acceptedAfter);
  for (;;) {
    const { ended, until } = await spanOf(session, run);
    if (ended && cursor >= until) return;
    const batch = await session.events.next(cursor, signal);
    if (batch === null) return;
    // Asked again: the batch may hold the very events that begin or end the run.
    const shown = within(batch, await spanOf(session, run));
    if (shown) yield shown;
    cursor = batch.first + batch.json.length - 1;
  }
}

async function spanOf(session: Session, run: RunRecord): Promise<Span> {
  const { acceptedAfter } = run;
  if (run.afterSeq !== null) return live(run.afterSeq, run.endSeq);
  if (run.steeredInto !== null) {
    const into = await findRun(session, run.steeredInto);
    return live(acceptedAfter, into.endSeq);
  }
  if (session.active?.steered.includes(run)) return live(acceptedAfter, null);
  // Nothing but the event that says that it waits.
  return { after: acceptedAfter, until: acceptedAfter + 1, ended: run.state === "canceled" };
}

const live = (after: Seq, endSeq: Seq | null): Span => ({
  after,
  until: endSeq ?? Number.POSITIVE_INFINITY,
  ended: endSeq !== null,
});

function within({ first, json }: EventBatch, { after, until }: Span): EventBatch | null {
  const skip = Math.max(0, after + 1 - first);
  const kept = json.slice(skip, Math.max(skip, until - first + 1));
  return kept.length > 0 ? { first: first + skip, json: kept } : null;
}
