/** The store in one SQLite file (WAL), or in memory for tests. The queries; what changes it is in `writes.ts`. */
import type { CheckpointRecord } from "../domain/checkpoint.ts";
import type { Seq, SessionId } from "../domain/ids.ts";
import type { Message } from "../domain/messages.ts";
import { type RunRecord, wholeRecord } from "../domain/session.ts";
import { checkpoints, openDatabase } from "./database.ts";
import { registerEngine } from "./owners.ts";
import type { Store, StoredSession, Write } from "./store.ts";
import { applyOne, type Row } from "./writes.ts";

/** Rows of events read at a time; a row holds what one tick of the event loop wrote. */
const BATCHES_MAX = 64;

/** `file`: a path whose folder is made if need be, or `:memory:`. `onError`: of work beside the calls. */
export function openSqlite(file: string, onError: (error: unknown) => void = () => {}): Store {
  const db = openDatabase(file);
  const owners = registerEngine(db);
  const all = <T>(sql: string, row: Row = {}): T[] => db.query<T, Row>(sql).all(row);
  const first = <T>(sql: string, row: Row = {}): T | null => db.query<T, Row>(sql).get(row);
  const change = (sql: string, row: Row = {}) => db.query(sql).run(row);

  const applyAll = db.transaction((writes: readonly Write[]) => {
    for (const write of writes) applyOne(change, owners.self, write);
  });

  const checkpoint = checkpoints(db, file, onError);

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
    async document(session, name) {
      const sql = "SELECT text FROM documents WHERE session_id = $session AND name = $name";
      return first<{ text: string }>(sql, { session, name })?.text ?? null;
    },
    async checkpoints(session) {
      return all<{ record: string }>(
        "SELECT record FROM checkpoints WHERE session_id = $session ORDER BY number",
        { session },
      ).map((row): CheckpointRecord => JSON.parse(row.record));
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
        .filter((id) => owners.livingOwner(id) === null);
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
      return owners.claimLifecycleLog();
    },
    async claim(session) {
      return owners.claim(session);
    },
    async release(session) {
      owners.release(session);
    },
    async close() {
      owners.leave();
      checkpoint.stop();
      db.close();
    },
  };
}

type SessionRow = { record: string; messageCount: number; hasSystemPrompt: number };
const SESSION_SQL = `SELECT record, system_prompt <> '' AS hasSystemPrompt, coalesce(
  (SELECT max(position) + 1 FROM messages WHERE session_id = sessions.id), 0) AS messageCount
  FROM sessions`;

const readSession = (row: SessionRow): StoredSession => ({
  record: wholeRecord(JSON.parse(row.record)),
  messageCount: row.messageCount,
  hasSystemPrompt: row.hasSystemPrompt === 1,
});

type RunRow = { record: string };
const readRun = (row: RunRow | null): RunRecord | null => row && JSON.parse(row.record);
