/** A session's permissions: what they ask and what is answered goes into its log. */
import type { ToolCallId } from "../domain/ids.ts";
import type { PermissionPrompt } from "../domain/permission.ts";
import { type Apply, type Outcome, Permissions } from "../permissions/permissions.ts";
import { append, rootOf, type Session, saveSession } from "./session.ts";

/** `sessionOf` is first called when a tool call is checked. */
export function permissionsOf(sessionOf: () => Session): Permissions {
  /** A child's people are those of the session it works for; so is what they allowed. */
  const root = () => rootOf(sessionOf());
  const resolved = (tool_id: ToolCallId, decision: "approve" | "deny") => {
    const { id, services } = sessionOf();
    services.lifecycle.append({ type: "permission_resolved", session_id: id, tool_id, decision });
  };
  return new Permissions({
    mode: () => root().record.mode,
    setMode: (mode) => {
      root().record.mode = mode;
      saveSession(root());
    },
    stats: () => sessionOf().record.stats,
    where: () => {
      const { record, project, services } = sessionOf();
      return { workspace: record.directory, project, home: services.home };
    },
    rules: () => {
      const { project, services } = sessionOf();
      return services.rules.read(project);
    },
    projectApprovals: () => sessionOf().projectApprovals,
    approvals: () => root().record.approvals,
    remember: (approval) => {
      root().record.approvals.push(approval);
      saveSession(root());
    },
    log: () => sessionOf().services.log,
    attended: () => root().record.unattended === "wait" || root().readers > 0,
    timeoutMs: () => sessionOf().services.permissionTimeoutMs,
    onRequest: (prompt) => {
      const { id, services } = sessionOf();
      const { tool_id, tool_name, risk_level } = prompt;
      services.lifecycle.append({
        type: "permission_pending",
        session_id: id,
        tool_id,
        tool_name,
        risk_level,
      });
      return append(sessionOf(), { type: "permission_request", ...prompt });
    },
    onGranted: ({ tool_id }, scope) => {
      append(sessionOf(), { type: "permission_granted", tool_id, scope });
      resolved(tool_id, "approve");
    },
    onDenied: ({ tool_id }, reason) => {
      append(sessionOf(), { type: "permission_denied", tool_id, reason });
      resolved(tool_id, "deny");
    },
    alsoAsk: (prompt, answer) => askAncestors(sessionOf(), prompt, answer),
  });
}

/** Those it works for, its own parent first. */
function ancestorsOf(session: Session): Session[] {
  const ancestors: Session[] = [];
  for (let each = session.parent; each !== null; each = each.parent) ancestors.push(each);
  return ancestors;
}

/** Under an id of its own, since a call of theirs may have the same. */
function askAncestors(
  child: Session,
  prompt: PermissionPrompt,
  answer: Apply,
): (outcome: Outcome) => void {
  const relayed: PermissionPrompt = {
    ...prompt,
    tool_id: `${child.id}/${prompt.tool_id}` as ToolCallId,
    subagent: { session_id: child.id, tool_id: prompt.tool_id },
  };
  const asked = ancestorsOf(child).map(({ permissions }) => permissions.relay(relayed, answer));
  return (outcome) => {
    for (const { retract } of asked) retract(outcome);
  };
}
