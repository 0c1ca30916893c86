/** The SQLite file: opened in its right shape, its log of changes kept short. */
import { Database } from "bun:sqlite";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "../domain/errors.ts";
import { MIGRATIONS } from "./migrations.ts";

/** How long a statement waits for another process's lock; meanwhile this process stands still. */
const BUSY_TIMEOUT_MS = 2_000;
/**
 * Moving the log of changes (WAL) into the database waits for the disk, so it is done while nothing is
 * written, and in the middle of writing only where the log has become this long.
 */
const CHECKPOINT_IDLE_MS = 500;
const CHECKPOINT_IDLE_BYTES = 4 * 1024 * 1024;
const WAL_BYTES_MAX = 128 * 1024 * 1024;
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

/** Keeps the log of changes short. */
export function checkpoints(db: Database, file: string) {
  const walBytes = () => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const run = () => db.run("PRAGMA wal_checkpoint(PASSIVE)");
  let idle: Timer | null = null;
  let writes = 0;
  return {
    written() {
      writes += 1;
      if (writes % WRITES_BETWEEN_LOOKS === 0 && walBytes() > WAL_BYTES_MAX) run();
      if (idle) idle.refresh();
      else
        idle = setTimeout(() => {
          if (walBytes() > CHECKPOINT_IDLE_BYTES) run();
        }, CHECKPOINT_IDLE_MS).unref();
    },
    stop() {
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
