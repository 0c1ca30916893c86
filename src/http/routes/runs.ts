/** Runs: messages whose events are followed apart from sending them; and the queue. */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { RunId } from "../../domain/ids.ts";
import type { Engine } from "../../engine.ts";
import { cancel, findRun, listRuns, reorder } from "../../session/runs.ts";
import { readCursor } from "../cursor.ts";
import { runStream } from "../run-stream.ts";
import { CURSOR_QUERY, MESSAGE_BODY, object, RUN_PARAMS, SESSION_PARAMS } from "../schemas.ts";
import { submitBody } from "../submission.ts";
import { runView } from "../views.ts";

export const runRoutes = (engine: Engine) =>
  new Elysia({ prefix: "/sessions/:session_id", tags: ["runs"] })
    .post(
      "/runs",
      async ({ params, body, request, set }) => {
        const session = await engine.sessions.get(params.session_id);
        const { run, outcome } = await submitBody(session, body, request, "queue");
        set.status = 202;
        return { ...runView(session, run), outcome };
      },
      {
        params: SESSION_PARAMS,
        body: MESSAGE_BODY,
        detail: { summary: "Send a message without waiting for its events; queued during a turn" },
      },
    )
    .get(
      "/runs",
      async ({ params }) => {
        const session = await engine.sessions.get(params.session_id);
        const runs = await listRuns(session);
        return { session_id: session.id, runs: runs.map((run) => runView(session, run)) };
      },
      { params: SESSION_PARAMS, detail: { summary: "Its runs, newest first" } },
    )
    .get(
      "/runs/:run_id",
      async ({ params }) => {
        const session = await engine.sessions.get(params.session_id);
        return runView(session, await findRun(session, params.run_id));
      },
      { params: RUN_PARAMS, detail: { summary: "One run" } },
    )
    .post(
      "/runs/:run_id/cancel",
      async ({ params }) => {
        const session = await engine.sessions.get(params.session_id);
        const run = await findRun(session, params.run_id);
        cancel(session, run.id);
        return { ok: true, session_id: session.id, run_id: run.id };
      },
      { params: RUN_PARAMS, detail: { summary: "Cancel a run, under way or queued" } },
    )
    .get(
      "/runs/:run_id/events",
      async ({ params, query, request }) => {
        const session = await engine.sessions.get(params.session_id);
        const run = await findRun(session, params.run_id);
        return runStream(session, run, { cursor: readCursor(request, query) });
      },
      {
        params: RUN_PARAMS,
        query: CURSOR_QUERY,
        detail: { summary: "A run's events, past and live, to its end" },
      },
    )
    .put(
      "/queue",
      async ({ params, body }) => {
        const session = await engine.sessions.get(params.session_id);
        reorder(session, body.run_ids);
        return { session_id: session.id, runs: session.queue.map((run) => runView(session, run)) };
      },
      {
        params: SESSION_PARAMS,
        body: object({
          run_ids: Type.Array(Type.Unsafe<RunId>(Type.String()), {
            maxItems: 100,
            description: "those not named stay behind, in their order",
          }),
        }),
        detail: { summary: "Reorder the queued runs: those named first, in this order" },
      },
    )
    .get(
      "/queue",
      async ({ params }) => {
        const session = await engine.sessions.get(params.session_id);
        return { session_id: session.id, runs: session.queue.map((run) => runView(session, run)) };
      },
      { params: SESSION_PARAMS, detail: { summary: "The queued runs, next first" } },
    );
