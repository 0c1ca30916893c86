/** A session's turns: start one, follow the session, cancel; and the lifecycle of all sessions. */
import { Elysia } from "elysia";
import type { Engine } from "../../engine.ts";
import { pendingOf, placeIn, placeInSession } from "../../session/attach.ts";
import { dropQuestion } from "../../session/question-gate.ts";
import { cancel } from "../../session/runs.ts";
import { attachReader, attachSender, sessionStored } from "../../session/session.ts";
import { readCursor } from "../cursor.ts";
import { eventStream } from "../event-stream.ts";
import { runStream } from "../run-stream.ts";
import { CURSOR_QUERY, MESSAGE_BODY, SESSION_PARAMS } from "../schemas.ts";
import { submitBody } from "../submission.ts";

export const messageRoutes = (engine: Engine) =>
  new Elysia({ tags: ["messages"] })
    .post(
      "/sessions/:session_id/message",
      async ({ params, body, request }) => {
        const session = await engine.sessions.get(params.session_id);
        // Attached before the turn begins: its first prompt has somebody to answer it.
        const detach = attachReader(session);
        try {
          const { run, outcome } = await submitBody(session, body, request, "reject");
          const leave = attachSender(session, run.id);
          return runStream(session, run, {
            cursor: null,
            headers: { "x-run-id": run.id, "x-delivery": outcome },
            onEnd: (hungUp) => {
              // A repeat of the request may have taken over.
              const isLast = leave() === 0;
              if (hungUp && isLast && body.on_disconnect === "cancel") cancel(session, run.id);
            },
          });
        } finally {
          detach();
        }
      },
      {
        params: SESSION_PARAMS,
        body: MESSAGE_BODY,
        detail: { summary: "Send a message; the reply streams the events of its run" },
      },
    )
    .post(
      "/sessions/:session_id/cancel",
      async ({ params }) => {
        const session = await engine.sessions.get(params.session_id);
        if (session.active) cancel(session, session.active.record.id);
        else dropQuestion(session, "Not executed: cancelled by the user");
        await sessionStored(session);
        return { ok: true, session_id: session.id };
      },
      {
        params: SESSION_PARAMS,
        detail: { summary: "Cancel the turn; where none runs, drop the question that waits" },
      },
    )
    .get(
      "/sessions/:session_id/events",
      async ({ params, query, request }) => {
        const session = await engine.sessions.get(params.session_id);
        const { after, notices } = placeInSession(session, readCursor(request, query) ?? 0);
        const detach = attachReader(session);
        return eventStream({
          after,
          before: notices,
          about: { session_id: session.id },
          open: (signal) => session.events.reader(after, signal),
          whole: true,
          closed: session.closed.signal,
          onEnd: detach,
        });
      },
      {
        params: SESSION_PARAMS,
        query: CURSOR_QUERY,
        detail: { summary: "Follow a session: all its events from the cursor on, then live" },
      },
    )
    .get(
      "/events",
      async ({ query, request }) => {
        const { lifecycle, closing } = engine;
        const cursor = readCursor(request, query) ?? lifecycle.last;
        const { after, notices } = placeIn(lifecycle, cursor);
        const waiting = pendingOf(await engine.sessions.live());
        return eventStream({
          after,
          before: [...notices, ...waiting],
          about: {},
          open: (signal) => lifecycle.reader(after, signal),
          whole: true,
          closed: closing,
        });
      },
      {
        query: CURSOR_QUERY,
        detail: { summary: "Follow the lifecycle of all sessions, from now or the cursor on" },
      },
    );
