/** The vocabulary of permissions: modes, risks, scopes, and what a person is shown before deciding. */
import type { SessionId, ToolCallId } from "./ids.ts";

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

/** An approval that counts for later calls: the key, and the highest level it covers. */
export type StoredApproval = { key: string; level: RiskLevel };

/** One program that a shell command would run. */
export type RiskPart = { text: string; risk_level: RiskLevel; reason: string };

/** What an approval with this scope would store, word for word, and what that covers, for people. */
export type SuggestedScope = { scope: ApprovalScope; keys: string[]; covers: string };

/** A call as the person who decides sees it. */
export type PermissionPrompt = {
  tool_id: ToolCallId;
  tool_name: string;
  tool_type: string;
  input: Record<string, unknown>;
  risk_level: RiskLevel;
  risk_reason: string;
  /** Of a shell command: every program it would run, each judged on its own. Else empty. */
  parts: RiskPart[];
  /** The scopes that make sense for this call; `once` is always there. */
  suggested_scopes: SuggestedScope[];
  /** Unified diff of what would change, where the call changes files. */
  diff: string | null;
  /** The child session's own call, where a subagent asks through its parent. */
  subagent: { session_id: SessionId; tool_id: ToolCallId } | null;
};
