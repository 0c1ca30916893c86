/** The store in one SQLite file (WAL), or in memory for tests. All SQL of the engine stands here. */
import { Database } from "bun:sqlite";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "../domain/errors.ts";
import type { Seq, SessionId } from "../domain/ids.ts";
import type { Message } from "../domain/messages.ts";
import type { RunRecord, SessionRecord } from "../domain/session.ts";
import { isAlive, processStart } from "../lib/process-identity.ts";
import { randomHex } from "../lib/random.ts";
import { MIGRATIONS } from "./migrations.ts";
import {
  type EngineProcess,
  LIFECYCLE_LOG,
  type LogId,
  type Store,
  type StoredSession,
  type Write,
} from "./store.ts";

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
/** Rows of events read at a time; a row holds what one tick of the event loop wrote. */
const BATCHES_MAX = 64;

type Row = Record<string, string | number | null>;

/** `file`: a path whose folder is made if need be, or `:memory:`. */
export function openSqlite(file: string): Store {
  const db = openDatabase(file);
  const self: EngineProcess = {
    id: randomHex(8),
    pid: process.pid,
    startedAt: processStart(process.pid) ?? "unknown",
  };
  const all = <T>(sql: string, row: Row = {}): T[] => db.query<T, Row>(sql).all(row);
  const first = <T>(sql: string, row: Row = {}): T | null => db.query<T, Row>(sql).get(row);
  const change = (sql: string, row: Row = {}) => db.query(sql).run(row);
  change("INSERT INTO engines (id, pid, started_at) VALUES ($id, $pid, $startedAt)", self);

  /** The engine that owns the session and lives. A dead one's traces are removed. */
  function livingOwner(session: SessionId): EngineProcess | null {
    const owner = first<EngineProcess>(
      `SELECT e.id, e.pid, e.started_at AS startedAt FROM sessions s JOIN engines e ON e.id = s.owner
       WHERE s.id = $session`,
      { session },
    );
    if (owner === null || owner.id === self.id) return null;
    if (isAlive(owner.pid, owner.startedAt)) return owner;
    change("DELETE FROM engines WHERE id = $id", { id: owner.id });
    return null;
  }

  const claim = db.transaction((session: SessionId) => {
    const owner = livingOwner(session);
    if (owner === null)
      change("UPDATE sessions SET owner = $self WHERE id = $session", { self: self.id, session });
    return owner;
  });

  const claimLifecycleLog = db.transaction((): LogId => {
    const taken = new Set(
      all<EngineProcess & { log: string | null }>(
        "SELECT id, pid, started_at AS startedAt, lifecycle_log AS log FROM engines",
      )
        .filter(({ pid, startedAt }) => isAlive(pid, startedAt))
        .map(({ log }) => log),
    );
    let log: LogId = LIFECYCLE_LOG;
    for (let number = 2; taken.has(log); number++) log = `${LIFECYCLE_LOG}-${number}`;
    change("UPDATE engines SET lifecycle_log = $log WHERE id = $id", { log, id: self.id });
    return log;
  });

  const applyAll = db.transaction((writes: readonly Write[]) => {
    for (const write of writes) applyOne(change, self.id, write);
  });

  const checkpoint = checkpoints(db, file);

  return {
    async apply(writes) {
      applyAll(writes);
      checkpoint.written();
    },
    async session(id) {
      const row = first<SessionRow>(`${SESSION_SQL} WHERE id = $id`, { id });
      return row && readSession(row);
    },
    async sessions() {
      return all<SessionRow>(`${SESSION_SQL} ORDER BY number`).map(readSession);
    },
    async sessionCount() {
      return first<{ count: number }>("SELECT count(*) AS count FROM sessions")?.count ?? 0;
    },
    async systemPrompt(id) {
      const row = first<{ text: string }>(
        "SELECT system_prompt AS text FROM sessions WHERE id = $id",
        { id },
      );
      return row?.text ?? "";
    },
    async messages(session) {
      return all<{ message: string }>(
        "SELECT message FROM messages WHERE session_id = $session ORDER BY position",
        { session },
      ).map((row): Message => JSON.parse(row.message));
    },
    async run(session, id) {
      const sql = "SELECT record FROM runs WHERE session_id = $session AND id = $id";
      return readRun(first<RunRow>(sql, { session, id }));
    },
    async runs(session, limit) {
      return all<RunRow>(
        "SELECT record FROM runs WHERE session_id = $session ORDER BY id DESC LIMIT $limit",
        { session, limit },
      ).map((row): RunRecord => JSON.parse(row.record));
    },
    async openRuns(session) {
      return all<RunRow>(
        "SELECT record FROM runs WHERE session_id = $session AND is_open = 1 ORDER BY id",
        { session },
      ).map((row): RunRecord => JSON.parse(row.record));
    },
    async runByKey(session, key) {
      const sql = "SELECT record FROM runs WHERE session_id = $session AND idempotency_key = $key";
      return readRun(first<RunRow>(sql, { session, key }));
    },
    async abandonedSessions() {
      const sql = "SELECT DISTINCT session_id AS id FROM runs WHERE is_open = 1";
      return all<{ id: SessionId }>(sql)
        .map((row) => row.id)
        .filter((id) => livingOwner(id) === null);
    },
    async logRange(log) {
      const end = (order: "ASC" | "DESC") =>
        first<{ first: Seq; last: Seq }>(
          `SELECT first, last FROM events WHERE log = $log ORDER BY first ${order} LIMIT 1`,
          { log },
        );
      return { first: end("ASC")?.first ?? 1, last: end("DESC")?.last ?? 0 };
    },
    async eventsAfter(log, after) {
      return all<{ first: Seq; lines: string }>(
        `SELECT first, lines FROM events WHERE log = $log AND last > $after AND first >= coalesce(
           (SELECT max(first) FROM events WHERE log = $log AND first <= $after + 1), 0)
         ORDER BY first LIMIT ${BATCHES_MAX}`,
        { log, after },
      ).map((row) => ({ first: row.first, json: row.lines.split("\n") }));
    },
    async claimLifecycleLog() {
      return claimLifecycleLog.immediate();
    },
    async claim(session) {
      return claim.immediate(session);
    },
    async release(session) {
      const sql = "UPDATE sessions SET owner = NULL WHERE id = $session AND owner = $self";
      change(sql, { session, self: self.id });
    },
    async close() {
      change("UPDATE sessions SET owner = NULL WHERE owner = $self", { self: self.id });
      change("DELETE FROM engines WHERE id = $self", { self: self.id });
      checkpoint.stop();
      db.close();
    },
  };
}

function applyOne(change: (sql: string, row: Row) => unknown, self: string, write: Write): void {
  switch (write.kind) {
    case "new_session": {
      const sql = "INSERT INTO sessions (id, record, owner) VALUES ($id, $record, $self)";
      change(sql, { id: write.record.id, record: JSON.stringify(write.record), self });
      break;
    }
    case "session": {
      const sql = "UPDATE sessions SET record = $record WHERE id = $id";
      change(sql, { id: write.record.id, record: JSON.stringify(write.record) });
      break;
    }
    case "system_prompt": {
      const sql = "UPDATE sessions SET system_prompt = $text WHERE id = $session";
      change(sql, { text: write.text, session: write.session });
      break;
    }
    case "delete_session": {
      const { session } = write;
      change("DELETE FROM events WHERE log = $session", { session });
      change("DELETE FROM messages WHERE session_id = $session", { session });
      change("DELETE FROM runs WHERE session_id = $session", { session });
      change("DELETE FROM sessions WHERE id = $session", { session });
      break;
    }
    case "run": {
      const { record } = write;
      const sql = `INSERT INTO runs (id, session_id, is_open, idempotency_key, record)
        VALUES ($id, $session, $open, $key, $record)
        ON CONFLICT (session_id, id) DO UPDATE SET is_open = excluded.is_open, record = excluded.record`;
      change(sql, {
        id: record.id,
        session: record.sessionId,
        open: record.state === "queued" || record.state === "running" ? 1 : 0,
        key: record.idempotencyKey,
        record: JSON.stringify(record),
      });
      break;
    }
    case "message": {
      const sql = `INSERT OR REPLACE INTO messages (session_id, position, message)
        VALUES ($session, $index, $message)`;
      const { session, index, message } = write;
      change(sql, { session, index, message: JSON.stringify(message) });
      break;
    }
    case "clear_messages":
      change("DELETE FROM messages WHERE session_id = $session", { session: write.session });
      break;
    case "events": {
      const { first, json } = write.batch;
      const sql =
        "INSERT INTO events (log, first, last, lines) VALUES ($log, $first, $last, $lines)";
      const last = first + json.length - 1;
      change(sql, { log: write.log, first, last, lines: json.join("\n") });
      break;
    }
    case "trim_events": {
      const sql = "DELETE FROM events WHERE log = $log AND last < $before";
      change(sql, { log: write.log, before: write.before });
      break;
    }
    default:
      write satisfies never;
  }
}

type SessionRow = { record: string; messageCount: number; hasSystemPrompt: number };
const SESSION_SQL = `SELECT record, system_prompt <> '' AS hasSystemPrompt, coalesce(
  (SELECT max(position) + 1 FROM messages WHERE session_id = sessions.id), 0) AS messageCount
  FROM sessions`;

const readSession = (row: SessionRow): StoredSession => ({
  record: JSON.parse(row.record) as SessionRecord,
  messageCount: row.messageCount,
  hasSystemPrompt: row.hasSystemPrompt === 1,
});

type RunRow = { record: string };
const readRun = (row: RunRow | null): RunRecord | null => row && JSON.parse(row.record);

/** Throws `unavailable` with the file's name; leaves nothing open and a newer file as it was. */
function openDatabase(file: string): Database {
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
function checkpoints(db: Database, file: string) {
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
