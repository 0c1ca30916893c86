/** How a client takes its place in a log. */
import type { EventBody, LifecycleBody, NoticeBody } from "../domain/events.ts";
import type { Seq } from "../domain/ids.ts";
import type { EventLog } from "./event-log.ts";
import type { Session } from "./session.ts";

export type Place = {
  after: Seq;
  /** What the client is told first. */
  notices: Said[];
};

/** What a stream says beside the log's events. A prompt shown again is `pending`. */
export type Said =
  | NoticeBody
  | (Extract<LifecycleBody, { type: "permission_pending" }> & { pending: true })
  | Extract<EventBody, { type: "error" }>
  | PendingPrompt;
type PendingPrompt = Extract<EventBody, { type: "permission_request" }> & {
  pending: true;
  created_at: number;
};

/**
 * The place of a reader that has seen everything up to `cursor`. One that comes from another log's
 * future goes on at the end of this one, and is told.
 */
export function placeIn(log: EventLog, cursor: Seq): Place {
  if (cursor <= log.last) return { after: cursor, notices: [] };
  return {
    after: log.last,
    notices: [{ type: "replay_gap", after: cursor, next: log.last + 1 }],
  };
}

/**
 * The same in a session. Prompts that wait for an answer and that this reader would not come upon
 * are shown first, marked as `pending`, so that everyone who attaches can answer them.
 */
export function placeInSession(session: Session, cursor: Seq): Place {
  const { after, notices } = placeIn(session.events, cursor);
  const prompts = session.permissions
    .waitingRequests()
    .filter(({ seq }) => seq <= after)
    .map(({ request }): Said => ({ type: "permission_request", ...request, pending: true }));
  return { after, notices: [...notices, ...prompts] };
}

/** Of all these sessions the prompts that wait, for who looks after many. */
export const pendingOf = (sessions: readonly Session[]): Said[] =>
  sessions.flatMap((session) =>
    session.permissions.pending().map(
      ({ tool_id, tool_name, risk_level }): Said => ({
        type: "permission_pending",
        session_id: session.id,
        tool_id,
        tool_name,
        risk_level,
        pending: true,
      }),
    ),
  );
