/** A session's permissions: what they ask and what is answered goes into its log. */
import type { ToolCallId } from "../domain/ids.ts";
import { Permissions } from "../permissions/permissions.ts";
import { append, type Session, saveSession } from "./session.ts";

/** `sessionOf` is first called when a tool call is checked. */
export function permissionsOf(sessionOf: () => Session): Permissions {
  const resolved = (tool_id: ToolCallId, decision: "approve" | "deny") => {
    const { id, services } = sessionOf();
    services.lifecycle.append({ type: "permission_resolved", session_id: id, tool_id, decision });
  };
  return new Permissions({
    mode: () => sessionOf().record.mode,
    setMode: (mode) => {
      sessionOf().record.mode = mode;
      saveSession(sessionOf());
    },
    stats: () => sessionOf().record.stats,
    attended: () => sessionOf().record.unattended === "wait" || sessionOf().readers > 0,
    timeoutMs: () => sessionOf().services.permissionTimeoutMs,
    onRequest: (request) => {
      const { id, services } = sessionOf();
      const { tool_id, tool_name, risk_level } = request;
      services.lifecycle.append({
        type: "permission_pending",
        session_id: id,
        tool_id,
        tool_name,
        risk_level,
      });
      return append(sessionOf(), { type: "permission_request", ...request });
    },
    onGranted: ({ tool_id }, scope) => {
      append(sessionOf(), { type: "permission_granted", tool_id, scope });
      resolved(tool_id, "approve");
    },
    onDenied: ({ tool_id }, reason) => {
      append(sessionOf(), { type: "permission_denied", tool_id, reason });
      resolved(tool_id, "deny");
    },
  });
}
