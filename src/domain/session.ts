/** What a session and a run are, as plain data that survives a restart. No secret is in here. */
import type { TurnFault } from "./errors.ts";
import type { RunId, Seq, SessionId } from "./ids.ts";
import type { UserMessage } from "./messages.ts";
import type { ApprovalMode } from "./permission.ts";

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
};

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
