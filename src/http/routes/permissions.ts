/**
 * Prompts and modes: answer a prompt, see what waits, change how much is asked. What counts for a child at
 * work is its parent's: there it is shown and changed.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { EngineError } from "../../domain/errors.ts";
import type { ToolCallId } from "../../domain/ids.ts";
import { APPROVAL_MODES, APPROVAL_SCOPES, type ApprovalMode } from "../../domain/permission.ts";
import type { Engine } from "../../engine.ts";
import { rootOf, sessionStored } from "../../session/session.ts";
import { object, SESSION_PARAMS } from "../schemas.ts";

export const permissionRoutes = (engine: Engine) =>
  new Elysia({ prefix: "/sessions/:session_id", tags: ["permissions"] })
    .post(
      "/permission",
      async ({ params, body }) => {
        const session = await engine.sessions.get(params.session_id);
        const decision = oneOf(body.decision, ["approve", "deny"] as const, "decision");
        // A refusal is about this call alone, whatever it says.
        const wanted = decision === "deny" ? "once" : (body.scope ?? "once");
        const scope = oneOf(wanted, APPROVAL_SCOPES, "scope");
        const applied = await session.permissions.answer(body.tool_id, { decision, scope });
        return { ok: true, tool_id: body.tool_id, decision, ...applied };
      },
      {
        params: SESSION_PARAMS,
        body: object({
          tool_id: Type.Unsafe<ToolCallId>(
            Type.String({ description: "as in the request's event" }),
          ),
          decision: Type.String({ description: "approve or deny" }),
          scope: Type.Optional(
            Type.String({
              description: `once if not given; or ${APPROVAL_SCOPES.slice(1).join(", ")}`,
            }),
          ),
        }),
        detail: { summary: "Answer a permission request; the first answer counts" },
      },
    )
    .get(
      "/permissions",
      async ({ params }) => {
        const session = await engine.sessions.get(params.session_id);
        const { id, record, permissions, projectApprovals } = session;
        const { mode, approvals } = rootOf(session).record;
        const pending = permissions.pending();
        return {
          session_id: id,
          approval_mode: APPROVAL_MODES[mode],
          approval_mode_name: mode,
          pending: pending.map(({ tool_id }) => tool_id),
          pending_details: pending,
          stats: record.stats,
          approvals,
          project_approvals: [...projectApprovals.keys()],
        };
      },
      { params: SESSION_PARAMS, detail: { summary: "What waits for an answer, and counts" } },
    )
    .delete(
      "/permissions/approvals",
      async ({ params, body, request }) => {
        const session = await engine.sessions.get(params.session_id);
        const { projectApprovals } = session;
        const root = rootOf(session);
        root.record.approvals = root.record.approvals.filter(({ key }) => !body.keys.includes(key));
        await sessionStored(root);
        const stored = projectApprovals.keys().filter((key) => body.keys.includes(key));
        if (stored.length > 0) await projectApprovals.remove(stored, request.signal);
        return { ok: true, session_id: session.id };
      },
      {
        params: SESSION_PARAMS,
        body: object({
          keys: Type.Array(Type.String(), {
            maxItems: 10_000,
            description: "as `approvals` and `project_approvals` have them",
          }),
        }),
        detail: { summary: "Take approvals back, from the session and from its project" },
      },
    )
    .post(
      "/permissions/mode",
      async ({ params, body }) => {
        const session = await engine.sessions.get(params.session_id);
        const modes = Object.keys(APPROVAL_MODES) as ApprovalMode[];
        const mode = oneOf(body.mode, modes, "mode");
        const root = rootOf(session);
        root.record.mode = mode;
        await sessionStored(root);
        return { ok: true, mode };
      },
      {
        params: SESSION_PARAMS,
        body: object({
          mode: Type.String({ description: Object.keys(APPROVAL_MODES).join(", ") }),
        }),
        detail: {
          summary:
            "Change the session's approval mode, for its next tool call on; of a child at work its parent's",
        },
      },
    );

/** The original answers 400 here, where other fields have 422. */
function oneOf<T extends string>(value: string, known: readonly T[], field: string): T {
  const found = known.find((each) => each === value);
  if (found !== undefined) return found;
  throw new EngineError("bad_request", `Unknown ${field} '${value}': one of ${known.join(", ")}`);
}
