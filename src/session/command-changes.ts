/**
 * What a shell command says it will change (`rm a`, `sed -i … b`, `> c`) is remembered while it runs, and what
 * of that has changed is kept, so that its turn can be undone as far as that goes. What a command changes
 * beside that nobody knows before. Nothing here keeps a command from running.
 */
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { FileChange, FileState } from "../domain/file-change.ts";
import { isWithin } from "../lib/paths.ts";
import type { CommandPart } from "../permissions/command.ts";
import type { CheckedCall } from "../permissions/permissions.ts";
import { lossesOf, writesOf } from "../permissions/shell/write-targets.ts";
import { readState, sameState } from "../tools/file-changes.ts";
import { type Area, insideWorkspace, placeInWorkspace } from "../tools/workspace.ts";
import { append, rootOf, type Session } from "./session.ts";

/** Of one command: how much is remembered, how long it waits for that, and its turn for the rest. */
const PATHS_MAX = 500;
const MEGABYTES_MAX = 32;
const REMEMBER_MS_MAX = 300;
const KEEP_MS_MAX = 2_000;

type States = Map<string, FileState>;
type Room = { paths: number; bytes: number; deadline: number };
/** `lost`: whatever is below it goes as well. */
type Named = { path: string; lost: boolean };

const newRoom = (ms: number): Room => ({
  paths: PATHS_MAX,
  bytes: MEGABYTES_MAX * 1024 * 1024,
  deadline: performance.now() + ms,
});
const hasRoom = ({ paths, bytes, deadline }: Room): boolean =>
  paths > 0 && bytes > 0 && performance.now() <= deadline;
const TOO_MUCH = `The command names more than ${PATHS_MAX} files or ${MEGABYTES_MAX} MiB`;

/** Runs the command. Rejects as `run` does. */
export async function keepingNamed<Result>(
  session: Session,
  call: CheckedCall,
  run: () => Promise<Result>,
): Promise<Result> {
  await orTell(session, undefined, () => noteCommand(session));
  const before = await orTell(session, new Map(), () => statesBefore(session, call));
  try {
    return await run();
  } finally {
    if (before.size > 0) await orTell(session, undefined, () => keepChanged(session, before));
  }
}

/** Its other changes are not kept; whoever undoes the turn is told that there was a command. */
async function noteCommand(session: Session): Promise<void> {
  const { active, checkpoints } = rootOf(session);
  if (active) await checkpoints.noteCommand(active.record.id);
}

async function orTell<Result>(
  session: Session,
  otherwise: Result,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    session.services.log.error("a command's changes are not kept", { session: session.id, error });
    tell(session, "What the command changes could not be kept");
    return otherwise;
  }
}

function tell(session: Session, reason: string): void {
  if (session.events.closed) return;
  const about = { checkpoint_id: null, path: null, size: null };
  append(session, { type: "checkpoint_skipped", ...about, reason });
}

async function statesBefore(session: Session, { assessment, input }: CheckedCall): Promise<States> {
  const states: States = new Map();
  // What goes on in the background changes things when nobody looks.
  if (!assessment.command?.parsed || input.background === true) return states;
  const { directory } = session.record;
  const area = session.services.areaOf(directory);
  const cwd = typeof input.cwd === "string" ? await placeOf(area, input.cwd) : null;
  const room = newRoom(REMEMBER_MS_MAX);
  for (const named of namedBy(assessment.command.parts, cwd ?? directory)) {
    if (await remember(states, named, area, room)) continue;
    tell(session, TOO_MUCH);
    break;
  }
  return states;
}

/** Single files first, so that a large folder does not take their room. */
function namedBy(parts: readonly CommandPart[], cwd: string): Named[] {
  const named = new Map<string, Named>();
  // Where it may be by then: a subshell goes somewhere for itself alone.
  const directories = new Set([cwd]);
  for (const { words, redirections } of parts) {
    const [program = "", ...given] = words.filter((word) => word !== null);
    const name = basename(program);
    const add = (word: string, lost: boolean) => {
      for (const directory of directories) {
        const path = resolve(directory, word);
        if (!named.get(path)?.lost && named.size < PATHS_MAX) named.set(path, { path, lost });
      }
    };
    if (name === "cd" && given[0] !== undefined) directories.add(resolve(cwd, given[0]));
    const lost = name === "rm" ? writesOf(name, given) : lossesOf(name, given);
    for (const word of lost) add(word, true);
    for (const word of writesOf(name, given)) add(word, lost.includes(word));
    for (const { writes, path } of redirections) if (writes && path !== null) add(path, false);
    // `cp a b/` and `mv a b/` write `b/a`.
    const target = /^(?:cp|mv|ln|install)$/.test(name) ? given.at(-1) : undefined;
    if (target !== undefined)
      for (const word of given.slice(0, -1)) add(join(target, basename(word)), false);
  }
  return [...named.values()].sort((one, other) => Number(one.lost) - Number(other.lost));
}

/** false: there is no room for all of it, and none of it is remembered. */
async function remember(states: States, named: Named, area: Area, room: Room): Promise<boolean> {
  for (const path of await meantBy(named.path)) {
    const found: States = new Map();
    const place = await placeOf(area, path);
    if (place && !(await collect(found, { path: place, lost: named.lost }, room))) return false;
    // What is written through a link is what it leads to.
    const target = named.lost ? null : await targetOf(area, path);
    if (target && target !== place && !(await collect(found, { path: target, lost: false }, room)))
      return false;
    for (const each of found) states.set(...each);
  }
  return true;
}

/** The path itself, and where its last part is a pattern, what that stands for. */
async function meantBy(path: string): Promise<string[]> {
  const pattern = basename(path);
  if (!/[*?[]/.test(pattern)) return [path];
  const names = await readdir(dirname(path)).catch(() => []);
  const glob = new Bun.Glob(pattern);
  const matching = names.filter((name) => glob.match(name)).slice(0, PATHS_MAX);
  return [path, ...matching.map((name) => join(dirname(path), name))];
}

async function collect(found: States, { path, lost }: Named, room: Room): Promise<boolean> {
  const state = await stateAt(path);
  if (state === undefined) return true;
  room.paths -= 1;
  if (state?.kind === "file") room.bytes -= state.size;
  if (!hasRoom(room)) return false;
  // A folder that stays is not changed by what is put into it.
  if (state?.kind === "directory" && !lost) return true;
  found.set(path, state);
  if (state?.kind !== "directory") return true;
  for (const name of await readdir(path).catch(() => []))
    if (!(await collect(found, { path: join(path, name), lost }, room))) return false;
  return true;
}

/** null: none of ours. */
const placeOf = (area: Area, path: string): Promise<string | null> =>
  placeInWorkspace(area, path).catch(() => null);
const targetOf = (area: Area, path: string): Promise<string | null> =>
  insideWorkspace(area, path).then(
    (target) => placeOf(area, target),
    () => null,
  );

/** undefined: it cannot be read, or is neither file, directory nor link. */
const stateAt = (path: string): Promise<FileState | undefined> =>
  readState(path).catch(() => undefined);

async function keepChanged(session: Session, before: States): Promise<void> {
  const { active, checkpoints } = rootOf(session);
  const area = session.services.areaOf(session.record.directory);
  const changes: FileChange[] = [];
  // What was small may be large by now.
  const room = newRoom(KEEP_MS_MAX);
  for (const [path, old] of before) {
    if (!hasRoom(room)) {
      tell(session, TOO_MUCH);
      break;
    }
    // Where something else is in the way now, the path leads elsewhere.
    const after = (await placeOf(area, path)) === path ? await stateAt(path) : undefined;
    if (after === undefined || sameState(old, after)) continue;
    changes.push({ path, before: old, after });
    if (after?.kind === "file") room.bytes -= after.size;
    // What came with a folder that was moved or copied to where nothing was.
    if (old === null && after?.kind === "directory")
      for (const [made, state] of await below(path, room))
        changes.push({ path: made, before: null, after: state });
  }
  const undoable = changes.filter((change) => !isReplacedFolder(change));
  const replaced = changes.filter(isReplacedFolder);
  const kept = undoable.filter(({ path }) => !replaced.some((each) => isWithin(each.path, path)));
  if (kept.length < changes.length) tell(session, "A folder was replaced by something else");
  if (active && kept.length > 0) await checkpoints.changed(active.record.id, kept);
}

/** As far as there is room; its caller tells where there is none. */
async function below(folder: string, room: Room): Promise<States> {
  const found: States = new Map();
  await collect(found, { path: folder, lost: true }, room);
  found.delete(folder);
  return found;
}

const isReplacedFolder = ({ before, after }: FileChange): boolean =>
  before?.kind === "directory" && after !== null && after.kind !== "directory";
