/**
 * A session's undo: what each turn's files were before it changed them, to be looked at and brought back.
 * Nothing here needs git, or touches it.
 */
import { relative, resolve } from "node:path";
import { type CheckpointRecord, type KeptFile, meantFirst } from "../domain/checkpoint.ts";
import { EngineError } from "../domain/errors.ts";
import type { EventBody } from "../domain/events.ts";
import type { FileChange } from "../domain/file-change.ts";
import type { CheckpointId, RunId } from "../domain/ids.ts";
import { readState, unifiedDiff } from "../tools/file-changes.ts";
import type { Area } from "../tools/workspace.ts";
import {
  CheckpointRecords,
  newRecord,
  type RecordLimits,
  type RecordServices,
} from "./checkpoint-records.ts";
import { type CheckpointSummary, summaryOf } from "./checkpoint-summary.ts";
import { keepChanges, type StateBefore } from "./keep-changes.ts";
import { makeRestore, refusalOf } from "./restore.ts";
import { isMadeDirectory, planRestore } from "./restore-plan.ts";

const MEGABYTE = 1024 * 1024;

export type CheckpointLimits = RecordLimits & {
  /** Of one checkpoint. */
  checkpointBytes: number;
  files: number;
};
const LIMITS: CheckpointLimits = {
  bytes: 512 * MEGABYTE,
  checkpoints: 200,
  checkpointBytes: 128 * MEGABYTE,
  files: 1_000,
};
const DIFF_CHARS_MAX = 400_000;
/** In an event. */
const FILES_NAMED_MAX = 50;

export type CheckpointServices = RecordServices & { area: Area; limits?: CheckpointLimits };

export type RestoreWish = {
  /** Relative to the workspace; null: all. */
  files: readonly string[] | null;
  /** Also over what has changed since, where it cannot be undone, and without what cannot be brought back. */
  force: boolean;
};

/** Paths relative to the workspace. `checkpoint` undoes it; null where there was nothing to do. */
export type Restored = {
  restored: string[];
  unchanged: string[];
  /** Where it was forced: what cannot be brought back all the same. */
  leftOut: string[];
  checkpoint: CheckpointId | null;
};

/** What is there, not what whoever wants the change believes: it may have changed meanwhile. */
const onDisk: StateBefore = ({ path }) => readState(path);

export class Checkpoints {
  private readonly records: CheckpointRecords;
  private readonly limits: CheckpointLimits;
  /** Of the newest turn, which may have no checkpoint. */
  private commands: { run: RunId; count: number } | null = null;
  private working: Promise<unknown> = Promise.resolve();

  constructor(private readonly services: CheckpointServices) {
    this.limits = services.limits ?? LIMITS;
    this.records = new CheckpointRecords(services, this.limits);
  }

  /**
   * To be awaited before a turn makes the changes. When it resolves, what is there now survives the end of
   * this process. Rejects where that cannot be had: the changes are not to be made then.
   */
  changing(run: RunId, changes: readonly FileChange[]): Promise<void> {
    return this.ofTurn(run, changes, onDisk);
  }

  /** The same of changes that were made already: what was there before is as they say. */
  changed(run: RunId, changes: readonly FileChange[]): Promise<void> {
    return this.ofTurn(run, changes, ({ before }) => before);
  }

  private ofTurn(
    run: RunId,
    changes: readonly FileChange[],
    stateBefore: StateBefore,
  ): Promise<void> {
    return this.alone(async () => {
      const known = await this.records.ofTurn(run);
      const record = known ?? newRecord({ runId: run, commands: this.commandsOf(run) });
      const { next, skipped } = await this.keep(record, changes, stateBefore);
      const announced = known ? [] : [this.announcement(record, changes)];
      await this.records.put(next, { events: [...announced, ...skipped] });
    });
  }

  /** A shell command ran in the turn: what it changed is not covered, and clients can say so. */
  noteCommand(run: RunId): Promise<void> {
    return this.alone(async () => {
      this.commands = { run, count: this.commandsOf(run) + 1 };
      const known = await this.records.ofTurn(run);
      if (known) await this.records.put({ ...known, commands: known.commands + 1 });
    });
  }

  /** Newest first. */
  list(): Promise<CheckpointSummary[]> {
    return this.alone(async () => {
      const all = await this.records.all();
      return all.map((each) => summaryOf(each, all, this.shown)).reverse();
    });
  }

  /**
   * Unified diff of these paths, or of what the turn changed without what only came along; bounded.
   * Throws `not_found`.
   */
  diff(id: CheckpointId, paths: readonly string[] | null = null): Promise<string> {
    return this.alone(async () => {
      const selected = this.select(await this.records.get(id), paths);
      const files = paths === null ? meantFirst(selected) : selected;
      const { kept } = this.records;
      let diff = "";
      for (const [at, file] of files.entries()) {
        if (diff.length >= DIFF_CHARS_MAX)
          return `${diff}[… ${files.length - at} more files; ask for them by their paths …]\n`;
        const before = await kept.load(file.before);
        const after = await kept.load(file.after);
        diff += await unifiedDiff(
          [{ path: file.path, before, after }],
          this.services.area.workspace,
        );
      }
      return diff;
    });
  }

  /**
   * Brings files back to what they were before the turn: all that are meant, or none; all that can be, where
   * it is forced. Throws `not_found`, and `conflict` with each file that stands against it.
   */
  restore(id: CheckpointId, { files, force }: RestoreWish): Promise<Restored> {
    return this.alone(async () => {
      const source = await this.records.get(id);
      const all = await this.records.all();
      const { changes, ...plan } = await planRestore(this.select(source, files), {
        area: this.services.area,
        force,
        kept: this.records.kept,
        changedBy: (path) => laterWith(path, all, source),
      });
      const isPossible = force && changes.length > 0;
      if (plan.refused.length > 0 && !isPossible) throw refusalOf(plan.refused, this.shown);
      const restored = changes.map(({ path }) => this.shown(path));
      const unchanged = plan.unchanged.map(this.shown);
      const leftOut = plan.refused.map(({ path }) => this.shown(path));
      if (changes.length === 0) return { restored, unchanged, leftOut, checkpoint: null };
      const checkpoint = await this.makeUndoable(changes, source);
      return { restored, unchanged, leftOut, checkpoint };
    });
  }

  /** Makes the changes of a restore and returns what undoes them. One that fails has no checkpoint. */
  private async makeUndoable(
    changes: readonly FileChange[],
    source: CheckpointRecord,
  ): Promise<CheckpointId> {
    const record = newRecord({ kind: "restore", restores: source.id });
    const { next, skipped } = await this.keep(record, changes, onDisk);
    await this.records.put(next, { spared: [source.id] });
    const made = await makeRestore(changes);
    if (!made.ok && made.isUntouched) await this.records.drop(next);
    else
      for (const event of [this.announcement(record, changes), ...skipped])
        this.services.append(event);
    if (!made.ok) throw made.error;
    return record.id;
  }

  /** One piece of work at a time: each builds on what is kept and on what is on disk. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.working.then(work);
    // Who asked for it is told; the next piece builds on what there is.
    this.working = done.catch(() => {});
    return done;
  }

  private keep(record: CheckpointRecord, changes: readonly FileChange[], stateBefore: StateBefore) {
    return keepChanges(record, changes, {
      stateBefore,
      kept: this.records.kept,
      bytesMax: this.limits.checkpointBytes,
      filesMax: this.limits.files,
      shown: this.shown,
    });
  }

  private announcement({ id, runId }: CheckpointRecord, changes: readonly FileChange[]): EventBody {
    const named = meantFirst(changes).slice(0, FILES_NAMED_MAX);
    const files = named.map(({ path }) => this.shown(path));
    return { type: "checkpoint", checkpoint_id: id, turn_id: runId, files };
  }

  /** With the directories that were made for them. */
  private select({ files }: CheckpointRecord, wanted: readonly string[] | null): KeptFile[] {
    if (wanted === null) return files;
    const paths = wanted.map((path) => resolve(this.services.area.workspace, path));
    const unknown = paths.find((path) => !files.some((file) => file.path === path));
    if (unknown !== undefined)
      throw new EngineError("not_found", `The checkpoint has no file '${this.shown(unknown)}'`);
    return files.filter(
      (file) =>
        paths.includes(file.path) ||
        (isMadeDirectory(file) && paths.some((path) => path.startsWith(`${file.path}/`))),
    );
  }

  private commandsOf(run: RunId): number {
    return this.commands?.run === run ? this.commands.count : 0;
  }

  private readonly shown = (path: string): string => relative(this.services.area.workspace, path);
}

/** The newest checkpoint after `source` that has the path. */
function laterWith(
  path: string,
  all: readonly CheckpointRecord[],
  source: CheckpointRecord,
): CheckpointId | null {
  const later = all.slice(all.indexOf(source) + 1);
  return later.findLast(({ files }) => files.some((file) => file.path === path))?.id ?? null;
}
