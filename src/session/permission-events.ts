/** A session's permissions: what they ask and what is answered goes into its log. */
import type { EventBody } from "../domain/events.ts";
import type { ToolCallId } from "../domain/ids.ts";
import type { PermissionPrompt } from "../domain/permission.ts";
import { type Apply, type Outcome, Permissions } from "../permissions/permissions.ts";
import { append, isFollowed, parentOf, rootOf, type Session, saveSession } from "./session.ts";

/** `sessionOf` is first called when a tool call is checked. */
export function permissionsOf(sessionOf: () => Session): Permissions {
  /** A child's people are those of the session it works for; so is what they allowed. */
  const root = () => rootOf(sessionOf());
  const resolved = ({ tool_id, subagent }: PermissionPrompt, body: Resolved) => {
    const session = sessionOf();
    const { id, services } = session;
    const decision = body.type === "permission_granted" ? "approve" : "deny";
    // A child's question must not fail at the log of one that was given up meanwhile.
    if (subagent === null || !session.events.closed) append(session, body);
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
    attended: () => root().record.unattended === "wait" || isFollowed(sessionOf()),
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
    onGranted: (prompt, scope) =>
      resolved(prompt, { type: "permission_granted", tool_id: prompt.tool_id, scope }),
    onDenied: (prompt, reason) =>
      resolved(prompt, { type: "permission_denied", tool_id: prompt.tool_id, reason }),
    alsoAsk: (prompt, answer) => askAncestors(sessionOf(), prompt, answer),
  });
}

type Resolved = Extract<EventBody, { type: "permission_granted" | "permission_denied" }>;

/** Those it works for and that can be told, its own parent first. */
function ancestorsOf(session: Session): Session[] {
  const ancestors: Session[] = [];
  for (let each = parentOf(session); each !== null; each = parentOf(each)) ancestors.push(each);
  return ancestors.filter(({ events }) => !events.closed);
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
