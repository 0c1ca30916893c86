/** One reply's tool calls, in the model's order: show, ask, run, record. */
import { CANCELLED_BY_USER, EngineError, toEngineError } from "../domain/errors.ts";
import type { ModelToolCall } from "../domain/model.ts";
import type { CheckedInput, Tool, ToolResult } from "../domain/tool.ts";
import { assessRisk } from "../permissions/risk.ts";
import { addMessage, append, type Session } from "./session.ts";

/** What of a tool's output reaches the model and the clients. */
const OUTPUT_CHARS_MAX = 100_000;

/**
 * Every call gets a `tool_start`, a `tool_result` and an answer in the conversation, whatever goes
 * wrong in it. Throws only what aborted `signal`; the calls not reached have no answer then.
 */
export async function runToolCalls(
  session: Session,
  calls: readonly ModelToolCall[],
  signal: AbortSignal,
): Promise<void> {
  for (const call of calls) {
    await runToolCall(session, call, signal);
    signal.throwIfAborted();
  }
}

async function runToolCall(session: Session, call: ModelToolCall, signal: AbortSignal) {
  const tool = session.tools.find((each) => each.name === call.name) ?? null;
  const type = tool?.type ?? "mcp_tool";
  const risk = assessRisk({ name: call.name, type, input: call.input }, tool);
  const shown = {
    tool_id: call.id,
    tool_name: call.name,
    tool_type: type,
    input: call.input,
    risk_level: risk.level,
  };
  append(session, { type: "tool_start", ...shown });

  const checked = checkCall(call, tool);
  let result: ToolResult;
  let startedAt = performance.now();
  if (tool === null || !checked.ok) {
    result = failed(checked.ok ? `Tool '${call.name}' not found` : checked.error);
  } else {
    const request = { ...shown, risk_reason: risk.reason };
    const verdict = await session.permissions.check(request, signal);
    startedAt = performance.now();
    if (verdict.allowed) result = await runTool(session, call, tool, checked.input, signal);
    else if (signal.aborted) result = cancelled(signal);
    else result = { ...failed(verdict.reason), metadata: { permission_denied: true } };
  }
  record(session, call, result, (performance.now() - startedAt) / 1000);
}

function checkCall(call: ModelToolCall, tool: Tool | null): CheckedInput {
  if (call.invalidInput !== undefined)
    return {
      ok: false,
      error: `The arguments are no JSON object: ${call.invalidInput.slice(0, 200)}`,
    };
  return tool ? tool.check(call.input) : { ok: true, input: call.input };
}

async function runTool(
  session: Session,
  call: ModelToolCall,
  tool: Tool,
  input: Record<string, unknown>,
  signal: AbortSignal,
): Promise<ToolResult> {
  const progress = (chunk: string) => {
    if (chunk === "" || session.events.closed) return;
    append(session, { type: "tool_output", tool_id: call.id, chunk });
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

function record(session: Session, call: ModelToolCall, result: ToolResult, seconds: number): void {
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
