/** Sessions: create, list, look at, change, delete; their conversation and their system prompt. */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { INLINE_PROFILE, profileFromCredentials } from "../../config/inline-credentials.ts";
import { EngineError } from "../../domain/errors.ts";
import { ID_PATTERN, type SessionId } from "../../domain/ids.ts";
import type { Profile } from "../../domain/profile.ts";
import { NETWORK_POLICIES } from "../../domain/session.ts";
import type { Engine } from "../../engine.ts";
import { newRecord, withoutDynamicTags } from "../../session/new-session.ts";
import { viewOf } from "../../session/registry.ts";
import { startNext } from "../../session/runs.ts";
import { clearMessages, type Session, sessionStored } from "../../session/session.ts";
import { invalidRequest } from "../errors.ts";
import { MODE, nullable, object, oneOf, SESSION_PARAMS } from "../schemas.ts";
import { historyOf, sessionView } from "../views.ts";

const METADATA_CHARS_MAX = 64 * 1024;

const text = (description: string) => Type.Optional(nullable(Type.String({ description })));

const CREDENTIALS = object({
  provider: Type.Optional(Type.String({ description: "anthropic if not given" })),
  api_key: Type.String({ description: "kept in memory only" }),
  model: Type.String({ description: "as the provider calls it" }),
  base_url: text("the provider's own if not given"),
  max_tokens: Type.Optional(
    nullable(Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: "of one reply" })),
  ),
});
const USER_TOKEN = text("for the session's MCP servers; kept in memory only");

const NEW_SESSION = object({
  profile: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: "its name; default if not given" }),
  ),
  agent: text("the name of an agent"),
  system_prompt: text("without tags that would run commands"),
  workspace: text("a folder; ~ is the home; the engine's own folder if not given"),
  approval_mode: Type.Optional(MODE),
  unattended: Type.Optional(
    oneOf(["wait", "deny"], "what becomes of a prompt while nobody is attached; wait if not given"),
  ),
  tools: Type.Optional(
    nullable(
      Type.Array(Type.String(), {
        maxItems: 200,
        description: "the only built-in tools that the model is offered; all if not given",
      }),
    ),
  ),
  sandbox: Type.Optional(
    object({
      network: Type.Optional(
        oneOf(
          NETWORK_POLICIES,
          "what tools may reach; allowlist, the default, asks for each new host",
        ),
      ),
    }),
  ),
  mcp_servers: Type.Optional(
    Type.Array(Type.String(), { maxItems: 100, description: "those to connect, by name" }),
  ),
  metadata: Type.Optional(
    nullable(
      Type.Record(Type.String(), Type.Unknown(), { description: "anything; kept and shown" }),
    ),
  ),
  credentials: Type.Optional(nullable(CREDENTIALS)),
  user_token: USER_TOKEN,
  session_id: Type.Optional(
    nullable(
      Type.Unsafe<SessionId>(
        Type.String({ pattern: ID_PATTERN, description: "made up if not given" }),
      ),
    ),
  ),
});
const CHANGED_SESSION = object({
  user_token: USER_TOKEN,
  credentials: Type.Optional(CREDENTIALS),
});

export const sessionRoutes = (engine: Engine) => {
  const { env, log } = engine.options;
  const inline = (given: (typeof CREDENTIALS)["static"]): Profile =>
    profileFromCredentials(
      {
        provider: given.provider ?? "anthropic",
        api_key: given.api_key,
        model: given.model,
        base_url: given.base_url ?? "",
        max_tokens: given.max_tokens ?? null,
      },
      env,
      log,
    );

  return new Elysia({ prefix: "/sessions", tags: ["sessions"] })
    .post(
      "",
      async ({ body, request }) => {
        const profile = body.credentials ? INLINE_PROFILE : (body.profile ?? "default");
        const profileResolved = body.credentials
          ? profile
          : (await engine.profiles.resolve(profile)).resolved;
        if (body.agent) throw new EngineError("not_found", `Agent '${body.agent}' not found`);
        const record = await newRecord(
          {
            id: body.session_id ?? null,
            profile,
            profileResolved,
            inlineCredentials: Boolean(body.credentials),
            workspace: body.workspace ?? null,
            mode: body.approval_mode ?? "confirm_all",
            unattended: body.unattended ?? "wait",
            mcpServers: body.mcp_servers ?? [],
            metadata: checkMetadata(body.metadata ?? {}),
            tools: body.tools ?? null,
            network: body.sandbox?.network ?? "allowlist",
          },
          engine.options,
        );
        const session = await engine.sessions.create({
          record,
          systemPrompt: withoutDynamicTags(body.system_prompt ?? ""),
          credentials: body.credentials ? inline(body.credentials) : null,
          userToken: body.user_token ?? request.headers.get("x-mentiko-session-token"),
        });
        return sessionView(viewOf(session));
      },
      { body: NEW_SESSION, detail: { summary: "Create a session" } },
    )
    .get("", async () => ({ sessions: (await engine.sessions.list()).map(sessionView) }), {
      detail: { summary: "All sessions, oldest first" },
    })
    .get(
      "/:session_id",
      async ({ params }) => sessionView(viewOf(await engine.sessions.get(params.session_id))),
      { params: SESSION_PARAMS, detail: { summary: "One session" } },
    )
    .patch(
      "/:session_id",
      async ({ params, body }) => {
        const session = await engine.sessions.get(params.session_id);
        const { id, record, secrets } = session;
        if (body.user_token !== undefined) secrets.userToken = body.user_token;
        if (body.credentials) {
          secrets.credentials = inline(body.credentials);
          record.profile = record.profileResolved = INLINE_PROFILE;
          record.inlineCredentials = true;
          await sessionStored(session);
          startNext(session);
        }
        return { ok: true, session_id: id };
      },
      {
        params: SESSION_PARAMS,
        body: CHANGED_SESSION,
        detail: { summary: "Give it its token or its credentials anew; both are never stored" },
      },
    )
    .delete(
      "/:session_id",
      async ({ params }) => {
        await engine.sessions.remove(params.session_id);
        return { ok: true, session_id: params.session_id };
      },
      { params: SESSION_PARAMS, detail: { summary: "Cancel its turn and delete it for good" } },
    )
    .get(
      "/:session_id/history",
      async ({ params, query }) => {
        const history = historyOf(await engine.sessions.get(params.session_id));
        const limit = Number(query.limit ?? 0);
        return {
          session_id: params.session_id,
          history: limit === 0 ? history : history.slice(-limit),
        };
      },
      {
        params: SESSION_PARAMS,
        query: object({
          limit: Type.Optional(
            Type.String({ pattern: "^[0-9]{1,9}$", description: "only the last so many; 0: all" }),
          ),
        }),
        detail: { summary: "Its conversation; `limit`: only the last so many messages" },
      },
    )
    .delete(
      "/:session_id/history",
      async ({ params }) => {
        const session = await idleSession(engine, params.session_id);
        await clearMessages(session);
        return { ok: true, session_id: session.id };
      },
      { params: SESSION_PARAMS, detail: { summary: "Forget its conversation" } },
    )
    .get(
      "/:session_id/system-prompt",
      async ({ params }) => {
        const { id, systemPrompt } = await engine.sessions.get(params.session_id);
        return { session_id: id, system_prompt: systemPrompt };
      },
      { params: SESSION_PARAMS, detail: { summary: "Its system prompt, empty if none" } },
    )
    .post(
      "/:session_id/system-prompt/rebuild",
      async ({ params }) => {
        const { id, systemPrompt } = await idleSession(engine, params.session_id);
        return { session_id: id, system_prompt: systemPrompt };
      },
      {
        params: SESSION_PARAMS,
        detail: { summary: "Its system prompt as it would be rendered now" },
      },
    );
};

async function idleSession(engine: Engine, id: SessionId): Promise<Session> {
  const session = await engine.sessions.get(id);
  if (session.active) throw new EngineError("conflict", "Turn already in progress");
  return session;
}

function checkMetadata(metadata: Record<string, unknown>): Record<string, unknown> {
  if (JSON.stringify(metadata).length <= METADATA_CHARS_MAX) return metadata;
  const msg = `metadata may have ${METADATA_CHARS_MAX} characters of JSON at most`;
  throw invalidRequest({ type: "too_long", loc: ["body", "metadata"], msg });
}
