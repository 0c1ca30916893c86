/** A checkpoint as people are shown it. */
import type { CheckpointRecord, KeptFile, KeptState } from "../domain/checkpoint.ts";

export const CHANGES = ["created", "modified", "deleted", "none"] as const;

export type FileSummary = {
  /** Relative to the workspace. */
  path: string;
  kind: "file" | "directory" | "link";
  /** `none`: it came and went within the turn. */
  change: (typeof CHANGES)[number];
  /** Whether it can be brought back. */
  kept: boolean;
  /** Bytes before the turn; null where it was no file. */
  size: number | null;
  /** It only came along with other changes: a backup, or a directory on the way to a new file. */
  aside: boolean;
};

export type CheckpointSummary = Omit<CheckpointRecord, "files"> & {
  files: FileSummary[];
  /** Whether it was restored, whole or in part, and that was not undone. */
  restored: boolean;
};

/** `all`: the session's checkpoints. */
export function summaryOf(
  record: CheckpointRecord,
  all: readonly CheckpointRecord[],
  shown: (path: string) => string,
): CheckpointSummary {
  const files = record.files.map((file) => fileSummary(file, shown(file.path)));
  return { ...record, files, restored: isRestored(record, all) };
}

/** A restore is younger than what it restores, so this comes to an end. */
const isRestored = ({ id }: CheckpointRecord, all: readonly CheckpointRecord[]): boolean =>
  all.some((each) => each.restores === id && !isRestored(each, all));

const fileSummary = ({ before, after, aside }: KeptFile, path: string): FileSummary => ({
  path,
  kind: (before ?? after)?.kind ?? "file",
  change: changeOf(before, after),
  kept: before?.kind !== "file" || before.kept,
  size: before?.kind === "file" ? before.size : null,
  aside: aside ?? false,
});

function changeOf(before: KeptState, after: KeptState): FileSummary["change"] {
  if (before === null) return after === null ? "none" : "created";
  return after === null ? "deleted" : "modified";
}
