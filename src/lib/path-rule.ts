/**
 * What a rule means by a path: a pattern as in .gitignore, from the workspace on, from `~/` on or absolute.
 * Held against absolute paths without links.
 */
import { dirname, join } from "node:path";
import { parsePathPattern } from "./path-pattern.ts";
import { realPathOf } from "./paths.ts";
import { literalWildcard } from "./wildcard.ts";

export type PathRule = {
  /** Whether it means this very path. */
  means(path: string): boolean;
  /** Whether it means the path or a folder that it is in. */
  covers(path: string): boolean;
};

type Reading = {
  /** Absolute, without links. */
  workspace: string;
  home: string;
  strict: boolean;
};

/**
 * `strict`, for what keeps out: links that the pattern names are followed, two spellings are one name, as
 * for some file systems, and who may not touch what is in a folder may not touch the folder. Throws where
 * the pattern is none, which whoever reads rules has refused before.
 */
export function compilePathRule(pattern: string, reading: Reading): PathRule {
  const fold = (text: string) => (reading.strict ? text.toLowerCase() : text);
  const matchers = spellings(pattern, reading).map((spelling) => {
    if (spelling === "/") return () => true;
    const parsed = parsePathPattern(fold(spelling));
    if (parsed === null) throw new Error(`The path of a rule is no pattern: ${pattern}`);
    return (names: readonly string[]) => parsed.matches(names, 0);
  });
  const means = (path: string) => {
    const names = fold(path).slice(1).split("/");
    // What is said of any name in the workspace is said of the workspace.
    const also = path === reading.workspace ? [[...names, ""]] : [];
    return [names, ...also].some((each) => matchers.some((matches) => matches(each)));
  };
  return {
    means,
    covers(path) {
      for (let at = path; ; at = dirname(at)) {
        if (means(at)) return true;
        if (at === dirname(at)) return false;
      }
    },
  };
}

/** The pattern from the root on, as it is written and as far as it is named where that leads. */
function spellings(pattern: string, { workspace, home, strict }: Reading): string[] {
  const fromHome = pattern === "~" || pattern.startsWith("~/");
  const isRooted = fromHome || pattern.startsWith("/");
  const written = fromHome ? pattern.slice(1) : pattern;
  const names = written.split("/").filter((name) => name !== "" && name !== ".");
  // A name by itself is meant at any depth.
  if (!isRooted && !written.replace(/\/+$/, "").includes("/")) names.unshift("**");
  if (strict) while (names.at(-1) === "**") names.pop();

  const root = fromHome ? home : "/";
  const start = isRooted ? root : workspace;
  const wild = names.findIndex((name) => /[*?[\\]/.test(name));
  const named = join(start, ...names.slice(0, wild === -1 ? names.length : wild));
  // What a repository's own links lead to is not allowed by their names.
  const places = strict || isRooted ? [named, realPathOf(named)] : [named];
  const rest = wild === -1 ? [] : names.slice(wild);
  return places.map((place) => join(literalWildcard(place), ...rest));
}
