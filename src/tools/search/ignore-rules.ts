/**
 * What a repository does not want to be looked at: `.ignore`, `.gitignore` and `.git/info/exclude`, of
 * every directory on the way, as ripgrep has it: the first kind of file that says anything counts, and of
 * one kind the file that is nearest.
 */

import { type PathPattern, parseIgnoreLine } from "../../lib/path-pattern.ts";
import type { HeldDirectory } from "../held-directory.ts";
import { holdBelow, readFileWithin } from "./held-files.ts";

const IGNORE_BYTES_MAX = 1024 * 1024;

const KINDS = ["ignore", "gitignore", "exclude"] as const;

/** What one directory says about everything below it. */
export type IgnoreLevel = Record<(typeof KINDS)[number], PathPattern[]> & {
  /** How many segments of a path lead to this directory. */
  depth: number;
  /** What Git ignores outside a repository is nothing to the files in it. */
  startsRepository: boolean;
};

/** `names`: what is in the directory. null: it says nothing. */
export function readIgnoreLevel(
  directory: HeldDirectory,
  names: ReadonlySet<string>,
  depth: number,
): IgnoreLevel | null {
  const startsRepository = names.has(".git");
  const level = { ignore: [], gitignore: [], exclude: [], depth, startsRepository } as IgnoreLevel;
  if (names.has(".ignore")) level.ignore = readPatterns(directory, ".ignore");
  if (names.has(".gitignore")) level.gitignore = readPatterns(directory, ".gitignore");
  if (startsRepository) level.exclude = readExclude(directory);
  return startsRepository || KINDS.some((kind) => level[kind].length > 0) ? level : null;
}

/** Of one entry, whose directory is not ignored. `levels`: from the top down. */
export function isIgnored(
  levels: readonly IgnoreLevel[],
  segments: readonly string[],
  isDirectory: boolean,
): boolean {
  for (const kind of KINDS) {
    for (let index = levels.length - 1; index >= 0; index--) {
      const level = levels[index] as IgnoreLevel;
      const verdict = lastMatching(level[kind], segments, level.depth, isDirectory);
      if (verdict) return !verdict.negated;
      if (level.startsRepository && kind !== "ignore") break;
    }
  }
  return false;
}

function lastMatching(
  patterns: readonly PathPattern[],
  segments: readonly string[],
  start: number,
  isDirectory: boolean,
): PathPattern | undefined {
  return patterns.findLast(
    (pattern) => (isDirectory || !pattern.directoriesOnly) && pattern.matches(segments, start),
  );
}

function readExclude(directory: HeldDirectory): PathPattern[] {
  let info: HeldDirectory;
  try {
    info = holdBelow(directory, [".git", "info"]);
  } catch {
    // A worktree, whose `.git` is a file, or a link: then nothing is excluded here.
    return [];
  }
  try {
    return readPatterns(info, "exclude");
  } finally {
    info.release();
  }
}

function readPatterns(directory: HeldDirectory, name: string): PathPattern[] {
  try {
    const bytes = readFileWithin(directory.at(name), IGNORE_BYTES_MAX);
    if (bytes === null || bytes === "too_large") return [];
    const lines = bytes.toString("utf8").split("\n");
    return lines.map(parseIgnoreLine).filter((pattern) => pattern !== null);
  } catch {
    // Not there, not readable, or a link, which Git does not read either: then it says nothing.
    return [];
  }
}
