/** Lines that the user types, asked for when they are needed. */
import { closeSync, constants, openSync, readSync } from "node:fs";

export type TerminalLines = {
  /** To be called before a question is shown: what was typed by then is no answer to it. */
  forgetTypedAhead(): void;
  /** Resolves with null where the input has ended; rejects with the signal's reason when it aborts. */
  read(signal: AbortSignal): Promise<string | null>;
};

/** Null where nobody can be asked: the question is on one stream, the answer comes by the other. */
export const terminalLines = (): TerminalLines | null =>
  process.stdin.isTTY && process.stderr.isTTY ? { forgetTypedAhead, read: readLine } : null;

function readLine(signal: AbortSignal): Promise<string | null> {
  const { stdin } = process;
  if (stdin.readableEnded || stdin.destroyed) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const stop = () => {
      stdin.off("data", onData).off("end", onEnd);
      signal.removeEventListener("abort", onAbort);
      stdin.pause();
    };
    const onData = (data: Buffer) => {
      stop();
      resolve(data.toString().split("\n", 1)[0] ?? "");
    };
    const onEnd = () => {
      stop();
      resolve(null);
    };
    const onAbort = () => {
      stop();
      reject(signal.reason);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    stdin.on("data", onData).on("end", onEnd).resume();
  });
}

function forgetTypedAhead(): void {
  let terminal: number | null = null;
  try {
    terminal = openSync("/dev/tty", constants.O_RDONLY | constants.O_NONBLOCK);
    const typed = new Uint8Array(4096);
    while (readSync(terminal, typed) > 0) {}
  } catch {
    // Nothing (more) was typed, or this system has no such file.
  } finally {
    if (terminal !== null) closeSync(terminal);
  }
}
