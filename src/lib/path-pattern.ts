/** Paths against the patterns of ignore files, globs and rules: one grammar, that of .gitignore. */
import { ANY_NUMBER, compileWildcard, matchSequence, type Sequence } from "./wildcard.ts";

export type PathPattern = {
  /** Written with a `!`: takes back what an earlier pattern said. */
  negated: boolean;
  directoriesOnly: boolean;
  /** Of a path's segments, those from `start` on are what the pattern was written for. */
  matches(segments: readonly string[], start: number): boolean;
};

const PATTERN_CHARS_MAX = 1_000;
const ALTERNATIVES_MAX = 200;

/** null: says nothing, as an empty line or a comment, or is not to be understood. */
export function parseIgnoreLine(line: string): PathPattern | null {
  const text = withoutTrailingSpaces(line);
  if (text === "" || text.startsWith("#") || text.length > PATTERN_CHARS_MAX) return null;
  const negated = text.startsWith("!");
  return compilePath(negated ? text.slice(1) : text, negated);
}

/** As a line of .gitignore, but neither a comment nor negated, whatever it begins with. null: it is none. */
export const parsePathPattern = (text: string): PathPattern | null => compilePath(text, false);

export type Glob = {
  /** Written with a `!`: everything but what matches. */
  negated: boolean;
  /** Whether the path matches: its segments from `start` on. */
  matches(segments: readonly string[], start: number): boolean;
  /** Whether the glob asks for this hidden name: says `.github/*`, not just `*`. */
  names(hidden: string): boolean;
};

/** As `rg --glob`: without a slash it matches at any depth, `{a,b}` is either. Or what is wrong with it. */
export function parseGlob(glob: string): Glob | { problem: string } {
  const negated = glob.startsWith("!");
  const text = (negated ? glob.slice(1) : glob).replace(/^\.\//, "").replace(/\/$/, "/**");
  if (text === "") return { problem: "it is empty" };
  if (text.length > PATTERN_CHARS_MAX)
    return { problem: `it is longer than ${PATTERN_CHARS_MAX} characters` };
  const alternatives = expandBraces(text);
  if (alternatives === null)
    return { problem: `it has an unclosed '{', or more than ${ALTERNATIVES_MAX} alternatives` };
  const patterns: PathPattern[] = [];
  for (const alternative of alternatives) {
    const pattern = compilePath(alternative, false);
    if (pattern === null) return { problem: "it has an unclosed '['" };
    patterns.push(pattern);
  }
  const hidden = alternatives.flatMap((alternative) =>
    alternative.split("/").filter((segment) => /^\\?\./.test(segment)),
  );
  const hiddenNames = hidden.map(compileWildcard);
  return {
    negated,
    matches: (segments, start) => patterns.some((pattern) => pattern.matches(segments, start)),
    names: (name) => hiddenNames.some((matches) => matches?.(name)),
  };
}

function compilePath(pattern: string, negated: boolean): PathPattern | null {
  const directoriesOnly = pattern.endsWith("/");
  const path = directoriesOnly ? pattern.slice(0, -1) : pattern;
  const parts = path.replace(/^\//, "").split("/");
  const anchored = path.includes("/");
  const sequence: Sequence<string>[number][] = [];
  for (const [index, part] of parts.entries()) {
    const wildcard = compileWildcard(part);
    if (wildcard === null) return null;
    const isLast = index === parts.length - 1;
    const anyDepth = part === "**" && anchored;
    if (anyDepth) sequence.push(ANY_NUMBER);
    // `a/**` is what is inside, and not `a` itself.
    if (!anyDepth || isLast) sequence.push(anyDepth ? () => true : wildcard);
  }
  const [only] = sequence;
  if (!anchored && typeof only === "function")
    return { negated, directoriesOnly, matches: (segments) => only(segments.at(-1) ?? "") };
  return {
    negated,
    directoriesOnly,
    matches: (segments, start) => matchSequence(sequence, segments, start),
  };
}

/** Spaces at the end do not count, unless a backslash is before them. */
function withoutTrailingSpaces(line: string): string {
  let end = line.endsWith("\r") ? line.length - 1 : line.length;
  while (line[end - 1] === " " && line[end - 2] !== "\\") end -= 1;
  return line.slice(0, end);
}

/** `a{b,c}` as `ab` and `ac`; null where there are too many, or a brace stays open. */
function expandBraces(glob: string): string[] | null {
  const open = indexUnescaped(glob, "{", 0);
  if (open === -1) return [glob];
  const parts: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < glob.length; at++) {
    if (glob[at] === "\\") at += 1;
    else if (glob[at] === "{") depth += 1;
    else if (glob[at] === "," && depth === 1) {
      parts.push(glob.slice(start, at));
      start = at + 1;
    } else if (glob[at] === "}") {
      depth -= 1;
      if (depth > 0) continue;
      parts.push(glob.slice(start, at));
      return joinParts(glob.slice(0, open), parts, glob.slice(at + 1));
    }
  }
  return null;
}

function joinParts(before: string, parts: readonly string[], after: string): string[] | null {
  const all: string[] = [];
  for (const part of parts) {
    const expanded = expandBraces(part + after);
    if (expanded === null || all.length + expanded.length > ALTERNATIVES_MAX) return null;
    all.push(...expanded.map((rest) => before + rest));
  }
  return all;
}

function indexUnescaped(text: string, wanted: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === wanted) return at;
  }
  return -1;
}
