/** What a session and a run are, as plain data that survives a restart. No secret is in here. */
import type { TurnFault } from "./errors.ts";
import type { RunId, Seq, SessionId, ToolCallId } from "./ids.ts";
import type { UserMessage } from "./messages.ts";
import type { ApprovalMode, StoredApproval } from "./permission.ts";

export type SessionRecord = {
  id: SessionId;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** As the client asked: `default` stays `default`. */
  profile: string;
  /** What that led to when it was last looked up. */
  profileResolved: string;
  /** The client sent a provider with its key, which is not kept: a restarted engine cannot go on. */
  inlineCredentials: boolean;
  /** As the client gave it, resolved; null when it gave none. */
  workspace: string | null;
  /** Where tools run; the engine's own directory when the client gave none. */
  directory: string;
  mode: ApprovalMode;
  /** `wait`: a prompt nobody answers waits its time, then is denied. `deny`: it is denied at once. */
  unattended: "wait" | "deny";
  mcpServers: string[];
  metadata: Record<string, unknown>;
  totals: { turns: number; inputTokens: number; outputTokens: number };
  stats: PermissionStats;
  lastTurn: { runId: RunId; status: TurnOutcome; error: string | null } | null;
  /** Native names of the tools it may be offered; null: all. */
  tools: string[] | null;
  network: NetworkPolicy;
  /** What people approved for the rest of the session. */
  approvals: StoredApproval[];
  /** The question that its last turn ended with; its last reply's calls are held until the answer. */
  question: OpenQuestion | null;
  /** Of a child session: the call that it works for. `depth`: 1 for a child, 2 for a child's child. */
  parent: { sessionId: SessionId; toolId: ToolCallId; depth: number } | null;
  children: SessionId[];
};

/** What the session's tools may reach: `none` nothing, `allowlist` what was approved, `full` everything. */
export const NETWORK_POLICIES = ["none", "allowlist", "full"] as const;
export type NetworkPolicy = (typeof NETWORK_POLICIES)[number];

/** `seq`: of its event. What was sent before is no answer. */
export type OpenQuestion = { question: string; pendingTools: number; seq: Seq };

/** What sessions did not have from the beginning. */
type Added = Pick<
  SessionRecord,
  "tools" | "network" | "approvals" | "question" | "parent" | "children"
>;
const added = (): Added => ({
  tools: null,
  network: "allowlist",
  approvals: [],
  question: null,
  parent: null,
  children: [],
});

/** A record as an older engine may have stored it, made whole. */
export const wholeRecord = (
  stored: Omit<SessionRecord, keyof Added> & Partial<Added>,
): SessionRecord => ({ ...added(), ...stored });

export type PermissionStats = {
  total_checks: number;
  auto_approved: number;
  user_approved: number;
  denied: number;
  blocked: number;
};

/** How a turn ended. */
export type TurnOutcome = "completed" | "failed" | "canceled";
export type RunState = "queued" | "running" | "steered" | TurnOutcome;

/** Caps of one run; null: the engine's default or none. */
export type RunLimits = {
  modelCalls: number | null;
  toolCalls: number | null;
  seconds: number | null;
  tokens: number | null;
};

export type Delivery = "reject" | "queue" | "steer";

/** One accepted message and what became of it. */
export type RunRecord = {
  id: RunId;
  sessionId: SessionId;
  state: RunState;
  delivery: Delivery;
  message: UserMessage;
  limits: RunLimits;
  /** Order among queued runs; lower is next. */
  place: number;
  idempotencyKey: string | null;
  /** SHA-256 of the request that came with the key. */
  requestHash: string | null;
  /** Milliseconds since the epoch. */
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  /** The log's last seq when it was accepted: what it says of its waiting comes next. */
  acceptedAfter: Seq;
  /** Its events are those with `afterSeq < seq <= endSeq`. */
  afterSeq: Seq | null;
  endSeq: Seq | null;
  /** The run that it joined. */
  steeredInto: RunId | null;
  stopReason: string | null;
  error: { code: TurnFault; message: string } | null;
  usage: { inputTokens: number; outputTokens: number; thinkingTokens: number; toolCalls: number };
};
