/**
 * Whether Git ignores a file: often those that hold secrets. Git itself is not run: the settings of a
 * foreign repository could say what it runs then.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type PathPattern, parseIgnoreLine } from "../lib/path-pattern.ts";
import { isWithin } from "../lib/paths.ts";

/** Of all lists together; those of real projects have a few kilobytes. */
const IGNORE_BYTES_MAX = 32 * 1024;
/** The longer the path, the longer each line takes: their product for every folder on the way. */
const STEPS_MAX = 30_000_000;

/** `path`: absolute, without links. True as well where it cannot be told. */
export function isGitIgnored(path: string, project: string, home: string): boolean {
  if (!isWithin(project, path) || path === project) return false;
  const way = relative(project, path);
  const names = way.split("/");
  const room = Math.min(IGNORE_BYTES_MAX, STEPS_MAX / (way.length * names.length));
  const lists = readerOf(room);
  const shared = [join(home, ".config/git/ignore"), join(project, ".git/info/exclude")];
  try {
    const sources = shared.map((file) => ({ depth: 0, lines: lists.read(file) }));
    // Folders from the top down: nothing is taken back below one that is ignored.
    for (let depth = 1; depth <= names.length; depth++) {
      const folder = join(project, ...names.slice(0, depth - 1));
      sources.push({ depth: depth - 1, lines: lists.read(join(folder, ".gitignore")) });
      const isFolder = depth < names.length;
      const last = sources
        .flatMap(({ depth: from, lines }) =>
          lines.filter(
            (line) =>
              (isFolder || !line.directoriesOnly) && line.matches(names.slice(0, depth), from),
          ),
        )
        .at(-1);
      if (last?.negated === false) return true;
    }
    return false;
  } catch {
    // A file that says what is ignored and cannot be read.
    return true;
  }
}

/** Reads lists of ignored files, as many bytes as there is room for. Throws where one is not usable. */
function readerOf(room: number): { read(path: string): PathPattern[] } {
  let left = room;
  return {
    read(path) {
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats === undefined) return [];
      left -= stats.size;
      if (!stats.isFile() || left < 0)
        throw new Error(`${dirname(path)} has no usable list of ignored files`);
      return readFileSync(path, "utf8")
        .split("\n")
        .map(parseIgnoreLine)
        .filter((pattern) => pattern !== null);
    },
  };
}
