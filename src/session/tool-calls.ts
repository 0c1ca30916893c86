/** One reply's tool calls, in the model's order: show, ask, run, record. */
import { CANCELLED_BY_USER, EngineError, toEngineError } from "../domain/errors.ts";
import type { ToolCallId } from "../domain/ids.ts";
import type { ModelToolCall } from "../domain/model.ts";
import type { Tool, ToolResult } from "../domain/tool.ts";
import { assessRisk } from "../permissions/risk.ts";
import { addMessage, append, type Session } from "./session.ts";

/** What of a tool's output reaches the model and the clients. */
const OUTPUT_CHARS_MAX = 100_000;

/** Of arguments that a tool does not know. */
const BESIDE_MAX = 16;
const BESIDE_CHARS_MAX = 200;

/**
 * Every call gets a `tool_start`, a `tool_result` and an answer in the conversation, whatever goes
 * wrong in it. Throws what aborted `signal`, or that the log is closed; calls not reached have no answer then.
 */
export async function runToolCalls(
  session: Session,
  calls: readonly ModelToolCall[],
  signal: AbortSignal,
): Promise<void> {
  for (const call of calls) {
    await runToolCall(session, call, signal);
    signal.throwIfAborted();
    // Calls that need no time would else pile up their events.
    if (session.events.full) await session.events.flushed();
  }
}

async function runToolCall(session: Session, call: ModelToolCall, signal: AbortSignal) {
  const tool = session.tools.find((each) => each.name === call.name) ?? null;
  const checked = checkCall(call, tool);
  const input = checked.ok ? shownInput(checked.input, call.input) : call.input;
  const type = tool?.type ?? "mcp_tool";
  const risk = assessRisk({ name: call.name, type, input }, tool);
  const shown = {
    tool_id: call.id,
    tool_name: call.name,
    tool_type: type,
    input,
    risk_level: risk.level,
  };
  append(session, { type: "tool_start", ...shown });

  let startedAt = performance.now();
  let result: ToolResult;
  if (checked.ok) {
    const verdict = await session.permissions.check({ ...shown, risk_reason: risk.reason }, signal);
    startedAt = performance.now();
    if (verdict.allowed) result = await runTool(session, call.id, checked, signal);
    else if (signal.aborted) result = cancelled(signal);
    else result = { ...failed(verdict.reason), metadata: { permission_denied: true } };
  } else {
    result = failed(checked.error);
  }
  recordResult(session, call, result, (performance.now() - startedAt) / 1000);
}

/**
 * What people are shown and what is judged: what runs, first; then what the model wrote beside it, as
 * far as that cannot pass for anything else.
 */
function shownInput(runs: Record<string, unknown>, written: Record<string, unknown>) {
  const beside = Object.entries(written).filter(
    ([name, value]) =>
      /^[A-Za-z_]\w{0,63}$/.test(name) && JSON.stringify(value).length <= BESIDE_CHARS_MAX,
  );
  return { ...runs, ...Object.fromEntries(beside.slice(0, BESIDE_MAX)), ...runs };
}

type Checked = { ok: true; tool: Tool; input: Record<string, unknown> };

function checkCall(call: ModelToolCall, tool: Tool | null): Checked | { ok: false; error: string } {
  if (tool === null) return { ok: false, error: `Tool '${call.name}' not found` };
  if (call.invalidInput !== undefined)
    return {
      ok: false,
      error: `The arguments are no JSON object: ${call.invalidInput.slice(0, 200)}`,
    };
  const checked = tool.check(call.input);
  return checked.ok ? { ...checked, tool } : checked;
}

async function runTool(
  session: Session,
  id: ToolCallId,
  { tool, input }: Checked,
  signal: AbortSignal,
): Promise<ToolResult> {
  const progress = (chunk: string) => {
    if (chunk === "" || session.events.closed) return;
    append(session, { type: "tool_output", tool_id: id, chunk });
  };
  try {
    const result = await tool.run(input, {
      workspace: session.record.directory,
      signal,
      progress,
    });
    return result.metadata?.cancelled ? cancelled(signal, result) : result;
  } catch (caught) {
    return signal.aborted ? cancelled(signal) : failed(toEngineError(caught).message);
  }
}

function recordResult(
  session: Session,
  call: ModelToolCall,
  result: ToolResult,
  seconds: number,
): void {
  const error = result.ok ? "" : (result.error ?? "The tool failed");
  const output = capped(result.output);
  append(session, {
    type: "tool_result",
    tool_id: call.id,
    tool_name: call.name,
    success: result.ok,
    output: output || error,
    error,
    execution_time: seconds,
    metadata: result.metadata ?? {},
  });
  const failure = output === "" || output === error ? "" : `\n${output}`;
  addMessage(session, {
    role: "tool",
    callId: call.id,
    output: result.ok ? output : `Error: ${error}${failure}`,
    isError: !result.ok,
    ts: Date.now(),
  });
}

const failed = (error: string): ToolResult => ({ ok: false, output: "", error });

/** Says who stopped it; what it had printed stays. */
function cancelled(signal: AbortSignal, result: ToolResult = failed("")): ToolResult {
  const { reason } = signal;
  const byUser = reason instanceof EngineError && reason.message === CANCELLED_BY_USER;
  const error = byUser ? "Cancelled by user" : `Stopped: ${toEngineError(reason).message}`;
  return { ...result, error, metadata: { ...result.metadata, cancelled: true } };
}

function capped(output: string): string {
  if (output.length <= OUTPUT_CHARS_MAX) return output;
  const left = output.length - OUTPUT_CHARS_MAX;
  return `${output.slice(0, OUTPUT_CHARS_MAX)}\n[${left} more characters left out]`;
}
