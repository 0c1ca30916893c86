/** Sessions, messages and runs as clients see them. */
import type { Message } from "../domain/messages.ts";
import { APPROVAL_MODES } from "../domain/permission.ts";
import type { RunRecord, SessionRecord } from "../domain/session.ts";
import type { SessionView } from "../session/registry.ts";
import type { Session } from "../session/session.ts";

export const sessionView = ({ record, historyLength, live }: SessionView) => ({
  ...recordView(record),
  history_length: historyLength,
  active: live !== null && live.active !== null,
  mcp_connected: [] as string[],
  active_turn_id: live?.active?.record.id ?? null,
  queued_runs: live?.queue.length ?? 0,
});

const recordView = (record: SessionRecord) => ({
  session_id: record.id,
  profile: record.profile,
  profile_resolved: record.profileResolved,
  workspace: record.workspace,
  approval_mode: APPROVAL_MODES[record.mode],
  approval_mode_name: record.mode,
  unattended: record.unattended,
  created_at: naiveTime(record.createdAt),
  total_turns: record.totals.turns,
  total_input_tokens: record.totals.inputTokens,
  total_output_tokens: record.totals.outputTokens,
  mcp_servers: record.mcpServers,
  metadata: record.metadata,
  last_turn_status: record.lastTurn?.status ?? null,
  last_turn_error: record.lastTurn?.error ?? null,
  tools: record.tools,
  sandbox: { network: record.network },
  question_pending: record.question && {
    question: record.question.question,
    pending_tools: record.question.pendingTools,
  },
  parent_session_id: record.parent?.sessionId ?? null,
  child_session_ids: record.children,
});

/** UTC without a zone, six digits of a second: what clients of the original parse. */
const naiveTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "000");

/** The conversation in the original's shape: the system prompt first, if there is one. */
export function historyOf(session: Pick<Session, "systemPrompt" | "messages">) {
  const system = session.systemPrompt
    ? [{ role: "system" as const, content: session.systemPrompt }]
    : [];
  return [...system, ...session.messages.map(messageView)];
}

function messageView(message: Message) {
  const { ts } = message;
  if (message.role === "tool") {
    const images = message.images?.map(({ mediaType }) => mediaType);
    const metadata = { tool_call_id: message.callId, ts, ...(images ? { images } : {}) };
    return { role: "tool", tool_call_id: message.callId, content: message.output, metadata };
  }
  if (message.role === "user") {
    const images = message.images.map(({ mediaType }) => mediaType);
    return {
      role: "user",
      content: message.text,
      metadata: { ts, ...(images.length > 0 ? { images } : {}) },
    };
  }
  return {
    role: "assistant",
    content: message.text,
    metadata: {
      ts,
      ...(message.partial ? { partial: true } : {}),
      ...(message.toolCalls.length > 0 ? { tool_calls: message.toolCalls.map(callView) } : {}),
    },
  };
}

const callView = (call: { id: string; name: string; input: object }) => ({
  id: call.id,
  type: "function",
  function: { name: call.name, arguments: JSON.stringify(call.input) },
});

export function runView(session: Session, run: RunRecord) {
  const waits = session.active?.record.id === run.id && session.permissions.pending().length > 0;
  const place = session.queue.findIndex(({ id }) => id === run.id);
  return {
    run_id: run.id,
    session_id: run.sessionId,
    state: waits ? ("waiting_for_permission" as const) : run.state,
    delivery: run.delivery,
    prompt: run.message.text,
    /** 1 is next; null when it does not wait. */
    position: place < 0 ? null : place + 1,
    steered_into: run.steeredInto,
    created_at: run.createdAt,
    started_at: run.startedAt,
    ended_at: run.endedAt,
    after_seq: run.afterSeq,
    end_seq: run.endSeq,
    stop_reason: run.stopReason,
    error: run.error,
    input_tokens: run.usage.inputTokens,
    output_tokens: run.usage.outputTokens,
    tool_calls: run.usage.toolCalls,
  };
}
