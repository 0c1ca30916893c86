/**
 * What of a command an approval or a rule for its first words may cover: no output into a file, nothing
 * whose meaning was changed in front of it.
 */
import { join } from "node:path";
import { isWithin, realPathOf } from "../lib/paths.ts";
import { commandText, directoryOf, type Judging } from "./call.ts";
import type { CommandPart } from "./command.ts";

export type CommandScope = {
  /** Where it runs, without links. */
  directory: string;
  workspace: string;
  /** It goes elsewhere on its way: where what follows runs is not known then. */
  moves: boolean;
  /** Something in it may set a variable for what comes after it, `PATH` for one, besides `X=1`. */
  sets: boolean;
};

/** Loops, arithmetic and `${X:=…}`; in quotes as well, where it means nothing. */
const SETTING = /\b(?:for|select)\s+\w|\(\(|\$\[|\$\{[^}]{0,200}=/;
export const MOVERS = new Set(["cd", "chdir", "pushd", "popd"]);

export function scopeOf(judging: Judging, parts: readonly CommandPart[]): CommandScope {
  return {
    directory: directoryOf(judging),
    workspace: judging.where.workspace,
    moves: parts.some(({ words: [program] }) => program != null && MOVERS.has(program)),
    sets: SETTING.test(commandText(judging.call)),
  };
}

/**
 * Whether it stands there plainly, with nothing but its own words, and its output goes into no file: an
 * approved `echo` would else write anything anywhere.
 */
export function isContained(part: CommandPart, scope: CommandScope): boolean {
  if (!part.direct || part.sets.length > 0 || scope.sets || part.words[0] == null) return false;
  return part.redirections.every(
    ({ writes, path }) => !writes || (path !== null && SINKS.has(path)),
  );
}

/** Whether it may write to a place outside the workspace, or to one that only the shell knows. */
export const writesOutside = (part: CommandPart, scope: CommandScope): boolean =>
  part.redirections.some(({ writes, path }) => writes && !staysInside(path, scope));

function staysInside(path: string | null, scope: CommandScope): boolean {
  if (path === null) return false;
  return SINKS.has(path) || (!scope.moves && isRelativeInside(path, scope));
}

/** Going to a folder of the workspace: what the user's rules allow holds there as well. */
export function isPlainMove(part: CommandPart, scope: CommandScope): boolean {
  const [program, folder, ...rest] = part.words;
  if (program !== "cd" || folder == null || rest.length > 0) return false;
  if (!part.direct || part.sets.length > 0 || part.redirections.length > 0) return false;
  return isRelativeInside(folder, scope);
}

/** Written there nothing is lost. */
const SINKS = new Set(["/dev/null", "/dev/stdout", "/dev/stderr"]);

/** What of a workspace says what programs run and what is allowed. */
const CLOSED_FOLDERS = [".git", ".kollab"];

function isRelativeInside(path: string, { directory, workspace }: CommandScope): boolean {
  const parts = path.toLowerCase().split("/");
  if (path === "" || /^[/~=-]|[*?[{$\0]/.test(path) || parts.includes("..")) return false;
  const real = realPathOf(join(directory, path));
  const names = real.toLowerCase().split("/");
  if (CLOSED_FOLDERS.some((folder) => parts.includes(folder))) return false;
  return (
    isWithin(workspace, real) &&
    !CLOSED_FOLDERS.some((folder) => names.slice(workspace.split("/").length).includes(folder))
  );
}
