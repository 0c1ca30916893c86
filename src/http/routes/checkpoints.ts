/** Undo: what turns changed, and bringing files back to what they were. */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { type CheckpointId, ID_PATTERN } from "../../domain/ids.ts";
import type { Engine } from "../../engine.ts";
import { restoreCheckpoint } from "../../session/undo.ts";
import { checkpointView } from "../checkpoint-view.ts";
import { object, SESSION_PARAMS } from "../schemas.ts";

/** How many files a request may name. */
const PATHS_MAX = 1_000;

const CHECKPOINT_PARAMS = object({
  ...SESSION_PARAMS.properties,
  checkpoint_id: Type.Unsafe<CheckpointId>(
    Type.String({ pattern: ID_PATTERN, description: "the checkpoint" }),
  ),
});

export const checkpointRoutes = (engine: Engine) =>
  new Elysia({ prefix: "/sessions/:session_id/checkpoints", tags: ["checkpoints"] })
    .get(
      "",
      async ({ params }) => {
        const { id, checkpoints } = await engine.sessions.get(params.session_id);
        return { session_id: id, checkpoints: (await checkpoints.list()).map(checkpointView) };
      },
      {
        params: SESSION_PARAMS,
        detail: { summary: "The turns whose changes can be undone, newest first" },
      },
    )
    .get(
      "/:checkpoint_id/diff",
      async ({ params, request }) => {
        const { id, checkpoints } = await engine.sessions.get(params.session_id);
        const diff = await checkpoints.diff(params.checkpoint_id, pathsOf(request));
        return { session_id: id, checkpoint_id: params.checkpoint_id, diff };
      },
      {
        params: CHECKPOINT_PARAMS,
        query: object({
          path: Type.Optional(
            Type.String({ description: "only this file; may be given several times" }),
          ),
        }),
        detail: { summary: "What the turn changed, as a unified diff" },
      },
    )
    .post(
      "/:checkpoint_id/restore",
      async ({ params, body }) => {
        const session = await engine.sessions.get(params.session_id);
        const { restored, unchanged, leftOut, checkpoint } = await restoreCheckpoint(
          session,
          params.checkpoint_id,
          { files: body?.files ?? null, force: body?.force ?? false },
        );
        return {
          ok: true,
          session_id: session.id,
          restored,
          unchanged,
          left_out: leftOut,
          checkpoint_id: checkpoint,
        };
      },
      {
        params: CHECKPOINT_PARAMS,
        body: Type.Optional(
          object({
            files: Type.Optional(
              Type.Array(Type.String(), {
                maxItems: PATHS_MAX,
                description: "relative to the workspace; all that the turn changed if not given",
              }),
            ),
            force: Type.Optional(
              Type.Boolean({
                description:
                  "also where a file has changed since or this cannot be undone, and without files that cannot be brought back",
              }),
            ),
          }),
        ),
        detail: { summary: "Bring files back to what they were before the turn; all or none" },
      },
    );

/** The router gives only the last of a name's values. Null: none is named. */
function pathsOf({ url }: Request): string[] | null {
  const start = url.indexOf("?");
  const paths = start < 0 ? [] : new URLSearchParams(url.slice(start)).getAll("path");
  return paths.length === 0 ? null : paths.slice(0, PATHS_MAX);
}
