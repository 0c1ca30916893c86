/** Finds files by their paths, newest first. */
import { lstatSync } from "node:fs";
import { counted } from "../../lib/counted.ts";
import { matchesGlob, requireGlob } from "./grep.ts";
import { type Answer, GLOB_PATHS_MAX, type GlobJob, OUTPUT_CHARS_MAX, type Place } from "./job.ts";
import { leftOut, newTally, warnings } from "./tally.ts";
import { openTree, shownPath, walkFiles } from "./tree.ts";

/** Throws ToolFailure with what is wrong with the job. */
export function globFiles(job: Place & GlobJob): Answer {
  const glob = requireGlob(withinBase(job.pattern, job.base));
  const tally = newTally();
  const hidden = (name: string) => !glob.negated && glob.names(name);
  const tree = openTree(job, { tally, ignored: false, hidden });
  const found: { path: string; changedAt: number }[] = [];
  for (const file of walkFiles(tree)) {
    tally.searched += 1;
    if (!matchesGlob(glob, file, tree)) continue;
    const changedAt = lstatSync(file.at, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    found.push({ path: shownPath(job, file), changedAt });
  }
  // The walk is in the order of names, which stays among files of one age.
  found.sort((a, b) => b.changedAt - a.changedAt);
  const shown = fitting(found.map(({ path }) => path));
  const missed = leftOut(tally);
  const more = found.length - shown.length;
  const notes = [
    found.length === 0
      ? `No file matches; looked at ${counted(tally.searched, "file")}`
      : `${counted(found.length, "file")}, newest first`,
    more === 0 ? "" : `${more} older ones are not shown: narrow the pattern or path`,
    found.length > 0 || missed === "" ? "" : `left out: ${missed}; name them in path to look there`,
    ...warnings(tally),
  ].filter((note) => note !== "");
  const gap = shown.length === 0 ? [] : [""];
  return {
    ok: true,
    text: [...shown, ...gap, `[${notes.join("; ")}]`].join("\n"),
    metadata: { files: found.length, truncated: more > 0 || tally.stoppedAt !== null },
  };
}

/** Models write absolute patterns, too. */
const withinBase = (glob: string, base: string): string =>
  glob.startsWith(`${base}/`) ? glob.slice(base.length) : glob;

function fitting(paths: readonly string[]): string[] {
  const shown: string[] = [];
  let chars = 0;
  for (const path of paths.slice(0, GLOB_PATHS_MAX)) {
    chars += path.length + 1;
    if (chars > OUTPUT_CHARS_MAX) break;
    shown.push(path);
  }
  return shown;
}
