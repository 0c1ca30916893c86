/** What somebody may have meant who named a path that is not there. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { shown } from "../../lib/shown.ts";
import { similarNames } from "../../lib/similar-names.ts";

const NAMES_MAX = 5_000;

/** As `; did you mean index.ts?`, or what to do instead. The path is absolute. */
export function similarName(path: string, isRuledOut: (path: string) => boolean): string {
  const directory = dirname(path);
  const names = namesIn(directory).filter((name) => !isRuledOut(join(directory, name)));
  const [best] = similarNames(basename(path), names);
  return best === undefined
    ? "; use file_list to see what is there"
    : `; did you mean ${shown(best)}?`;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).slice(0, NAMES_MAX);
  } catch {
    // Its directory is not there either, so that there is nothing to propose.
    return [];
  }
}
