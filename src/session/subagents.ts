/**
 * Subagents: a tool call that is answered by a child session. The child asks the same people: its prompts
 * show on the streams of those above it, and it may do nothing that they may not.
 */
import { newSessionId } from "../domain/ids.ts";
import { type SessionRecord, wholeRecord } from "../domain/session.ts";
import {
  failedResult,
  type SubagentTask,
  type ToolContext,
  type ToolResult,
} from "../domain/tool.ts";
import { cancel, submit } from "./runs.ts";
import { append, rootOf, type Session, saveSession } from "./session.ts";

/** Of one turn, those of its subagents included. */
const SUBAGENTS_MAX = 20;

const ROLE = `You work on a task for another agent, who sees nothing but your last message.
Do the task with your tools, then answer with the result: complete, short, with the paths and lines it is about.
Ask no questions; where something is unclear, choose and say what you chose.`;

/** Resolves when the child's turn has ended; its failure is a result, as any tool's. */
export async function runSubagent(
  parent: Session,
  task: SubagentTask,
  { callId, signal }: ToolContext,
): Promise<ToolResult> {
  const run = rootOf(parent).active;
  if (run === null || run.subagents >= SUBAGENTS_MAX)
    return failedResult(`A turn may start ${SUBAGENTS_MAX} subagents; do the rest yourself`);
  run.subagents += 1;
  const child = await parent.services.createSession({
    record: childRecord(parent, callId),
    systemPrompt: [parent.systemPrompt, ROLE].filter((text) => text !== "").join("\n\n"),
    credentials: parent.secrets.credentials,
    userToken: parent.secrets.userToken,
    parent,
  });
  parent.record.children.push(child.id);
  saveSession(parent);
  append(parent, {
    type: "subagent_started",
    tool_id: callId,
    child_session_id: child.id,
    task: task.description,
  });
  try {
    return await answerOf(parent, child, task, signal);
  } finally {
    // From here on it is a session as any other, with what it was given at its creation.
    child.parent = null;
  }
}

async function answerOf(
  parent: Session,
  child: Session,
  { prompt }: SubagentTask,
  signal: AbortSignal,
): Promise<ToolResult> {
  const limits = parent.active?.record.limits;
  // What caps the parent's run caps what it hands on: a task is no way around it.
  const { run: record } = await submit(child, {
    message: { role: "user", text: prompt, images: [] },
    delivery: "reject",
    limits: {
      modelCalls: limits?.modelCalls ?? null,
      toolCalls: limits?.toolCalls ?? null,
      seconds: limits?.seconds ?? null,
      tokens: tokensLeft(parent),
    },
    idempotencyKey: null,
    requestHash: null,
  });
  const stop = () => cancel(child, record.id);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const run = child.active;
  try {
    await run?.ended;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
  const { inputTokens, outputTokens } = record.usage;
  if (parent.active)
    parent.active.subagentTokens += inputTokens + outputTokens + (run?.subagentTokens ?? 0);
  const metadata = {
    child_session_id: child.id,
    stop_reason: record.stopReason,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
  };
  const output = lastWords(child);
  if (record.error)
    return { ok: false, output, error: `The subagent failed: ${record.error.message}`, metadata };
  return { ok: true, output: output || "The subagent ended without an answer", metadata };
}

function tokensLeft({ active }: Session): number | null {
  const max = active?.record.limits.tokens ?? null;
  if (active === null || max === null) return null;
  const { inputTokens, outputTokens } = active.record.usage;
  return Math.max(1, max - inputTokens - outputTokens - active.subagentTokens);
}

function lastWords({ messages }: Session): string {
  const last = messages.findLast((message) => message.role === "assistant" && message.text !== "");
  return last?.role === "assistant" ? last.text : "";
}

/** No wider than its parent, in the same place. */
function childRecord({ record }: Session, toolId: ToolContext["callId"]): SessionRecord {
  const { profile, profileResolved, inlineCredentials, workspace, directory } = record;
  return wholeRecord({
    id: newSessionId(),
    createdAt: Date.now(),
    profile,
    profileResolved,
    inlineCredentials,
    workspace,
    directory,
    mode: record.mode,
    unattended: record.unattended,
    mcpServers: record.mcpServers,
    metadata: {},
    totals: { turns: 0, inputTokens: 0, outputTokens: 0 },
    stats: { total_checks: 0, auto_approved: 0, user_approved: 0, denied: 0, blocked: 0 },
    lastTurn: null,
    tools: record.tools,
    network: record.network,
    parent: { sessionId: record.id, toolId, depth: (record.parent?.depth ?? 0) + 1 },
  });
}
