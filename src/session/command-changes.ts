/**
 * What a shell command says it will change (`rm a`, `sed -i … b`, `> c`) is kept before it runs, so that its
 * turn can be undone as far as that goes. What a command changes beside that nobody knows before.
 */
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { FileChange, FileState } from "../domain/file-change.ts";
import type { CommandPart } from "../permissions/command.ts";
import type { CheckedCall } from "../permissions/permissions.ts";
import { lossesOf, writesOf } from "../permissions/shell/write-targets.ts";
import { ToolFailure } from "../tools/failure.ts";
import { readState, sameState } from "../tools/file-changes.ts";
import { type Area, placeInWorkspace } from "../tools/workspace.ts";
import { append, rootOf, type Session } from "./session.ts";

/** Of one command. */
const PATHS_MAX = 500;
const MEGABYTES_MAX = 32;

/** Runs the command; what it says it changes is kept before, and looked at after. Rejects as `run` does. */
export async function keepingNamed<Result>(
  session: Session,
  call: CheckedCall,
  run: () => Promise<Result>,
): Promise<Result> {
  noteCommand(session);
  const before = await statesOf(session, call);
  await record(session, before, before);
  try {
    return await run();
  } finally {
    await record(session, before, await statesNow(session, before));
  }
}

/** Its other changes are not kept; whoever undoes the turn is told that there was a command. */
function noteCommand(session: Session): void {
  const { active, checkpoints, services, id } = rootOf(session);
  if (active === null) return;
  checkpoints
    .noteCommand(active.record.id)
    .catch((error) => services.log.error("command not noted", { session: id, error }));
}

type States = Map<string, FileState>;

async function statesOf(session: Session, call: CheckedCall): Promise<States> {
  const { assessment, input } = call;
  const states: States = new Map();
  if (!assessment.command?.parsed) return states;
  const { directory } = session.record;
  const area = session.services.areaOf(directory);
  const cwd = typeof input.cwd === "string" ? resolve(directory, input.cwd) : directory;
  const room = { paths: PATHS_MAX, bytes: MEGABYTES_MAX * 1024 * 1024 };
  for (const path of namedBy(assessment.command.parts, cwd)) {
    const found: States = new Map();
    // A part of a folder would be of no use.
    if (await collect(found, path, area, room)) for (const each of found) states.set(...each);
    else tell(session, `The command names more than ${PATHS_MAX} files or ${MEGABYTES_MAX} MiB`);
    if (room.paths <= 0 || room.bytes <= 0) break;
  }
  return states;
}

const tell = (session: Session, reason: string) =>
  append(session, {
    type: "checkpoint_skipped",
    checkpoint_id: null,
    path: null,
    size: null,
    reason,
  });

/** Absolute paths, in the command's order; those that only the shell knows are not among them. */
function namedBy(parts: readonly CommandPart[], cwd: string): string[] {
  const named: string[] = [];
  let directory = cwd;
  for (const { words, redirections } of parts) {
    const [program = "", ...given] = words.filter((word) => word !== null);
    const name = basename(program);
    if (name === "cd" && given[0] !== undefined) directory = resolve(directory, given[0]);
    const outputs = redirections.flatMap(({ writes, path }) => (writes && path ? [path] : []));
    for (const word of [...writesOf(name, given), ...lossesOf(name, given), ...outputs])
      named.push(...meantBy(word, directory));
    // `cp a b/` and `mv a b/` write `b/a`.
    const last = given.at(-1);
    if (/^(?:cp|mv|ln|install)$/.test(name) && last !== undefined)
      named.push(...given.slice(0, -1).map((each) => resolve(directory, last, basename(each))));
  }
  return [...new Set(named)].slice(0, PATHS_MAX);
}

/** The paths that a word stands for; a pattern that may lead deep is left to the shell. */
function meantBy(word: string, directory: string): string[] {
  if (!/[*?[]/.test(word)) return [resolve(directory, word)];
  if (word.includes("**") || word.startsWith("/")) return [];
  const paths: string[] = [];
  for (const path of new Bun.Glob(word).scanSync({ cwd: directory, onlyFiles: false })) {
    paths.push(resolve(directory, path));
    if (paths.length === PATHS_MAX) break;
  }
  return paths;
}

/** What is at the path, with all that is below it; false: there is not enough room. */
async function collect(
  found: States,
  path: string,
  area: Area,
  room: { paths: number; bytes: number },
): Promise<boolean> {
  const place = await placeOf(area, path);
  if (place === null) return true;
  const { path: real, state } = place;
  found.set(real, state);
  room.paths -= 1;
  if (state?.kind === "file") room.bytes -= state.size;
  if (room.paths <= 0 || room.bytes <= 0) return false;
  if (state?.kind !== "directory") return true;
  for (const name of await readdir(real))
    if (!(await collect(found, join(real, name), area, room))) return false;
  return true;
}

/** Where a path leads and what is there; null: none of ours, or neither file, directory nor link. */
async function placeOf(
  area: Area,
  path: string,
): Promise<{ path: string; state: FileState } | null> {
  try {
    const real = await placeInWorkspace(area, path);
    return { path: real, state: await readState(real) };
  } catch (error) {
    // Whatever stands against reading it: the command is not kept from running.
    if (error instanceof ToolFailure || (error instanceof Error && "code" in error)) return null;
    throw error;
  }
}

/** What can be read no more stays as it was told. */
async function statesNow({ record, services }: Session, before: States): Promise<States> {
  const area = services.areaOf(record.directory);
  const now: States = new Map();
  for (const path of before.keys()) {
    const place = await placeOf(area, path);
    if (place?.path === path) now.set(path, place.state);
  }
  return now;
}

/** What cannot be kept is told; the command runs all the same, since nobody promised that it can be undone. */
async function record(session: Session, before: States, after: States): Promise<void> {
  const { active, checkpoints, services, id } = rootOf(session);
  const isFirst = before === after;
  const changes = [...after].flatMap(([path, state]): FileChange[] => {
    const old = before.get(path) ?? null;
    return isFirst || !sameState(old, state) ? [{ path, before: old, after: state }] : [];
  });
  if (active === null || changes.length === 0) return;
  try {
    await checkpoints.changing(active.record.id, changes);
  } catch (error) {
    services.log.error("what a command names is not kept", { session: id, error });
    tell(session, "What the command names could not be kept");
  }
}
