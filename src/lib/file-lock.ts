/**
 * A lock among processes: a file that is there while one of them works, and says which. One that was left
 * behind by a process that is gone is taken over.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { sleep } from "./abort.ts";
import { errorCode } from "./error-code.ts";
import { isAlive, processStart } from "./process-identity.ts";

const WAIT_MS_MAX = 10_000;
const RETRY_MS = 5;
const RETRY_MS_MAX = 50;
/** Who holds it is written right after it is made: an older lock without a holder has lost its writer. */
const UNSIGNED_MS_MAX = 5_000;

/** Runs `work` alone among all that lock this path. Throws when others hold it for too long. */
export async function withFileLock<Result>(
  path: string,
  work: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  await lock(path, signal);
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

async function lock(path: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  for (let waits = 1; ; waits++) {
    signal.throwIfAborted();
    if (create(path)) return;
    if (isAbandoned(path)) takeAway(path);
    if (performance.now() > deadline)
      throw new Error(`${path} is held by another process; delete it if that is not so`);
    // Of different length, so that those who wait do not always meet.
    await sleep((Math.min(RETRY_MS * waits, RETRY_MS_MAX) * (1 + Math.random())) / 2, signal);
  }
}

/** False: it is there already. */
function create(path: string): boolean {
  try {
    const holder = { pid: process.pid, started_at: processStart(process.pid) ?? "unknown" };
    writeFileSync(path, JSON.stringify(holder), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * Removes an abandoned lock. Under a lock of its own: of two that see the same one abandoned, the slower
 * would else remove what the faster has just made.
 */
function takeAway(path: string): void {
  const guard = `${path}.takeover`;
  if (!create(guard)) {
    if (isAbandoned(guard)) rmSync(guard, { force: true });
    return;
  }
  try {
    if (isAbandoned(path)) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

function isAbandoned(path: string): boolean {
  const holder = holderOf(path);
  if (holder === "gone") return false;
  if (holder === "unsigned") return ageMs(path) > UNSIGNED_MS_MAX;
  return !isAlive(holder.pid, holder.started_at);
}

type Holder = { pid: number; started_at: string };

function holderOf(path: string): Holder | "unsigned" | "gone" {
  try {
    const { pid, started_at } = JSON.parse(readFileSync(path, "utf8"));
    return Number.isInteger(pid) && typeof started_at === "string"
      ? { pid, started_at }
      : "unsigned";
  } catch (error) {
    // What is no JSON is being written, or was never finished.
    return errorCode(error) === "ENOENT" ? "gone" : "unsigned";
  }
}

const ageMs = (path: string): number =>
  Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
