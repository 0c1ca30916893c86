/** A command that leads a process group of its own: started, read to its end, and ended with all of the group. */
import { closeSync } from "node:fs";
import { within } from "./abort.ts";
import { openPipe, type Pipe } from "./pipe.ts";
import { killGroup, type ProcessGuard } from "./process-guard.ts";

/** How long what the command left running may hold its output open. */
const LEFTOVERS_MS = 50;
/** Output that is still open after SIGKILL belongs to somebody else. */
const GIVE_UP_MS = 500;
/** A command that writes more than this is read slowly, so that it does not cost a processor. */
const FLOOD_BYTES = 16 * 1024 * 1024;

export type GroupOptions = {
  command: string[];
  cwd: string;
  /** The whole environment; nothing is inherited. */
  env: Record<string, string>;
  /** Ends the command should the engine die first. */
  guard: ProcessGuard;
  /** Whether errors go the way of the output, in the order in which they are printed. */
  merged: boolean;
};

export type ProcessGroup = {
  process: Bun.Subprocess;
  stdout: Output;
  /** null: merged with `stdout`. */
  stderr: Output | null;
  close(): Promise<void>;
};

export type Output = {
  read(): Promise<{ done: boolean; value?: Uint8Array }>;
  cancel(): Promise<void>;
};

export type Ending = "exited" | "timed_out" | "cancelled";

/** Throws where the command cannot be started. */
export async function spawnGroup(options: GroupOptions): Promise<ProcessGroup> {
  const { command, cwd, env, guard, merged } = options;
  const pipes: (Pipe | null)[] = [];
  try {
    pipes.push(await openPipe());
    if (!merged) pipes.push(await openPipe());
    guard.start();
    const [out, err = out] = pipes;
    const child = Bun.spawn({
      cmd: command,
      cwd,
      env,
      stdio: ["ignore", out?.writeEnd ?? "pipe", err?.writeEnd ?? "pipe"],
      detached: true,
    });
    watch(guard, child.pid);
    const stdout = openOutput(out, child.stdout);
    // Without a pipe of ours there is nothing to share.
    const stderr = merged && out ? null : openOutput(err, child.stderr);
    const close = async () => {
      // Those that failed have nothing left to cancel, and say so again.
      await Promise.allSettled([stdout.cancel(), stderr?.cancel()]);
      for (const pipe of pipes) if (pipe) closeSync(pipe.readEnd);
    };
    return { process: child, stdout, stderr, close };
  } catch (error) {
    for (const pipe of pipes) if (pipe) closeSync(pipe.readEnd);
    throw error;
  } finally {
    for (const pipe of pipes) if (pipe) closeSync(pipe.writeEnd);
  }
}

/**
 * Reads to the end and never stops, so that a command is not blocked by a text that nobody keeps.
 * `floodPauseMs`: how long a command that writes without end waits before it is read on.
 */
export async function drain(
  output: Output,
  floodPauseMs: number,
  take: (bytes: Uint8Array) => Promise<void> | void,
): Promise<void> {
  let bytes = 0;
  for (;;) {
    // A read that fails is the end of the output; what came before counts.
    const { value } = await output.read().catch(() => ({ value: undefined }));
    if (!value) return;
    await take(value);
    bytes += value.length;
    if (bytes > FLOOD_BYTES) await Bun.sleep(floodPauseMs);
  }
}

/** Asks for the end when the time is up or the signal aborts, whichever is first. `null`: there is time. */
export function stopRequest(timeoutMs: number | null, signal: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const timer = timeoutMs === null ? undefined : setTimeout(() => resolve("timed_out"), timeoutMs);
  const onAbort = () => resolve("cancelled");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const dispose = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  };
  return { requested: promise, dispose };
}

/**
 * Resolves when the command has ended by itself or was ended on request, and nobody of its group is left.
 * `terminationMs`: from the polite signal to the other one.
 */
export async function endOfGroup(
  { process }: ProcessGroup,
  drained: Promise<unknown>,
  requested: Promise<Ending>,
  terminationMs: number,
): Promise<Ending> {
  const gone = Promise.all([process.exited, drained]);
  const ending = await Promise.race([process.exited.then(() => "exited" as const), requested]);
  if (ending === "exited") {
    await within(LEFTOVERS_MS, drained);
  } else {
    killGroup(process.pid, "SIGTERM");
    await within(terminationMs, gone);
  }
  killGroup(process.pid, "SIGKILL");
  await within(GIVE_UP_MS, gone);
  return ending;
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
