/** Working out how files come back to what a checkpoint kept, and what stands against it. */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type KeptFile, sameContent, sameKept } from "../domain/checkpoint.ts";
import type { FileChange, FileState } from "../domain/file-change.ts";
import type { CheckpointId } from "../domain/ids.ts";
import { errorCode } from "../lib/error-code.ts";
import { ToolFailure } from "../tools/failure.ts";
import { readState } from "../tools/file-changes.ts";
import { missingDirectories } from "../tools/file-plan.ts";
import { type Area, writableInWorkspace } from "../tools/workspace.ts";
import { describe, type KeptFiles } from "./kept-files.ts";

/** `path`: absolute. `changed_since` and `not_undoable` are no reasons for who forces it. */
export type Refusal = {
  path: string;
  reason: "changed_since" | "not_undoable" | "not_kept" | "not_allowed";
  message: string;
};

export type RestorePlan = {
  /** With the directories that they need, and those that they leave empty. */
  changes: FileChange[];
  /** Paths at which there is nothing to do. */
  unchanged: string[];
  refused: Refusal[];
};

export type RestoreOptions = {
  area: Area;
  force: boolean;
  kept: KeptFiles;
  /** The newest later checkpoint with the path, if any. */
  changedBy(path: string): CheckpointId | null;
};

type Step =
  | { kind: "change"; change: FileChange }
  | { kind: "unchanged" }
  | { kind: "refused"; refusal: Refusal };

/** Nothing is done yet. Every path is checked anew: since the turn a link may have come into its way. */
export async function planRestore(
  files: readonly KeptFile[],
  options: RestoreOptions,
): Promise<RestorePlan> {
  const plan: RestorePlan = { changes: [], unchanged: [], refused: [] };
  for (const file of files.filter((each) => !isMadeDirectory(each))) {
    const step = await stepOf(file, options);
    if (step.kind === "change") plan.changes.push(step.change);
    else if (step.kind === "refused") plan.refused.push(step.refusal);
    else plan.unchanged.push(file.path);
  }
  await addMissingDirectories(plan.changes, options.area.workspace);
  await addEmptied(plan, files.filter(isMadeDirectory), options.area);
  return plan;
}

/** Goes only once it is empty, whatever is asked for. */
export const isMadeDirectory = ({ before, after }: KeptFile): boolean =>
  before === null && after?.kind === "directory";

async function stepOf(file: KeptFile, options: RestoreOptions): Promise<Step> {
  const { path, before, after, previous, aside } = file;
  const { force, kept, area } = options;
  const refused = (reason: Refusal["reason"], message: string): Step => ({
    kind: "refused",
    refusal: { path, reason, message },
  });

  const found = await stateAt(area, path);
  if ("barrier" in found) return refused("not_allowed", found.barrier);
  const now = describe(found.state);
  if (sameKept(now, before)) return { kind: "unchanged" };
  if (before?.kind === "file" && !before.kept)
    return refused("not_kept", "What it was before was not kept");
  if (now?.kind === "file" && now.hash === null && !force)
    return refused("not_undoable", "What it is now is too large to be kept");
  const isOurs = sameContent(now, after) || sameContent(now, previous);
  if (!isOurs && !force) return refused("changed_since", changedSince(options.changedBy(path)));
  if (now?.kind === "directory" && !isOurs)
    return refused("not_allowed", "A directory has its place by now");
  const target = await kept.load(before);
  if (target?.kind === "file" && target.content === null)
    return refused("not_kept", "The copy of what it was before is gone");
  return { kind: "change", change: { path, before: found.state, after: target, aside } };
}

const changedSince = (later: CheckpointId | null): string =>
  later === null
    ? "It has changed since"
    : `It has changed since, in ${later}: restore that one first`;

/** What is at the path, unless it is closed by now or leads elsewhere. */
async function stateAt(
  area: Area,
  path: string,
): Promise<{ state: FileState } | { barrier: string }> {
  try {
    const directory = await writableInWorkspace(area, dirname(path));
    if (join(directory, basename(path)) !== path)
      return { barrier: "A symbolic link is in its way" };
    const state = await readState(path);
    // A link is taken for itself, and leads where it likes.
    if (state?.kind !== "link") await writableInWorkspace(area, path);
    return { state };
  } catch (error) {
    if (error instanceof ToolFailure) return { barrier: error.message };
    if (errorCode(error) === "ENOTDIR") return { barrier: "A part of its path is no directory" };
    if (errorCode(error) === "EACCES") return { barrier: "It may not be read" };
    throw error;
  }
}

/** Directories that are to hold what comes back. */
async function addMissingDirectories(changes: FileChange[], workspace: string): Promise<void> {
  const known = new Set(changes.map(({ path }) => path));
  for (const { path } of changes.filter(({ after }) => after !== null))
    for (const directory of await missingDirectories(path)) {
      if (known.has(directory.path) || !directory.path.startsWith(`${workspace}/`)) continue;
      known.add(directory.path);
      changes.push({ ...directory, aside: true });
    }
}

async function addEmptied(plan: RestorePlan, made: readonly KeptFile[], area: Area): Promise<void> {
  const going = new Set(plan.changes.filter(({ after }) => after === null).map(({ path }) => path));
  const innermostFirst = [...made].sort((a, b) => b.path.length - a.path.length);
  for (const { path, aside } of innermostFirst) {
    if (await isEmptied(path, going, area)) {
      going.add(path);
      plan.changes.push({ path, before: { kind: "directory" }, after: null, aside });
    } else plan.unchanged.push(path);
  }
}

/** Whether there is a directory, and nothing in it but what is going. */
async function isEmptied(path: string, going: ReadonlySet<string>, area: Area): Promise<boolean> {
  const found = await stateAt(area, path);
  if ("barrier" in found || found.state?.kind !== "directory") return false;
  try {
    return (await readdir(path)).every((name) => going.has(join(path, name)));
  } catch {
    // It cannot be looked into, so it stays.
    return false;
  }
}
