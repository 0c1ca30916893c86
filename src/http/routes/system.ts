/** The engine itself: alive, which version, what it has, whether it is ready. */
import { bearer } from "@elysiajs/bearer";
import { Elysia } from "elysia";
import { findLocalServers } from "../../config/local-servers.ts";
import { readiness } from "../../config/readiness.ts";
import type { TokenCheck } from "../../config/token.ts";
import type { Engine } from "../../engine.ts";
import { VERSION } from "../../version.ts";

export const systemRoutes = (engine: Engine, token: TokenCheck) =>
  new Elysia()
    .use(bearer({ extract: { header: "Bearer", query: "", body: "" } }))
    .get("/health", () => ({ status: "healthy", uptime: uptime(engine) }), {
      detail: { summary: "Whether the engine runs", tags: ["system"] },
    })
    .get(
      "/version",
      () => ({
        version: VERSION,
        engine: VERSION,
        kollabor_ai: "unknown",
        kollabor_agent: "unknown",
        kollabor_events: "unknown",
        python: "unknown",
      }),
      { detail: { summary: "Versions", tags: ["system"] } },
    )
    .get(
      "/status",
      async ({ bearer, request }) => {
        const live = await engine.sessions.live();
        const providers = live.flatMap(({ model }) => model?.model.provider ?? []);
        // The plugin looks into the query, too; a token has no place there.
        const known = request.headers.has("authorization") && token.accepts(bearer ?? "");
        return {
          version: VERSION,
          sessions: await engine.sessions.count(),
          uptime: uptime(engine),
          providers: [...new Set(providers)].sort(),
          mcp_servers: {},
          session_ids: known ? (await engine.sessions.list()).map(({ record }) => record.id) : [],
        };
      },
      { detail: { summary: "What the engine has; ids only with the token", tags: ["system"] } },
    )
    .get(
      "/ready",
      async ({ request }) => {
        const { profiles, api_credentials } = readiness(engine.profiles);
        const live = await engine.sessions.live();
        return {
          ready: profiles === "ok" && api_credentials === "ok",
          checks: { profiles, sessions: live.length > 0 ? "ok" : "idle", api_credentials },
          local_servers: await findLocalServers(request.signal),
        };
      },
      { detail: { summary: "Whether a real model can be used", tags: ["system"] } },
    );

const uptime = ({ startedAt }: Engine): number => Math.floor((Date.now() - startedAt) / 1000);
