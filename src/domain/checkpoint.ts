/** What is kept of the files that a turn changes, so that they can be brought back. */
import type { FileState } from "./file-change.ts";
import type { CheckpointId, RunId } from "./ids.ts";

/**
 * What was at a path, its content told by name: `hash` is its SHA-256 in hex, null where the file was too
 * large to be looked at. `kept`: whether the content can be had back.
 */
export type KeptState =
  | Exclude<FileState, { kind: "file" }>
  | { kind: "file"; mode: number; size: number; hash: string | null; kept: boolean };

/** `path`: absolute. `before`: the turn's first change of it. `after`: its newest. */
export type KeptFile = {
  path: string;
  before: KeptState;
  after: KeptState;
  /** What the newest change was to be made over: it is there still where that was never made. */
  previous: KeptState;
  /** All its changes only came along with others. */
  aside?: true;
};

export type CheckpointRecord = {
  id: CheckpointId;
  /** `turn`: made by the turn `runId`. `restore`: made by a person who brought back `restores`. */
  kind: "turn" | "restore";
  runId: RunId | null;
  restores: CheckpointId | null;
  /** Milliseconds since the epoch. */
  createdAt: number;
  files: KeptFile[];
  /** Paths that the turn changed and that are not in `files`: there were too many. */
  leftOut: number;
  /** Shell commands that ran in the turn; what they changed is not covered. */
  commands: number;
};

/** What people are told of first: without what only came along, unless there is nothing else. */
export function meantFirst<Change extends { aside?: boolean }>(
  changes: readonly Change[],
): Change[] {
  const meant = changes.filter(({ aside }) => !aside);
  return meant.length > 0 ? meant : [...changes];
}

/** Whether two states are the same but for permission bits. A file that was not looked at is like no other. */
export function sameContent(one: KeptState, other: KeptState): boolean {
  if (one === null || other === null) return one === other;
  if (one.kind === "file" && other.kind === "file")
    return one.hash !== null && one.hash === other.hash;
  if (one.kind === "link" && other.kind === "link") return one.target === other.target;
  return one.kind === other.kind;
}

export const sameKept = (one: KeptState, other: KeptState): boolean =>
  sameContent(one, other) && modeOf(one) === modeOf(other);

const modeOf = (state: KeptState): number | null => (state?.kind === "file" ? state.mode : null);
