/** Has a job done by a process of its own, within a time that holds whatever is searched for. */
import { join } from "node:path";
import { failedResult, type ToolResult } from "../domain/tool.ts";
import { runProcess } from "../lib/process.ts";
import type { ProcessGuard } from "../lib/process-guard.ts";
import { CANCELLED, ToolFailure } from "./failure.ts";
import { type Answer, JOB_VARIABLE, type Job, SEARCH_ARGUMENT } from "./search/job.ts";

/** Then the process is ended: it hangs in one match. */
const TIMEOUT_MS = 5_000;
/** Of that time: what was found until then is the answer. */
const SEARCH_PART = 0.8;
const QUOTED_CHARS_MAX = 500;
/** The system takes no more in one variable. */
const JOB_BYTES_MAX = 128 * 1024 - 256;

/** The executable itself, or the file beside this one where the engine runs from its sources. */
const COMMAND = Bun.isStandaloneExecutable
  ? [process.execPath, SEARCH_ARGUMENT]
  : [process.execPath, join(import.meta.dir, "search", "process.ts")];

/** Throws where the process fails, which is a bug of ours. */
export async function runJob(
  job: Job extends infer Each ? Omit<Each, "deadline"> : never,
  { guard, timeoutMs = TIMEOUT_MS }: { guard: ProcessGuard; timeoutMs?: number },
  signal: AbortSignal,
): Promise<ToolResult> {
  const deadline = Date.now() + timeoutMs * SEARCH_PART;
  const text = JSON.stringify({ ...job, deadline });
  if (Buffer.byteLength(text) > JOB_BYTES_MAX)
    throw new ToolFailure("Too much to search for: make the pattern shorter, or the rules fewer");
  let answered = "";
  const result = await runProcess(
    {
      command: COMMAND,
      // Away from the workspace, whose settings the runtime would read.
      cwd: "/",
      env: { [JOB_VARIABLE]: text },
      timeoutMs,
      guard,
      onOutput: () => {},
      async keep(from, text) {
        if (from === "stdout") answered += text;
      },
    },
    signal,
  );
  if (result.cancelled) return CANCELLED;
  if (result.timedOut)
    throw new ToolFailure(
      `The search was ended after ${timeoutMs / 1000} s. If the pattern has nested or repeated ` +
        "quantifiers, as in (a+)+ or .*.*, make it simpler; else narrow it with path or glob",
    );
  if (result.exitCode !== 0)
    throw new Error(`The search failed: ${result.stderr.slice(-QUOTED_CHARS_MAX)}`);
  return asResult(JSON.parse(answered) as Answer);
}

const asResult = (answer: Answer): ToolResult =>
  answer.ok
    ? { ok: true, output: answer.text, metadata: answer.metadata }
    : failedResult(answer.error);
