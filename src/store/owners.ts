/** Which engine has which session, so that two engines on one home never write the same one. */
import type { Database } from "bun:sqlite";
import type { SessionId } from "../domain/ids.ts";
import { isAlive, processStart } from "../lib/process-identity.ts";
import { randomHex } from "../lib/random.ts";
import { type EngineProcess, LIFECYCLE_LOG, type LogId } from "./store.ts";
import type { Row } from "./writes.ts";

/** Enters this engine; it is there until it leaves or its process ends. */
export function registerEngine(db: Database) {
  const self: EngineProcess = {
    id: randomHex(8),
    pid: process.pid,
    startedAt: processStart(process.pid) ?? "unknown",
  };
  const change = (sql: string, row: Row) => db.query(sql).run(row);
  change("INSERT INTO engines (id, pid, started_at) VALUES ($id, $pid, $startedAt)", self);

  /** The other engine that has the session and lives. A dead one's traces are removed. */
  function livingOwner(session: SessionId): EngineProcess | null {
    const owner = db
      .query<EngineProcess, Row>(
        `SELECT e.id, e.pid, e.started_at AS startedAt
         FROM sessions s JOIN engines e ON e.id = s.owner WHERE s.id = $session`,
      )
      .get({ session });
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
    const engines = db
      .query<EngineProcess & { log: string | null }, []>(
        "SELECT id, pid, started_at AS startedAt, lifecycle_log AS log FROM engines",
      )
      .all();
    const living = engines.filter(({ pid, startedAt }) => isAlive(pid, startedAt));
    const taken = new Set(living.map((engine) => engine.log));
    let log: LogId = LIFECYCLE_LOG;
    for (let number = 2; taken.has(log); number++) log = `${LIFECYCLE_LOG}-${number}`;
    change("UPDATE engines SET lifecycle_log = $log WHERE id = $id", { log, id: self.id });
    return log;
  });

  return {
    self: self.id,
    livingOwner,
    claim: (session: SessionId) => claim.immediate(session),
    claimLifecycleLog: () => claimLifecycleLog.immediate(),
    release(session: SessionId): void {
      const sql = "UPDATE sessions SET owner = NULL WHERE id = $session AND owner = $self";
      change(sql, { session, self: self.id });
    },
    leave(): void {
      change("UPDATE sessions SET owner = NULL WHERE owner = $self", { self: self.id });
      change("DELETE FROM engines WHERE id = $self", { self: self.id });
    },
  };
}
