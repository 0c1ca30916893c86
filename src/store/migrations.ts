/** Numbered changes of the database's shape. One that has shipped is never edited. */

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE engines (
    id TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    lifecycle_log TEXT
  );
  CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL,
    system_prompt TEXT NOT NULL DEFAULT '',
    owner TEXT
  );
  -- Ids of runs ascend with time.
  CREATE TABLE runs (
    session_id TEXT NOT NULL,
    id TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    idempotency_key TEXT,
    record TEXT NOT NULL,
    PRIMARY KEY (session_id, id)
  ) WITHOUT ROWID;
  CREATE INDEX runs_open ON runs (session_id) WHERE is_open = 1;
  CREATE UNIQUE INDEX runs_by_key ON runs (session_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE TABLE messages (
    session_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (session_id, position)
  ) WITHOUT ROWID;
  -- With a rowid: what many sessions write at once lies side by side.
  CREATE TABLE events (
    log TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (log, first)
  );
  `,
  `
  CREATE TABLE documents (
    session_id TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (session_id, name)
  ) WITHOUT ROWID;
  -- Numbered in the order of their creation.
  CREATE TABLE checkpoints (
    number INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (session_id, id)
  );
  `,
];
