/** What somebody may have meant who named a path that is not there. */
import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { shown } from "./problem.ts";

const NAMES_MAX = 5_000;
const NAME_CHARS_MAX = 100;
/** This many letters may be wrong, of a name that is long enough for it. */
const DISTANCE_MAX = 2;

/** As `; did you mean src/index.ts?`, or empty. The path is absolute and nothing of its parent is private. */
export function similarName(path: string): string {
  const wanted = basename(path).toLowerCase();
  const best = namesIn(dirname(path))
    .map((name) => ({ name, distance: distanceOf(wanted, name.toLowerCase()) }))
    .filter(({ distance }) => distance <= DISTANCE_MAX)
    .sort((a, b) => a.distance - b.distance)[0];
  return best ? `; did you mean ${shown(best.name)}?` : "; use file_list to see what is there";
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).slice(0, NAMES_MAX);
  } catch {
    // Its directory is not there either, so that there is nothing to propose.
    return [];
  }
}

/** 1 where they differ in the extension only, else how many letters are wrong; large: nothing alike. */
function distanceOf(wanted: string, name: string): number {
  if (wanted === name) return 0;
  if (stem(wanted) !== "" && stem(wanted) === stem(name)) return 1;
  if (wanted.length <= DISTANCE_MAX || wanted.length > NAME_CHARS_MAX) return Infinity;
  return Math.abs(wanted.length - name.length) > DISTANCE_MAX ? Infinity : edits(wanted, name);
}

const stem = (name: string): string => name.split(".")[0] ?? "";

/** How many letters have to be put in, taken out or changed. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1];
    for (let at = 1; at <= to.length; at++) {
      const changed = (row[at - 1] ?? 0) + (letter === to[at - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? Infinity;
}
