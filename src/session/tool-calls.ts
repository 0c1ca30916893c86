/** One reply's tool calls, in the model's order: show, ask, run, record. */
import { CANCELLED_BY_USER, EngineError, toEngineError } from "../domain/errors.ts";
import type { ModelToolCall } from "../domain/model.ts";
import {
  failedResult,
  type Plan,
  type Planned,
  type Tool,
  type ToolContext,
  type ToolResult,
} from "../domain/tool.ts";
import { quoted } from "../lib/shown.ts";
import type { CheckedCall, Verdict } from "../permissions/permissions.ts";
import { systemFailure, ToolFailure } from "../tools/failure.ts";
import { keepingNamed } from "./command-changes.ts";
import { readableOutput } from "./readable-output.ts";
import { addMessage, append, type Session } from "./session.ts";

/** Of arguments that a tool does not know. */
const BESIDE_MAX = 16;
const BESIDE_CHARS_MAX = 200;
/** How often a change is worked out, and asked about, anew, since its files changed meanwhile. */
const PLANS_MAX = 3;

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
  const assessment = await session.services.assessor.assess(
    { name: call.name, type, input },
    tool,
    session.record.directory,
  );
  const shown = { tool_id: call.id, tool_name: call.name, tool_type: type, input };
  append(session, { type: "tool_start", ...shown, risk_level: assessment.level });

  if (!checked.ok) return recordResult(session, call, failedResult(checked.error), 0);
  const subject = checked.tool.subject(checked.input);
  const about = { ...shown, assessment, subject, diff: null, paths: [] };
  const watch = new Stopwatch();
  const result = await ruledOrRun(session, checked, about, watch, signal);
  await recordResult(session, call, result, watch.seconds());
}

async function ruledOrRun(
  session: Session,
  checked: Checked,
  about: CheckedCall,
  watch: Stopwatch,
  signal: AbortSignal,
): Promise<ToolResult> {
  const context = contextOf(session, about, signal);
  const { tool, input } = checked;
  try {
    // Working out a change reads files: not for a call that a rule denies anyway.
    const plans = tool.plan && (await session.permissions.blocked(about)) === null;
    const result =
      tool.plan && plans
        ? await change(session, { plan: tool.plan, input }, about, context, watch)
        : await ask(session, about, watch, signal, () => {
            const run = () => tool.run(input, context);
            return tool.type === "terminal" ? keepingNamed(session, about, run) : run();
          });
    return result.metadata?.cancelled ? cancelled(signal, result) : result;
  } catch (caught) {
    return signal.aborted ? cancelled(signal) : failedResult(whyFailed(session, tool, caught));
  }
}

/** Only what was written to be read: anything else may name paths of the engine, and goes to its log. */
function whyFailed({ services, id }: Session, { name }: Tool, caught: unknown): string {
  if (caught instanceof EngineError || caught instanceof ToolFailure) return caught.message;
  services.log.error("a tool failed", { session: id, tool: name, error: caught });
  const reason = systemFailure(caught) ?? "the engine's log says why";
  return `The tool could not be run: ${reason}`;
}

/** What runs is what was shown: where the files changed since, it is worked out and asked about anew. */
async function change(
  session: Session,
  { plan, input }: { plan: NonNullable<Tool["plan"]>; input: Record<string, unknown> },
  about: CheckedCall,
  context: ToolContext,
  watch: Stopwatch,
): Promise<ToolResult> {
  for (let attempt = 1; attempt <= PLANS_MAX; attempt++) {
    const planned = await plan(input, context);
    const { diff, paths } = shownPlan(planned);
    // A change that would fail is asked about like any other: why it fails tells of the file.
    const run = async () => (planned.ok ? planned.plan.apply(context) : planned.result);
    const asked = { ...about, diff, paths };
    const result = await ask(session, asked, watch, context.signal, run);
    if (result !== null) return result;
  }
  return failedResult("The files keep changing while they are edited; read them again");
}

const shownPlan = (planned: Planned): Pick<Plan, "paths"> & { diff: string | null } =>
  planned.ok ? planned.plan : { diff: null, paths: [] };

/** Runs it if it may run. */
async function ask<R extends ToolResult | null>(
  session: Session,
  about: CheckedCall,
  watch: Stopwatch,
  signal: AbortSignal,
  run: () => Promise<R>,
): Promise<R | ToolResult> {
  watch.pause();
  const verdict: Verdict = await session.permissions.check(about, signal);
  watch.resume();
  if (verdict.allowed) return run();
  if (signal.aborted) return cancelled(signal);
  return denied(verdict.reason, verdict.blocked ? { blocked: true } : {});
}

const contextOf = (
  session: Session,
  { tool_id: callId, tool_name }: CheckedCall,
  signal: AbortSignal,
): ToolContext => ({
  callId,
  workspace: session.record.directory,
  // Few tools ask for it, and it reads the rules.
  get closedPaths() {
    return session.permissions.closedPaths(tool_name);
  },
  signal,
  progress(chunk) {
    if (chunk === "" || session.events.closed) return;
    append(session, { type: "tool_output", tool_id: callId, chunk });
  },
  sees: session.model?.model.sees ?? false,
  session: session.forTools,
});

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
  if (tool === null) return { ok: false, error: `Tool '${quoted(call.name)}' not found` };
  if (call.invalidInput !== undefined)
    return {
      ok: false,
      error: `The arguments are no JSON object of at most 1 MiB: ${quoted(call.invalidInput)}`,
    };
  const checked = tool.check(call.input);
  return checked.ok ? { ...checked, tool } : checked;
}

async function recordResult(
  session: Session,
  call: ModelToolCall,
  result: ToolResult,
  seconds: number,
): Promise<void> {
  const error = result.ok ? "" : (result.error ?? "The tool failed");
  const output = await readableOutput(session, call.id, result.output);
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
    ...(result.images ? { images: result.images } : {}),
    ts: Date.now(),
  });
}

const denied = (reason: string, more: { blocked?: true }): ToolResult => ({
  ...failedResult(reason),
  metadata: { permission_denied: true, ...more },
});

/** Says who stopped it; what it had printed stays. */
function cancelled(signal: AbortSignal, result: ToolResult = failedResult("")): ToolResult {
  const { reason } = signal;
  const byUser = reason instanceof EngineError && reason.message === CANCELLED_BY_USER;
  const error = byUser ? "Cancelled by user" : `Stopped: ${toEngineError(reason).message}`;
  return { ...result, error, metadata: { ...result.metadata, cancelled: true } };
}

/** How long a tool worked, without the time a person took to decide. */
class Stopwatch {
  private elapsed = 0;
  private since: number | null = performance.now();

  pause(): void {
    this.elapsed = this.seconds() * 1000;
    this.since = null;
  }

  resume(): void {
    this.since = performance.now();
  }

  seconds(): number {
    const running = this.since === null ? 0 : performance.now() - this.since;
    return (this.elapsed + running) / 1000;
  }
}
