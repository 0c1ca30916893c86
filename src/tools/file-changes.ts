/** Changes of files: what is there, what differs, and making all of them or none. */
import { lstatSync } from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { FileChange, FileState } from "../domain/file-change.ts";
import { errorCode } from "../lib/error-code.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { ChangedMeanwhile, HeldDirectories } from "./held-directory.ts";
import { movedFrom } from "./moved-files.ts";
import { openRegular, permissions } from "./regular-file.ts";
import { isRoot, Overtaken, ReversibleSteps, temporaryBeside } from "./reversible-steps.ts";

/** The content of larger files is not kept. */
export const KEPT_BYTES_MAX = 20 * 1024 * 1024;
const DIFF_CHARS_MAX = 60_000;
const UNFINISHED_FILE_MODE = 0o600;

/** What is at a path that was checked. Throws ToolFailure for what is neither file, directory nor link. */
export async function readState(path: string): Promise<FileState> {
  const directories = new HeldDirectories();
  try {
    return await stateAt(directories.take(path), path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  } finally {
    directories.release();
  }
}

/** Of files that are too large to keep only size and mode are compared. */
export function sameState(a: FileState, b: FileState): boolean {
  if (a === null || b === null) return a === b;
  if (a.kind === "file")
    return b.kind === "file" && a.mode === b.mode && a.size === b.size && sameContent(a, b);
  if (a.kind === "link") return b.kind === "link" && a.target === b.target;
  return b.kind === "directory";
}

/**
 * Makes all changes, or none: what fails half way is taken back, and thrown. false: some `before` is no
 * longer so, and nothing was done. Directories that are made on the way are changes of their own. Where an
 * `after` is the very object that is the `before` of something that goes, that is moved there, whatever
 * its size.
 */
export async function applyChanges(changes: readonly FileChange[]): Promise<boolean> {
  refuseUnknownContent(changes);
  const directories = new HeldDirectories();
  const steps = new ReversibleSteps();
  try {
    const identities = await identitiesBefore(changes, directories);
    await makeDirectories(changes, directories, steps);
    const staged = await stageFiles(changes, directories, steps);
    // From here on nothing waits, so that nothing of this process comes in between.
    for (const [name, identity] of identities)
      if (identityOf(name) !== identity) throw new Overtaken(name);
    for (const each of staged.toSorted(byTurn)) publish(each, steps);
    steps.commit();
    return true;
  } catch (error) {
    steps.rollback(error);
    if (isOvertaken(error)) return false;
    throw error;
  } finally {
    directories.release();
  }
}

/** For people: git's format, paths relative to the workspace, bounded in length and time. */
export async function unifiedDiff(
  changes: readonly FileChange[],
  workspace: string,
  charsMax = DIFF_CHARS_MAX,
): Promise<string> {
  // What compares texts takes long to load, and an engine starts without it.
  const { diffOf } = await import("./diff.ts");
  return diffOf(changes, workspace, charsMax);
}

type File = Extract<FileState, { kind: "file" }>;

async function stateAt(name: string, path: string): Promise<FileState> {
  try {
    return await unguardedState(name, path);
  } catch (error) {
    // A link where there was none, or none where there was one.
    if (!["EINVAL", "ELOOP"].includes(errorCode(error))) throw error;
    throw new ChangedMeanwhile(`Changed while it was read: ${quotedPath(path)}`, { cause: error });
  }
}

async function unguardedState(name: string, path: string): Promise<FileState> {
  const status = await lstat(name);
  if (status.isSymbolicLink()) return { kind: "link", target: await readlink(name) };
  if (status.isDirectory()) return { kind: "directory" };
  if (!status.isFile()) throw new ToolFailure(`Not a regular file: ${quotedPath(path)}`);
  const file = await openRegular(name, KEPT_BYTES_MAX, path);
  return {
    kind: "file",
    mode: permissions(file.status),
    size: file.bytes?.length ?? file.status.size,
    content: file.bytes,
  };
}

function sameContent(a: File, b: File): boolean {
  if (a.content === null || b.content === null) return a.content === b.content;
  return Buffer.compare(a.content, b.content) === 0;
}

function refuseUnknownContent(changes: readonly FileChange[]): void {
  const moves = movedFrom(changes);
  for (const change of changes)
    if (change.after?.kind === "file" && change.after.content === null && !moves.has(change))
      throw new ToolFailure(`Too large to be written: ${quotedPath(change.path)}`);
}

/** What stands for each path now, by its name in a held directory. Throws Overtaken where it is not as it was. */
async function identitiesBefore(
  changes: readonly FileChange[],
  directories: HeldDirectories,
): Promise<Map<string, string>> {
  const made = new Set(changes.filter(isMadeDirectory).map(({ path }) => path));
  const identities = new Map<string, string>();
  for (const change of changes) {
    const { path, before } = change;
    // Nothing can be in a directory that is not there yet.
    if (made.has(dirname(path))) continue;
    const name = directories.take(path);
    const identity = identityOf(name);
    const state = identity === "" ? null : await stateAt(name, path);
    if (!sameState(state, before)) throw new Overtaken(path);
    // Directories are made before the rest, and only where nothing is.
    if (!isMadeDirectory(change)) identities.set(name, identity);
  }
  return identities;
}

/** What the system says of a path that leads elsewhere by now. */
const VANISHED = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

const isOvertaken = (error: unknown): boolean =>
  error instanceof Overtaken || error instanceof ChangedMeanwhile || VANISHED.has(errorCode(error));

const isMadeDirectory = ({ before, after }: FileChange): boolean =>
  after?.kind === "directory" && before?.kind !== "directory";

/** Another one as soon as anybody touched it; empty: nothing is there. */
function identityOf(name: string): string {
  const status = lstatSync(name, { bigint: true, throwIfNoEntry: false });
  if (!status) return "";
  const { dev, ino, mode, size, mtimeNs, ctimeNs } = status;
  // Directories change with what is in them; whether they are empty shows when they are removed.
  return status.isDirectory()
    ? `${dev} ${ino}`
    : [dev, ino, mode, size, mtimeNs, ctimeNs].join(" ");
}

async function makeDirectories(
  changes: readonly FileChange[],
  directories: HeldDirectories,
  steps: ReversibleSteps,
): Promise<void> {
  const made = changes.filter(isMadeDirectory).sort(byDepth);
  for (const { path, before } of made) steps.makeDirectory(directories.take(path), before);
}

const byDepth = (a: FileChange, b: FileChange): number => a.path.length - b.path.length;

/** `source`: what gets the name, where a file is moved there or was written beside it. */
type Staged = { change: FileChange; name: string } & (
  | { step: "move" | "write"; source: string }
  | { step: "remove"; aside: string }
  | { step: "link" | "none" }
);

async function stageFiles(
  changes: readonly FileChange[],
  directories: HeldDirectories,
  steps: ReversibleSteps,
): Promise<Staged[]> {
  const moves = movedFrom(changes);
  const moved = new Set(moves.values());
  const emptied = new Set(changes.filter(isEmptied).map(({ path }) => path));
  const staged: Staged[] = [];
  for (const change of changes) {
    const { path, after } = change;
    const name = directories.take(path);
    const from = moves.get(change);
    if (from) {
      staged.push({ change, name, step: "move", source: directories.take(from.path) });
    } else if (after === null) {
      if (moved.has(change)) continue;
      const aside = temporaryBeside(directories.take(outermost(path, emptied)));
      staged.push({ change, name, step: "remove", aside });
    } else if (after?.kind === "file") {
      const source = temporaryBeside(name);
      steps.temporary(source);
      await writeFile(source, name, after);
      staged.push({ change, name, step: "write", source });
    } else staged.push({ change, name, step: after?.kind === "link" ? "link" : "none" });
  }
  return staged;
}

const isEmptied = ({ before, after }: FileChange): boolean =>
  before?.kind === "directory" && after?.kind !== "directory";

/** The outermost of the emptied directories that a path is in: what is put aside must not fill them. */
function outermost(path: string, emptied: ReadonlySet<string>): string {
  let outer = path;
  while (emptied.has(dirname(outer))) outer = dirname(outer);
  return outer;
}

async function writeFile(temporary: string, name: string, { content, mode }: File): Promise<void> {
  const file = await open(temporary, "wx", UNFINISHED_FILE_MODE);
  try {
    await file.writeFile(content ?? new Uint8Array());
    const owner = ownerOf(name);
    if (owner)
      await file.chown(owner.uid, owner.gid).catch((error) => {
        // Only root gives files away; then the file is ours, with the same content.
        if (errorCode(error) !== "EPERM") throw error;
      });
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

/** Whose the new file is to be; null: whoever writes it. */
function ownerOf(name: string): { uid: number; gid: number } | null {
  const replaced = lstatSync(name, { throwIfNoEntry: false });
  if (replaced?.isFile()) return replaced;
  return isRoot() ? lstatSync(dirname(name)) : null;
}

const TURNS = { none: 0, move: 1, remove: 2, write: 3, link: 3 };

/** What is moved leaves its directory before that goes, and directories go from the inside out. */
function byTurn(a: Staged, b: Staged): number {
  if (a.step === "remove" && b.step === "remove")
    return b.change.path.length - a.change.path.length;
  return TURNS[a.step] - TURNS[b.step];
}

function publish(staged: Staged, steps: ReversibleSteps): void {
  const { name, step, change } = staged;
  switch (step) {
    case "move":
      steps.move(staged.source, name, change.before);
      break;
    case "write":
      steps.publish(staged.source, name, change.before);
      break;
    case "remove":
      steps.clear(name, change.before, staged.aside);
      break;
    case "link":
      if (change.after?.kind === "link") steps.makeLink(change.after.target, name, change.before);
      break;
    case "none":
      break;
    default:
      step satisfies never;
  }
}
