/** Runs a command in a process group of its own, within limits, and leaves no process of the group behind. */
import { closeSync } from "node:fs";
import { within } from "./abort.ts";
import { CapturedText } from "./captured-text.ts";
import { LiveText } from "./live-text.ts";
import { openPipe, type Pipe } from "./pipe.ts";
import { killGroup, type ProcessGuard } from "./process-guard.ts";

/** From the polite signal to the other one. */
const TERMINATION_MS = 2_000;
/** How long what the command left running may hold its output open. */
const LEFTOVERS_MS = 50;
/** Output that is still open after SIGKILL belongs to somebody else. */
const GIVE_UP_MS = 500;
/** A command that writes more than this is read slowly, so that it does not cost a processor. */
const FLOOD_BYTES = 16 * 1024 * 1024;
const FLOOD_PAUSE_MS = 1;

export type ProcessOptions = {
  command: string[];
  cwd: string;
  /** The whole environment; nothing is inherited. */
  env: Record<string, string>;
  timeoutMs: number;
  /** Ends the command should the engine die first. */
  guard: ProcessGuard;
  /** What it prints, as text, while it runs. Must not throw. */
  onOutput(text: string): void;
};

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

type Ending = "exited" | "timed_out" | "cancelled";

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
  const child = await spawnGroup(options);
  const stop = stopRequest(options.timeoutMs, signal);
  try {
    const drained = Promise.all([
      drain(child.stdout, stdout, live),
      drain(child.stderr, stderr, live),
    ]);
    const gone = Promise.all([child.process.exited, drained]);
    const ending: Ending = await Promise.race([
      child.process.exited.then(() => "exited" as const),
      stop.requested,
    ]);
    if (ending === "exited") {
      await within(LEFTOVERS_MS, drained);
    } else {
      killGroup(child.process.pid, "SIGTERM");
      await within(TERMINATION_MS, gone);
    }
    killGroup(child.process.pid, "SIGKILL");
    await within(GIVE_UP_MS, gone);
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

type Output = {
  read(): Promise<{ done: boolean; value?: Uint8Array }>;
  cancel(): Promise<void>;
};

/** The command, leading a process group and session of its own, and what it prints. */
async function spawnGroup({ command, cwd, env, guard }: ProcessOptions) {
  const pipes: (Pipe | null)[] = [];
  try {
    pipes.push(await openPipe());
    pipes.push(await openPipe());
    guard.start();
    const [out, err] = pipes;
    const child = Bun.spawn({
      cmd: command,
      cwd,
      env,
      stdio: ["ignore", out?.writeEnd ?? "pipe", err?.writeEnd ?? "pipe"],
      detached: true,
    });
    watch(guard, child.pid);
    const outputs = [openOutput(out, child.stdout), openOutput(err, child.stderr)] as const;
    const close = async () => {
      // Those that failed have nothing left to cancel, and say so again.
      await Promise.allSettled(outputs.map((output) => output.cancel()));
      for (const pipe of pipes) if (pipe) closeSync(pipe.readEnd);
    };
    return { process: child, stdout: outputs[0], stderr: outputs[1], close };
  } catch (error) {
    for (const pipe of pipes) if (pipe) closeSync(pipe.readEnd);
    throw error;
  } finally {
    for (const pipe of pipes) if (pipe) closeSync(pipe.writeEnd);
  }
}

/** A command that cannot be watched does not run. */
function watch(guard: ProcessGuard, group: number): void {
  try {
    guard.watch(group);
  } catch (error) {
    killGroup(group, "SIGKILL");
    guard.forget(group);
    throw error;
  }
}

function openOutput(pipe: Pipe | null | undefined, stream: unknown): Output {
  const output = pipe ? Bun.file(pipe.readEnd).stream() : stream;
  return (output as ReadableStream<Uint8Array>).getReader();
}

/** Reads to the end and never stops, so that a command is not blocked by a text that nobody keeps. */
async function drain(output: Output, text: CapturedText, live: LiveText): Promise<void> {
  for (;;) {
    // A read that fails is the end of the output; what came before counts.
    const { value } = await output.read().catch(() => ({ value: undefined }));
    if (!value) break;
    live.add(text.add(value));
    if (text.bytes > FLOOD_BYTES) await Bun.sleep(FLOOD_PAUSE_MS);
  }
  live.add(text.end());
}

/** Asks for the end when the time is up or the signal aborts, whichever is first. */
function stopRequest(timeoutMs: number, signal: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const timer = setTimeout(() => resolve("timed_out"), timeoutMs);
  const onAbort = () => resolve("cancelled");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const dispose = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  };
  return { requested: promise, dispose };
}
