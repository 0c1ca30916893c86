/** The keys of approved shell commands: by their first words, or as a whole. */
import type { StoredApproval } from "../domain/permission.ts";
import { realPathOf } from "../lib/paths.ts";
import { commandText, directoryOf, isAtMost, isRisky, type Judging, partsOf } from "./call.ts";
import type { CommandPart } from "./command.ts";
import { type CommandScope, isContained, scopeOf, writesOutside } from "./command-scope.ts";
import { firstWords, isSameAnywhere } from "./first-words.ts";
import { pathFrom } from "./places.ts";
import { matchesText } from "./text-pattern.ts";

/** Nobody reads a longer one again before it runs unasked. */
const EXACT_CHARS_MAX = 4_000;

export type CommandKey = StoredApproval & { covers: string };

/** What an approval of the command for later is stored as; null: it has to be asked about each time. */
export function commandKey(judging: Judging): CommandKey | null {
  const { assessment } = judging.call;
  const text = commandText(judging.call);
  if (isRisky(assessment.level) || text.trim() === "") return null;
  const parts = partsOf(judging.call);
  const scope = scopeOf(judging, parts);
  const [only, ...others] = parts;
  const prefix =
    isPlainList(judging) && only !== undefined && others.length === 0 && isContained(only, scope)
      ? prefixKey(only, scope, judging)
      : null;
  if (prefix !== null && only !== undefined) {
    const covers = `${prefix.words}${prefix.place} with any arguments`;
    return { key: prefix.key, level: only.level, covers };
  }
  if (text.length > EXACT_CHARS_MAX || parts.some((part) => writesOutside(part, scope)))
    return null;
  return { key: exactKey(judging), level: assessment.level, covers: `exactly: ${text}` };
}

/** `shared`: from the project's file, which says nothing of levels. */
export type Approval = StoredApproval & { shared: boolean };

/** The key that covers the command, or of several the first; null: not all of it is covered. */
export function coveringKey(approvals: readonly Approval[], judging: Judging): string | null {
  const { assessment } = judging.call;
  const parts = partsOf(judging.call);
  const scope = scopeOf(judging, parts);
  if (isRisky(assessment.level) || parts.some((part) => writesOutside(part, scope))) return null;
  const exact = exactKey(judging);
  const whole = approvals.find(
    ({ key, level }) => key === exact && isAtMost(assessment.level, level),
  );
  if (whole !== undefined) return whole.key;

  if (!isPlainList(judging)) return null;
  const keys = parts.map((part) => partKey(approvals, part, judging));
  const isCovered =
    keys.every((found) => found !== null) &&
    keys.some((found) => found !== null && isAtMost(assessment.level, found.level));
  return isCovered ? (keys[0]?.key ?? null) : null;
}

/** The approval that covers this program of the command. */
export function partKey(
  approvals: readonly Approval[],
  part: CommandPart,
  judging: Judging,
): Approval | null {
  const scope = scopeOf(judging, partsOf(judging.call));
  if (!isPlainList(judging) || isRisky(part.level)) return null;
  // What was approved in one folder does something else in another.
  if (scope.moves || !isContained(part, scope)) return null;
  const prefix = prefixKey(part, scope, judging);
  const { command } = judging.call.assessment;
  const isSimple = command?.parsed === true && command.shape === "simple";
  return (
    approvals.find(({ key, level, shared }) => {
      if (!isAtMost(part.level, level)) return false;
      if (prefix !== null && key === prefix.key) return true;
      return shared && isSimple && coversProgram(key, part, scope, judging);
    }) ?? null
  );
}

/** Keys that other programs wrote: by the first word alone, as a shell's pattern. They name no folder. */
function coversProgram(
  key: string,
  { words: [program] }: CommandPart,
  scope: CommandScope,
  judging: Judging,
): boolean {
  if (program == null || !key.startsWith("terminal:")) return false;
  return folderOf(program, scope, judging) === null && matchesText(key, `terminal:${program}`);
}

/** Nothing in it runs inside of something else. */
function isPlainList({ call }: Judging): boolean {
  const { command } = call.assessment;
  return command?.parsed === true && command.shape !== "compound" && command.parts.length > 0;
}

function prefixKey(
  part: CommandPart,
  scope: CommandScope,
  judging: Judging,
): { key: string; words: string; place: string } | null {
  const [program, ...rest] = firstWords(part.words) ?? [];
  if (program === undefined) return null;
  const words = [programFrom(program, scope, judging.where.project), ...rest].join(" ");
  const folder = folderOf(program, scope, judging);
  if (folder === null) return { key: `terminal:${words}`, words, place: "" };
  return { key: `terminal${mark(folder)}:${words}`, words, place: ` in ${folder}` };
}

/**
 * The folder that a program is bound to, since what lies there says what it runs; null: it is the
 * workspace's own, or any.
 */
function folderOf(
  program: string,
  { directory, workspace }: CommandScope,
  { where }: Judging,
): string | null {
  const isUnbound = directory === workspace || isSameAnywhere(program);
  return isUnbound ? null : pathFrom(where.project, directory);
}

/** A colon in it would end it. */
const mark = (folder: string): string => `@${encodeURIComponent(folder)}`;

/** A relative path is another program in another folder. */
function programFrom(program: string, { directory }: CommandScope, project: string): string {
  if (!program.includes("/") || program.startsWith("/")) return program;
  const path = pathFrom(project, realPathOf(`${directory}/${program}`));
  return path.startsWith("/") ? path : `./${path}`;
}

/** For this very text, in the same folder. */
function exactKey(judging: Judging): string {
  const folder = pathFrom(judging.where.project, directoryOf(judging));
  const place = folder === "." ? "" : mark(folder);
  return `terminal_exact${place}:${commandText(judging.call)}`;
}
