/** Keeping what changes are about to replace: what goes into a checkpoint, and what does not. */
import type { CheckpointRecord, KeptFile, KeptState } from "../domain/checkpoint.ts";
import type { EventBody } from "../domain/events.ts";
import type { FileChange, FileState } from "../domain/file-change.ts";
import { KEPT_BYTES_MAX } from "../tools/file-changes.ts";
import { describe, type KeptFiles } from "./kept-files.ts";

const MEGABYTE = 1024 * 1024;

/** What is at the path before the change. */
export type StateBefore = (change: FileChange) => FileState | Promise<FileState>;

type Keeping = {
  kept: KeptFiles;
  /** Of the contents of one checkpoint. */
  bytesMax: number;
  /** In one checkpoint. */
  filesMax: number;
  stateBefore: StateBefore;
  /** How clients are told a path. */
  shown(path: string): string;
};
type Skipped = Extract<EventBody, { type: "checkpoint_skipped" }>;

/** The checkpoint with the changes, their contents kept; and what of them it does not cover. */
export async function keepChanges(
  record: CheckpointRecord,
  changes: readonly FileChange[],
  { kept, bytesMax, filesMax, stateBefore, shown }: Keeping,
): Promise<{ next: CheckpointRecord; skipped: Skipped[] }> {
  const files = new Map(record.files.map((file) => [file.path, file]));
  const skipped: Skipped[] = [];
  const skip = (path: string | null, size: number | null, reason: string) =>
    skipped.push({ type: "checkpoint_skipped", checkpoint_id: record.id, path, size, reason });
  let { leftOut } = record;
  let room = bytesMax - record.files.reduce((sum, file) => sum + keptBytes(file), 0);

  async function keep(state: FileState, described: KeptState): Promise<KeptState> {
    if (state?.kind !== "file" || described?.kind !== "file") return described;
    if (state.content === null || described.hash === null || state.size > room) return described;
    room -= state.size;
    await kept.keep(described.hash, state.content);
    return { ...described, kept: true };
  }

  for (const change of changes) {
    const { path, after, aside } = change;
    const known = files.get(path);
    if (!known && files.size >= filesMax) {
      if (leftOut === 0) skip(null, null, `More than ${filesMax} files in one turn`);
      leftOut += 1;
      continue;
    }
    const now = await stateBefore(change);
    const previous = describe(now);
    const before = known ? known.before : await keep(now, previous);
    const file = { path, before, after: await keep(after, describe(after)), previous };
    const isAside = aside && (!known || known.aside);
    files.set(path, isAside ? { ...file, aside } : file);
    if (!known && before?.kind === "file" && !before.kept)
      skip(shown(path), before.size, tooLarge(before.size > KEPT_BYTES_MAX, bytesMax));
  }
  return { next: { ...record, files: [...files.values()], leftOut }, skipped };
}

const tooLarge = (byItself: boolean, bytesMax: number): string =>
  byItself
    ? `Larger than ${KEPT_BYTES_MAX / MEGABYTE} MiB`
    : `The turn's files are larger than ${bytesMax / MEGABYTE} MiB together`;

const keptBytes = ({ before, after }: KeptFile): number => sizeOf(before) + sizeOf(after);

const sizeOf = (state: KeptState): number =>
  state?.kind === "file" && state.kept ? state.size : 0;
