/** Runs a command to its end, within limits, and leaves no process of its group behind. */
import { CapturedText } from "./captured-text.ts";
import { LiveText } from "./live-text.ts";
import {
  drain,
  endOfGroup,
  type GroupOptions,
  type Output,
  spawnGroup,
  stopRequest,
} from "./process-group.ts";

/** From the polite signal to the other one. */
const TERMINATION_MS = 2_000;
/** Somebody waits for the end of this command, so that a flood is read fast. */
const FLOOD_PAUSE_MS = 1;

export type ProcessOptions = Omit<GroupOptions, "merged"> & {
  timeoutMs: number;
  /** What it prints, as text, while it runs: in pieces of some size, and not all of a long one. Must not throw. */
  onOutput(text: string): void;
  /** All that it prints, as text, at once. The command is read on when it resolves. Must not reject. */
  keep?(from: OutputName, text: string): Promise<void>;
};

export type OutputName = "stdout" | "stderr";

export type ProcessResult = {
  /** null: a signal ended it, or it could not be ended. */
  exitCode: number | null;
  signal: NodeJS.Signals | number | null;
  timedOut: boolean;
  cancelled: boolean;
  /** Bounded: the middle of a long text is left out, and what is not text is named so. */
  stdout: string;
  stderr: string;
  /** How long both were together. */
  outputLength: number;
  binary: boolean;
  durationMs: number;
};

const NEVER_STARTED: ProcessResult = {
  exitCode: null,
  signal: null,
  timedOut: false,
  cancelled: true,
  stdout: "",
  stderr: "",
  outputLength: 0,
  binary: false,
  durationMs: 0,
};

/** Throws only where the command cannot be started. */
export async function runProcess(
  options: ProcessOptions,
  signal: AbortSignal,
): Promise<ProcessResult> {
  if (signal.aborted) return NEVER_STARTED;
  const startedAt = performance.now();
  const stdout = new CapturedText();
  const stderr = new CapturedText();
  const live = new LiveText(options.onOutput);
  const child = await spawnGroup({ ...options, merged: false });
  const stop = stopRequest(options.timeoutMs, signal);
  const read = async (from: OutputName, output: Output | null, captured: CapturedText) => {
    const pass = async (text: string) => {
      live.add(text);
      await options.keep?.(from, text);
    };
    if (output) await drain(output, FLOOD_PAUSE_MS, (bytes) => pass(captured.add(bytes)));
    await pass(captured.end());
  };
  try {
    const drained = Promise.all([
      read("stdout", child.stdout, stdout),
      read("stderr", child.stderr, stderr),
    ]);
    const ending = await endOfGroup(child, drained, stop.requested, TERMINATION_MS);
    return {
      exitCode: child.process.exitCode,
      signal: child.process.signalCode,
      timedOut: ending === "timed_out",
      cancelled: ending === "cancelled",
      stdout: stdout.text(),
      stderr: stderr.text(),
      outputLength: stdout.length + stderr.length,
      binary: stdout.binary || stderr.binary,
      durationMs: performance.now() - startedAt,
    };
  } finally {
    stop.dispose();
    live.end();
    await child.close();
    options.guard.forget(child.process.pid);
  }
}
