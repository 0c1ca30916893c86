/** Each change of the store as SQL. */
import type { Write } from "./store.ts";

/** The values of a statement's named parameters. */
export type Row = Record<string, string | number | null>;

/** `self`: the engine that writes. */
export function applyOne(
  change: (sql: string, row: Row) => unknown,
  self: string,
  write: Write,
): void {
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
      change("DELETE FROM documents WHERE session_id = $session", { session });
      change("DELETE FROM checkpoints WHERE session_id = $session", { session });
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
    case "document": {
      const sql = `INSERT INTO documents (session_id, name, text)
        SELECT id, $name, $text FROM sessions WHERE id = $session
        ON CONFLICT (session_id, name) DO UPDATE SET text = excluded.text`;
      change(sql, { session: write.session, name: write.name, text: write.text });
      break;
    }
    case "checkpoint": {
      const { session, record } = write;
      const sql = `INSERT INTO checkpoints (session_id, id, record)
        SELECT id, $id, $record FROM sessions WHERE id = $session
        ON CONFLICT (session_id, id) DO UPDATE SET record = excluded.record`;
      change(sql, { session, id: record.id, record: JSON.stringify(record) });
      break;
    }
    case "delete_checkpoint": {
      const sql = "DELETE FROM checkpoints WHERE session_id = $session AND id = $id";
      change(sql, { session: write.session, id: write.id });
      break;
    }
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
