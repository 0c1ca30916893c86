/** What a session's tools keep and run: its plan, and its background commands. */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Engine } from "../../engine.ts";
import { object, SESSION_PARAMS } from "../schemas.ts";

const PROCESS_PARAMS = object({
  ...SESSION_PARAMS.properties,
  name: Type.String({ minLength: 1, maxLength: 200, description: "of the background command" }),
});

export const toolRoutes = (engine: Engine) =>
  new Elysia({ prefix: "/sessions/:session_id", tags: ["tools"] })
    .get(
      "/todo",
      async ({ params }) => {
        const { id, notes } = await engine.sessions.get(params.session_id);
        return { session_id: id, items: [...notes.todo] };
      },
      { params: SESSION_PARAMS, detail: { summary: "The agent's plan, as it last wrote it" } },
    )
    .get(
      "/processes",
      async ({ params }) => {
        const { id } = await engine.sessions.get(params.session_id);
        return { session_id: id, processes: engine.backgroundCommands.list(id) };
      },
      {
        params: SESSION_PARAMS,
        detail: { summary: "Its background commands, those that have ended included" },
      },
    )
    .get(
      "/processes/:name/output",
      async ({ params, query }) => {
        const { id } = await engine.sessions.get(params.session_id);
        const lines = Number(query.lines ?? 50);
        return {
          session_id: id,
          name: params.name,
          output: engine.backgroundCommands.output(id, params.name, lines),
        };
      },
      {
        params: PROCESS_PARAMS,
        query: object({
          lines: Type.Optional(
            Type.String({
              pattern: "^[0-9]{1,6}$",
              description: "the last so many; 50 if not given",
            }),
          ),
        }),
        detail: { summary: "The last lines that a background command printed" },
      },
    )
    .post(
      "/processes/:name/kill",
      async ({ params }) => {
        const { id } = await engine.sessions.get(params.session_id);
        await engine.backgroundCommands.kill(id, params.name);
        return { ok: true, session_id: id, name: params.name };
      },
      { params: PROCESS_PARAMS, detail: { summary: "End a background command" } },
    );
