/**
 * What rules are held against: a call, or each program of its command. What that takes is worked out once,
 * however many rules there are, and within a time; what is not known by then may be anything.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { compilePathRule, type PathRule } from "../lib/path-rule.ts";
import { expandHome } from "../lib/paths.ts";
import { compileWildcard } from "../lib/wildcard.ts";
import {
  type CheckedCall,
  changesOf,
  commandText,
  directoryOf,
  isCommand,
  partsOf,
  placesOf,
} from "./call.ts";
import type { CommandPart } from "./command.ts";
import { MOVERS } from "./command-scope.ts";
import { programName, type Words } from "./command-words.ts";
import { type Place, placeOf, type Surroundings } from "./places.ts";
import { expandBraces } from "./shell/braces.ts";

export type Unit = {
  call: CheckedCall;
  where: Surroundings;
  /** Null: it is no command, or one that was not understood. */
  part: CommandPart | null;
  /** Of a command; not `whole`: there are more. */
  words(): Found<string>;
  /** What it is about, or would change. */
  places(): Found<Place>;
  /** `strict` as there. */
  pathRule(pattern: string, strict: boolean): PathRule;
  /** Whether there was no time to look at everything. */
  isLate(): boolean;
};

type Found<Item> = { items: readonly Item[]; whole: boolean };

/** Of a command, those of all its programs together. */
const WORDS_MAX = 1_000;
/** What the patterns of one word may stand for, and how much of a folder is read for that. */
const EXPANDED_MAX = 200;
const ENTRIES_MAX = 10_000;
/** Of a command that goes from one to the next, those in which its paths are looked for. */
const DIRECTORIES_MAX = 8;
const JUDGING_MS_MAX = 250;
/** Places that are looked at however long it takes: a machine that stood still is no reason to ask. */
export const ALWAYS_SEEN = 50;

export function unitsOf(call: CheckedCall, where: Surroundings): Unit[] {
  const parts = isCommand(call) ? partsOf(call) : [];
  const compiled = new Map<string, PathRule>();
  const deadline = performance.now() + JUDGING_MS_MAX;
  const isLate = () => performance.now() > deadline;
  const pathRule = (pattern: string, strict: boolean): PathRule => {
    const key = `${strict} ${pattern}`;
    const known = compiled.get(key) ?? compilePathRule(pattern, { ...where, strict });
    compiled.set(key, known);
    return known;
  };
  const shared = { call, where, isLate, pathRule };
  if (!isCommand(call)) {
    const items = [...placesOf(shared), ...changesOf(call)];
    const nothing = () => ({ items: [], whole: true });
    return [{ ...shared, part: null, words: nothing, places: () => ({ items, whole: true }) }];
  }
  const ways = directoriesOf(call, where, parts);
  let room = WORDS_MAX;
  return (parts.length === 0 ? [null] : parts).map((part, index) => {
    const all = part === null ? wordsIn(commandText(call)) : wordsOf(part);
    const words = { items: all.slice(0, room), whole: all.length <= room };
    room -= words.items.length;
    const way = ways[index] ?? { items: [directoryOf(shared)], whole: true };
    const start = { ...way, items: goneTo(part?.words ?? [], way.items, where) };
    const places = once(() => placesIn(words, start, shared));
    return { ...shared, part, words: () => words, places };
  });
}

/** For each program, where it may run: in any folder that the command has gone to before. */
function directoriesOf(
  call: CheckedCall,
  where: Surroundings,
  parts: readonly CommandPart[],
): Found<string>[] {
  const reached = [directoryOf({ call, where })];
  let whole = true;
  return parts.map(({ words }) => {
    const [program, ...targets] = words;
    const before = { items: [...reached], whole };
    if (program == null || !MOVERS.has(program)) return before;
    const target = targets.findLast((word) => word === null || !word.startsWith("-"));
    if (target === null || /[*?[{]/.test(target ?? "") || reached.length >= DIRECTORIES_MAX) {
      whole = false;
      return before;
    }
    const next = reached.map((from) => placeOf(target ?? "~", from, where.home).written);
    for (const each of next) if (!reached.includes(each)) reached.push(each);
    return before;
  });
}

const GOING = new Set(["git", "make", "gmake", "tar", "bsdtar", "gtar"]);

/** These folders, and those that options as `-C folder` lead to from there, one after the other. */
function goneTo(words: Words, starts: readonly string[], { home }: Surroundings): string[] {
  const reached = [...starts];
  if (!GOING.has(programName(words[0] ?? ""))) return reached;
  let now = starts;
  for (const folder of foldersAmong(words).slice(0, DIRECTORIES_MAX)) {
    now = now.map((from) => placeOf(folder, from, home).written);
    reached.push(...now);
  }
  return reached;
}

/** What only the shell knows is left out. */
const foldersAmong = (words: Words): string[] =>
  words.flatMap((word, index) => {
    const before = words[index - 1] ?? "";
    if (/^(?:-[A-Za-z]*C|--directory)$/.test(before)) return word ?? [];
    return /^(?:-C|--directory=)(.+)/.exec(word ?? "")?.[1] ?? [];
  });

function placesIn(
  words: Found<string>,
  directories: Found<string>,
  { call, where, isLate }: Pick<Unit, "call" | "where" | "isLate">,
): Found<Place> {
  const paths = words.items.flatMap((word) => [word, word.slice(word.indexOf("=") + 1)]);
  const named = [...new Set(paths)].filter(
    (path) => path !== "" && !path.startsWith("-") && !path.includes("\0"),
  );
  let whole = words.whole && directories.whole;
  const items = placesOf({ call, where });
  for (const start of directories.items)
    for (const path of named) {
      if (items.length >= ALWAYS_SEEN && isLate()) return { items, whole: false };
      const expanded = expandedIn(expandHome(path, where.home), start);
      whole &&= expanded.whole;
      for (const each of [path, ...expanded.items]) items.push(placeOf(each, start, where.home));
    }
  return { items, whole };
}

/** What a shell makes of a pattern: the paths that are there. None where it has no pattern in it. */
function expandedIn(path: string, start: string): Found<string> {
  if (!/[*?[]/.test(path)) return { items: [], whole: true };
  let found = [path.startsWith("/") ? "/" : start];
  for (const name of path.split("/").filter((each) => each !== "")) {
    if (!/[*?[]/.test(name)) {
      found = found.map((each) => join(each, name));
      continue;
    }
    const matches = compileWildcard(name);
    const entries = found.flatMap((folder) =>
      namesIn(folder).map((each) => [folder, each] as const),
    );
    if (entries.length > ENTRIES_MAX) return { items: [], whole: false };
    found = entries
      .filter(([, each]) => matches === null || matches(each))
      .map(([folder, each]) => join(folder, each));
    if (found.length > EXPANDED_MAX) return { items: [], whole: false };
  }
  return { items: found, whole: true };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // No folder, or none that may be looked into: no shell finds anything there.
    return [];
  }
}

function wordsOf({ text, words, redirections }: CommandPart): string[] {
  const known = [...words, ...redirections.map(({ path }) => path)].filter((word) => word !== null);
  return words.includes(null) ? [...known, ...bracedIn(text)] : known;
}

/** What the lists in braces stand for; among the words they are unknown. */
const bracedIn = (text: string): string[] =>
  wordsIn(text).flatMap((word) => {
    const expanded = word.includes("{") ? expandBraces(word) : null;
    return expanded === null || expanded.length === 1 ? [] : expanded;
  });

/** Of a text that was not understood. */
const wordsIn = (text: string): string[] => text.replace(/["'\\]/g, "").split(/[\s;&|()<>`]+/);

function once<Value>(work: () => Value): () => Value {
  let done: { value: Value } | null = null;
  return () => {
    done ??= { value: work() };
    return done.value;
  };
}
