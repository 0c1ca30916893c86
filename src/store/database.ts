/** The SQLite file: opened in its right shape, its log of changes kept short. */
import { Database } from "bun:sqlite";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { EngineError } from "../domain/errors.ts";
import { MIGRATIONS } from "./migrations.ts";

/** How long a statement waits for another process's lock; meanwhile this process stands still. */
const BUSY_TIMEOUT_MS = 2_000;
/** Half of the usual: most writes change little on each of several pages. */
const PAGE_BYTES = 2048;
/**
 * The log of changes (WAL) is moved into the database when it is this long: a little once nothing was
 * written for a moment, more in the middle of writing.
 */
const CHECKPOINT_IDLE_MS = 500;
const CHECKPOINT_IDLE_BYTES = 4 * 1024 * 1024;
const CHECKPOINT_BUSY_BYTES = 96 * 1024 * 1024;
const WRITES_BETWEEN_LOOKS = 256;

/** Throws `unavailable` with the file's name; leaves nothing open and a newer file as it was. */
export function openDatabase(file: string): Database {
  let db: Database | null = null;
  try {
    if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    db = new Database(file, { create: true, strict: true });
    db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    refuseNewer(db);
    if (file !== ":memory:") chmodSync(file, 0o600);
    db.run(`PRAGMA page_size = ${PAGE_BYTES}`);
    db.run("PRAGMA journal_mode = WAL");
    // A commit survives the end of the process at once, and a power cut from the next checkpoint on.
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA wal_autocheckpoint = 0");
    db.run(`PRAGMA journal_size_limit = ${CHECKPOINT_IDLE_BYTES}`);
    migrate(db);
    return db;
  } catch (cause) {
    db?.close();
    throw cannotOpen(file, cause);
  }
}

function cannotOpen(file: string, cause: unknown): EngineError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new EngineError("unavailable", `Cannot open ${file}: ${why}`, { cause });
}

/** Keeps the log of changes short. `onError`: what a try failed with; the next one may do. */
export function checkpoints(db: Database, file: string, onError: (error: unknown) => void) {
  const walBytes = () => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  let idle: Timer | null = null;
  let writes = 0;
  let running = false;
  let stopped = false;

  /**
   * Most of a checkpoint is the wait for the disk to have the log. That is waited for first, beside
   * everything else that goes on, and what is left takes some 10 ms.
   */
  async function run(): Promise<void> {
    if (running || stopped) return;
    running = true;
    try {
      const wal = await open(`${file}-wal`, "r+");
      await wal.datasync().finally(() => wal.close());
      if (!stopped) db.run("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (error) {
      onError(error);
    } finally {
      running = false;
    }
  }

  return {
    written(): void {
      writes += 1;
      if (writes % WRITES_BETWEEN_LOOKS === 0 && walBytes() > CHECKPOINT_BUSY_BYTES) void run();
      idle ??= setTimeout(() => {
        if (walBytes() > CHECKPOINT_IDLE_BYTES) void run();
      }, CHECKPOINT_IDLE_MS).unref();
      idle.refresh();
    },
    stop(): void {
      stopped = true;
      if (idle) clearTimeout(idle);
    },
  };
}

const versionOf = (db: Database): number =>
  db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;

function refuseNewer(db: Database): void {
  const version = versionOf(db);
  if (version > MIGRATIONS.length)
    throw new Error(
      `it was written by a newer kollab-engine (version ${version} of its shape; this one knows ${MIGRATIONS.length}). Use that one, or another --data-dir`,
    );
}

/** Brings the database to this program's shape, one migration a transaction. */
function migrate(db: Database): void {
  const step = db.transaction(() => {
    // Another process may have been faster.
    const at = versionOf(db);
    const sql = MIGRATIONS[at];
    if (sql === undefined) return false;
    db.run(sql);
    db.run(`PRAGMA user_version = ${at + 1}`);
    return true;
  });
  while (step.immediate()) {}
}
