/**
 * A session's checkpoints as they are stored: records in the database, contents in their folder. Bounded
 * in number and size; the oldest go first. For one piece of work at a time.
 */
import type { CheckpointRecord } from "../domain/checkpoint.ts";
import { EngineError } from "../domain/errors.ts";
import type { EventBody } from "../domain/events.ts";
import { type CheckpointId, newCheckpointId, type RunId, type SessionId } from "../domain/ids.ts";
import type { Log } from "../lib/log.ts";
import type { GroupCommit } from "../store/group-commit.ts";
import type { Store } from "../store/store.ts";
import { KeptFiles } from "./kept-files.ts";

export type RecordServices = {
  session: SessionId;
  /** Absolute path of a folder for the contents alone; made when it is first needed. */
  directory: string;
  store: Pick<Store, "checkpoints">;
  commit: GroupCommit;
  log: Log;
  append(event: EventBody): unknown;
};

export type RecordLimits = {
  /** Of the contents of all checkpoints together. */
  bytes: number;
  checkpoints: number;
};

export class CheckpointRecords {
  readonly kept: KeptFiles;
  /** Oldest first; null until they are first needed. */
  private records: CheckpointRecord[] | null = null;

  constructor(
    private readonly services: RecordServices,
    private readonly limits: RecordLimits,
  ) {
    this.kept = new KeptFiles(services.directory);
  }

  /** Oldest first. */
  async all(): Promise<CheckpointRecord[]> {
    if (this.records) return this.records;
    const { store, session } = this.services;
    const records = await store.checkpoints(session);
    for (const each of records) this.kept.claim(each);
    this.records = records;
    // An engine that was killed may have left contents that no record names.
    await this.tidy(() => this.kept.sweep());
    return records;
  }

  /** Throws `not_found`. */
  async get(id: CheckpointId): Promise<CheckpointRecord> {
    const record = (await this.all()).find((each) => each.id === id);
    if (!record) throw new EngineError("not_found", `Checkpoint '${id}' not found`);
    return record;
  }

  async ofTurn(run: RunId): Promise<CheckpointRecord | null> {
    return (await this.all()).findLast(({ runId }) => runId === run) ?? null;
  }

  /**
   * Stores the record, in the place of one with its id, and in one piece with the events; then lets go of
   * the oldest where there are too many, but not of this one and those that are spared.
   */
  async put(
    record: CheckpointRecord,
    { events = [], spared = [] }: { events?: EventBody[]; spared?: CheckpointId[] } = {},
  ): Promise<void> {
    const records = await this.all();
    const { session, commit, append } = this.services;
    for (const event of events) append(event);
    await commit.write({ kind: "checkpoint", session, record });
    this.kept.claim(record);
    const at = records.findIndex(({ id }) => id === record.id);
    const [replaced] = at < 0 ? [] : records.splice(at, 1, record);
    if (replaced) await this.tidy(() => this.kept.release(replaced));
    else records.push(record);
    await this.trim([record.id, ...spared]);
  }

  async drop(record: CheckpointRecord): Promise<void> {
    const records = await this.all();
    const { session, commit } = this.services;
    await commit.write({ kind: "delete_checkpoint", session, id: record.id });
    records.splice(records.indexOf(record), 1);
    await this.tidy(() => this.kept.release(record));
  }

  private async trim(spared: readonly CheckpointId[]): Promise<void> {
    const records = await this.all();
    while (records.length > this.limits.checkpoints || this.kept.bytes > this.limits.bytes) {
      const oldest = records.find(({ id }) => !spared.includes(id));
      if (!oldest) return;
      await this.drop(oldest);
    }
  }

  /** What cannot be removed takes room, and does no other harm. */
  private async tidy(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { log, session } = this.services;
      log.warn("unused contents could not be removed", { session, error });
    }
  }
}

export const newRecord = (more: Partial<CheckpointRecord>): CheckpointRecord => ({
  id: newCheckpointId(),
  kind: "turn",
  runId: null,
  restores: null,
  createdAt: Date.now(),
  files: [],
  leftOut: 0,
  commands: 0,
  ...more,
});
