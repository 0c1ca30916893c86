/** Which of several changes move a file. */
import type { FileChange, FileState } from "../domain/file-change.ts";

/**
 * By the change that puts something there, the change that takes it from where it was: known by one
 * object as `before` of one and `after` of the other. Directories are never moved.
 */
export function movedFrom(changes: readonly FileChange[]): Map<FileChange, FileChange> {
  const sources = new Map<FileState, FileChange>();
  for (const change of changes)
    if (change.after === null && change.before && change.before.kind !== "directory")
      sources.set(change.before, change);
  const moves = new Map<FileChange, FileChange>();
  for (const change of changes) {
    const source = sources.get(change.after);
    if (!source) continue;
    moves.set(change, source);
    // Nothing goes to two places.
    sources.delete(change.after);
  }
  return moves;
}
