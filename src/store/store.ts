/**
 * What survives a restart: the few verbs the engine needs. `sqlite.ts` meets them with one file;
 * another database can, without a change for callers.
 */
import type { CheckpointRecord } from "../domain/checkpoint.ts";
import type { CheckpointId, RunId, Seq, SessionId } from "../domain/ids.ts";
import type { Message } from "../domain/messages.ts";
import type { RunRecord, SessionRecord } from "../domain/session.ts";

/**
 * Sessions have a log each; the lifecycle of all of them has one more, whose name no session can have.
 * Engines that run side by side have one each.
 */
export type LogId = SessionId | `${typeof LIFECYCLE_LOG}${string}`;
export const LIFECYCLE_LOG = "~engine";

/** Consecutive events as stored: `json[i]` is the event with seq `first + i`. */
export type EventBatch = { first: Seq; json: string[] };

/** Small texts that a session keeps beside its record, whole. */
export type DocumentName = "todo" | "scratchpad";

/** A change. Those given to one `apply` are made in order, all or none. */
export type Write =
  | { kind: "new_session"; record: SessionRecord }
  /** Changes nothing where the session was deleted. */
  | { kind: "session"; record: SessionRecord }
  | { kind: "system_prompt"; session: SessionId; text: string }
  /** With all that is stored of it. */
  | { kind: "delete_session"; session: SessionId }
  | { kind: "run"; record: RunRecord }
  /** `index` counts from 0; an index in use is written over. */
  | { kind: "message"; session: SessionId; index: number; message: Message }
  | { kind: "clear_messages"; session: SessionId }
  /** This and the next change nothing where the session was deleted. */
  | { kind: "document"; session: SessionId; name: DocumentName; text: string }
  /** One with this id is written over, and keeps its place. */
  | { kind: "checkpoint"; session: SessionId; record: CheckpointRecord }
  | { kind: "delete_checkpoint"; session: SessionId; id: CheckpointId }
  | { kind: "events"; log: LogId; batch: EventBatch }
  /**
   * Forgets the events before `before`, but for those stored in one piece with later ones. At least
   * the newest event must stay: it tells where the log goes on.
   */
  | { kind: "trim_events"; log: LogId; before: Seq };

export type StoredSession = {
  record: SessionRecord;
  messageCount: number;
  hasSystemPrompt: boolean;
};
export type LogRange = { first: Seq; last: Seq };

/** An engine process that uses the store. */
export type EngineProcess = { id: string; pid: number; startedAt: string };

export type Store = {
  /** Resolves when the changes are durable; rejects when none was made. */
  apply(writes: readonly Write[]): Promise<void>;

  session(id: SessionId): Promise<StoredSession | null>;
  /** In the order of their creation. */
  sessions(): Promise<StoredSession[]>;
  sessionCount(): Promise<number>;
  systemPrompt(id: SessionId): Promise<string>;
  messages(id: SessionId): Promise<Message[]>;
  document(session: SessionId, name: DocumentName): Promise<string | null>;
  /** Oldest first. */
  checkpoints(session: SessionId): Promise<CheckpointRecord[]>;

  run(session: SessionId, id: RunId): Promise<RunRecord | null>;
  /** Newest first. */
  runs(session: SessionId, limit: number): Promise<RunRecord[]>;
  /** Queued, running or waiting. */
  openRuns(session: SessionId): Promise<RunRecord[]>;
  runByKey(session: SessionId, idempotencyKey: string): Promise<RunRecord | null>;
  /** Sessions with open runs that no living engine owns. */
  abandonedSessions(): Promise<SessionId[]>;

  /** What is kept of a log; `first` is `last + 1` where nothing is. */
  logRange(log: LogId): Promise<LogRange>;
  /** The batches that hold events after `after`, oldest first, a bounded number of them. */
  eventsAfter(log: LogId, after: Seq): Promise<EventBatch[]>;

  /** The lifecycle log of this engine: the one that was left by an engine that has ended, if any. */
  claimLifecycleLog(): Promise<LogId>;

  /**
   * Makes this engine the only one that may write the session, until it releases it or dies.
   * Returns null, or the living engine that has it.
   */
  claim(session: SessionId): Promise<EngineProcess | null>;
  release(session: SessionId): Promise<void>;

  close(): Promise<void>;
};
