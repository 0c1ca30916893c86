/**
 * Subagents: a tool call that is answered by a child session. The child asks the same people: its prompts
 * show on the streams of those above it, and it may do nothing that they may not.
 */
import { newSessionId } from "../domain/ids.ts";
import { type RunLimits, type SessionRecord, wholeRecord } from "../domain/session.ts";
import {
  failedResult,
  type SubagentTask,
  type ToolContext,
  type ToolResult,
} from "../domain/tool.ts";
import { cancel, startTask } from "./runs.ts";
import { type ActiveRun, append, rootOf, type Session, saveSession } from "./session.ts";

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
  const [run, root] = [parent.active, rootOf(parent).active];
  if (run === null || root === null || root.subagents.started >= SUBAGENTS_MAX)
    return failedResult(`A turn may start ${SUBAGENTS_MAX} subagents; do the rest yourself`);
  root.subagents.started += 1;
  const child = await parent.services.createSession({
    record: childRecord(parent, callId),
    systemPrompt: [parent.systemPrompt, ROLE].filter((text) => text !== "").join("\n\n"),
    credentials: parent.secrets.credentials,
    userToken: parent.secrets.userToken,
  });
  parent.record.children.push(child.id);
  saveSession(parent);
  append(parent, {
    type: "subagent_started",
    tool_id: callId,
    child_session_id: child.id,
    task: task.description,
  });
  signal.throwIfAborted();
  const work = startTask(child, { text: task.prompt, limits: limitsLeft(run) }, parent);
  await ended(child, work, signal);
  // Nobody would look after them: its parent knows them under no name.
  await parent.services.backgroundCommands.closeSession(child.id);
  countWork(run, work);
  signal.throwIfAborted();
  return resultOf(child, work);
}

/** Resolves when the work has ended, which it soon does once `signal` aborts. */
async function ended(child: Session, work: ActiveRun, signal: AbortSignal): Promise<void> {
  const stop = () => cancel(child, work.record.id);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await work.ended;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** What caps the parent's run caps what it hands on; calls of the model are counted for each agent alone. */
function limitsLeft({ record, subagents }: ActiveRun): RunLimits {
  const { limits, usage } = record;
  const left = (max: number | null, used: number) =>
    max === null ? null : Math.max(0, max - used);
  return {
    modelCalls: limits.modelCalls,
    seconds: limits.seconds,
    toolCalls: left(limits.toolCalls, usage.toolCalls + subagents.toolCalls),
    tokens: left(limits.tokens, usage.inputTokens + usage.outputTokens + subagents.tokens),
  };
}

function countWork({ subagents }: ActiveRun, work: ActiveRun): void {
  const { inputTokens, outputTokens, toolCalls } = work.record.usage;
  subagents.tokens += inputTokens + outputTokens + work.subagents.tokens;
  subagents.toolCalls += toolCalls + work.subagents.toolCalls;
}

function resultOf(child: Session, { record, answer }: ActiveRun): ToolResult {
  const { error, stopReason, usage } = record;
  const result = {
    output: answer,
    metadata: {
      child_session_id: child.id,
      stop_reason: stopReason,
      input_tokens: usage.inputTokens,
      output_tokens: usage.outputTokens,
    },
  };
  if (error) return { ...result, ok: false, error: `The subagent failed: ${error.message}` };
  if (stopReason === null)
    return { ...result, ok: false, error: "The subagent's work could not be stored" };
  if (stopReason.startsWith("max_"))
    return { ...result, ok: false, error: `The subagent stopped before its end: ${stopReason}` };
  return { ...result, ok: true, output: answer || "The subagent ended without an answer" };
}

/** No wider than its parent, in the same place. */
function childRecord(parent: Session, toolId: ToolContext["callId"]): SessionRecord {
  const { record } = parent;
  const { profile, profileResolved, inlineCredentials, workspace, directory } = record;
  return wholeRecord({
    id: newSessionId(),
    createdAt: Date.now(),
    profile,
    profileResolved,
    inlineCredentials,
    workspace,
    directory,
    // Not the parent's: a child has that of the moment when it was made.
    mode: rootOf(parent).record.mode,
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
