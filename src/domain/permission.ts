/** The vocabulary of permissions: modes, risks, scopes. */

/** `code` is the integer that session objects carry on the wire. */
export const APPROVAL_MODES = {
  default: 1,
  confirm_all: 2,
  auto_approve_edits: 3,
  trust_all: 4,
} as const;
export type ApprovalMode = keyof typeof APPROVAL_MODES;

export type RiskLevel = "low" | "medium" | "high" | "unknown";

export const APPROVAL_SCOPES = [
  "once",
  "session",
  "project",
  "always_edits",
  "trust_tool",
] as const;
export type ApprovalScope = (typeof APPROVAL_SCOPES)[number];
