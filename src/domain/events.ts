/**
 * What happens in a session. These objects are the wire format: stored as they are, sent as they are,
 * hence snake_case, hence never renamed.
 */
import type { TurnFault } from "./errors.ts";
import type { CheckpointId, RunId, Seq, SessionId, ToolCallId } from "./ids.ts";
import type { ApprovalScope, PermissionPrompt, RiskLevel } from "./permission.ts";
import type { TodoItem } from "./todo.ts";

type Json = Record<string, unknown>;
type CallFields = {
  tool_id: ToolCallId;
  tool_name: string;
  tool_type: string;
  input: Json;
  risk_level: RiskLevel;
};
/** `execution_time` in seconds, without the time a person took to decide. */
type ResultFields = {
  tool_id: ToolCallId;
  tool_name: string;
  success: boolean;
  output: string;
  error: string;
  execution_time: number;
  metadata: Json;
};
type UsageFields = { input_tokens: number; output_tokens: number; thinking_tokens: number };

/** Known to clients of the original engine: fields may be added, never changed. */
export type OriginalEvent =
  | { type: "token"; text: string }
  | { type: "thinking"; text: string }
  | ({ type: "tool_start" } & CallFields)
  | ({ type: "permission_request" } & PermissionPrompt)
  | { type: "permission_granted"; tool_id: ToolCallId; scope: ApprovalScope }
  | { type: "permission_denied"; tool_id: ToolCallId; reason: PermissionDenial }
  | ({ type: "tool_result" } & ResultFields)
  /** Ends its turn: the next message is the answer. `pending_tools`: calls that are held until then. */
  | { type: "question_gate"; question: string; pending_tools: number }
  | ({ type: "turn_complete"; tool_calls: number; stop_reason: string } & UsageFields)
  | { type: "error"; code: TurnFault; message: string; retryable: boolean };

export type PermissionDenial = "user" | "timeout" | "unattended" | "cancelled";

/** Ours. Clients skip types they do not know. */
export type AddedEvent =
  /** The first event of every run. `prompt` is the message's text, cut to a preview. */
  | { type: "turn_started"; turn_id: RunId; prompt: string }
  /** What a tool prints while it runs; the whole comes with `tool_result`. */
  | { type: "tool_output"; tool_id: ToolCallId; chunk: string }
  /** One call of the model, after its reply. `cost_usd` is null where the price is unknown. */
  | ({
      type: "model_call";
      provider: string;
      model: string;
      cache_read_tokens: number;
      cache_write_tokens: number;
      cost_usd: number | null;
      duration_ms: number;
    } & UsageFields)
  /** The agent's plan, whole, each time it changes. */
  | { type: "todo"; items: TodoItem[] }
  /** A tool call handed a task to this session, a child of this one. */
  | { type: "subagent_started"; tool_id: ToolCallId; child_session_id: SessionId; task: string }
  /** A background command has ended. */
  | {
      type: "process_ended";
      name: string;
      exit_code: number | null;
      signal: string | null;
      timed_out: boolean;
    }
  /** The turn is about to change files; they are kept as they were, and can be restored. */
  | { type: "checkpoint"; checkpoint_id: CheckpointId; turn_id: RunId | null; files: string[] }
  /** What this cannot bring back; `path` null: not one file. */
  | {
      type: "checkpoint_skipped";
      checkpoint_id: CheckpointId | null;
      path: string | null;
      size: number | null;
      reason: string;
    }
  /** A call of the model failed before its first token and is tried again after `delay_ms`. */
  | { type: "retry"; attempt: number; delay_ms: number; reason: string }
  /** A message was accepted while a run was active: it waits (place 1 is next) … */
  | { type: "message_queued"; run_id: RunId; position: number }
  /** … or joined the run `into` before its next model call. */
  | { type: "message_steered"; run_id: RunId; into: RunId }
  /** A queued run was cancelled before it began. */
  | { type: "run_canceled"; run_id: RunId };

/** Always the last of a run, and there is exactly one. */
export type LastEvent = Extract<OriginalEvent, { type: "turn_complete" | "error" }>;

/** What the writer of a session's event supplies. */
export type EventBody = OriginalEvent | AddedEvent;

/**
 * Lifecycle of all sessions, for dashboards (`GET /events`): kept in a log of its own, so its `seq`
 * counts apart. `session_id` is the session that the event is about.
 */
export type LifecycleBody = { session_id: SessionId } & (
  | { type: "session_created"; profile: string; workspace: string | null }
  | { type: "session_deleted" }
  | { type: "turn_started"; turn_id: RunId }
  | {
      type: "turn_ended";
      turn_id: RunId;
      state: "completed" | "failed" | "canceled";
      reason: string;
    }
  | { type: "permission_pending"; tool_id: ToolCallId; tool_name: string; risk_level: RiskLevel }
  | { type: "permission_resolved"; tool_id: ToolCallId; decision: "approve" | "deny" }
);

/** An event as stored and sent; `ts` in milliseconds since the epoch. */
export type EngineEvent = EventBody & { session_id: SessionId; ts: number };
export type LifecycleEvent = LifecycleBody & { ts: number };

/**
 * Said by the stream, not by the session: never stored, sent without an id.
 * `replay_gap`: what lies between the reader's cursor and `next` is no longer kept.
 * `stream_cut`: the reader was too slow, or the engine stops; `?after=<cursor>` goes on.
 */
export type NoticeBody =
  | { type: "replay_gap"; after: Seq; next: Seq }
  | { type: "stream_cut"; cursor: Seq; reason: "slow_reader" | "shutdown" };

/** As sent. The lifecycle's notices are about no session. */
export type StreamNotice = NoticeBody & { ts: number; session_id?: SessionId };
