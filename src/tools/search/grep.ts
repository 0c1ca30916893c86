/** Searches the files of a tree, or one file, for a pattern. */

import { counted } from "../../lib/counted.ts";
import { type Glob, parseGlob } from "../../lib/path-pattern.ts";
import { quoted } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import { createTextReader } from "./file-text.ts";
import { globsOfType, TYPE_NAMES } from "./file-types.ts";
import { type Answer, FILE_BYTES_MAX, type GrepJob, OUTPUT_CHARS_MAX, type Place } from "./job.ts";
import { findMatches, type Match } from "./match.ts";
import { compilePattern } from "./pattern.ts";
import { type ShownLine, showLines } from "./shown-lines.ts";
import { leftOut, newTally, type Tally, warnings } from "./tally.ts";
import { type Entry, openTree, shownPath, type Tree, walkFiles } from "./tree.ts";

/** A pattern that could not be decided in so many lines is not tried on more. */
export const COSTLY_LINES_MAX = 5;

export const COSTLY_ADVICE =
  "the pattern takes too long there: make nested or repeated quantifiers, as in (a+)+ or .*.*, simpler";

type Found = {
  lines: string[];
  chars: number;
  /** No more lines can be shown. */
  isFull: boolean;
  matches: number;
  files: number;
  /** Why no more was looked for; null: there is no more. */
  cut: string | null;
  /** Lines of which it is not known whether they match. */
  costly: string[];
};

type Searched = { text: string; matches: Generator<Match>; job: GrepJob; found: Found };

/** Throws ToolFailure with what is wrong with the job. */
export function grep(job: Place & GrepJob): Answer {
  const pattern = compilePattern(job.pattern, job);
  const isWanted = fileFilter(job);
  const tally = newTally();
  const readText = createTextReader(tally);
  const tree = openTree(job, { tally, ignored: false, hidden: isWanted.hidden });
  const found: Found = {
    lines: [],
    chars: 0,
    isFull: false,
    matches: 0,
    files: 0,
    cut: null,
    costly: [],
  };
  for (const file of walkFiles(tree)) {
    // A file that was asked for by its name is searched, whatever kind of file it is.
    if (tree.root.kind === "directory" && !isWanted.file(file, tree)) continue;
    const text = readText(file);
    const path = shownPath(job, file);
    if (text === null && tally.tooLarge > 0 && tree.root.kind !== "directory")
      throw new ToolFailure(
        `${path} is larger than ${FILE_BYTES_MAX / 1024 / 1024} MB and is not searched`,
      );
    if (text === null) continue;
    const onCostly = (line: number) => void found.costly.push(`${path}:${line}`);
    const matches = findMatches(text, { ...job, pattern, onCostly });
    const show = job.mode === "content" ? showMatches : nameFile;
    show(path, { text, matches, job, found });
    if (Date.now() > job.deadline) tally.stoppedAt = path;
    if (found.costly.length >= COSTLY_LINES_MAX) found.cut ??= "the rest was not searched";
    if (found.cut !== null || tally.stoppedAt !== null) break;
  }
  return answer(job, found, tally);
}

function nameFile(path: string, { matches, job, found }: Searched): void {
  if (matches.next().done) return;
  if (found.files === job.limit) {
    found.cut = moreThan(job.limit);
    return;
  }
  let count = 1;
  if (job.mode === "count") for (const _ of matches) count += 1;
  found.files += 1;
  found.matches += count;
  add(found, job.mode === "count" ? `${path}:${count}` : path);
}

function showMatches(path: string, { text, matches, job, found }: Searched): void {
  const taken: Match[] = [];
  for (const match of matches) {
    // One more than is wanted shows that there are more.
    if (found.matches + taken.length === job.limit) {
      found.cut = moreThan(job.limit);
      break;
    }
    taken.push(match);
  }
  if (taken.length === 0) return;
  found.files += 1;
  found.matches += taken.length;
  const grouped = job.before + job.after > 0;
  if (grouped && found.lines.length > 0) add(found, "--");
  for (const line of showLines(text, taken, job)) {
    if (line.kind !== "gap" || grouped) add(found, shownLine(path, line));
    if (found.isFull) break;
  }
}

const moreThan = (limit: number): string =>
  `there are more than ${limit}: narrow the pattern, path or glob, or raise head_limit`;

function add(found: Found, line: string): void {
  if (found.isFull || found.chars + line.length > OUTPUT_CHARS_MAX) {
    found.isFull = true;
    found.cut = "the rest would be too long to show: narrow the pattern, path or glob";
    return;
  }
  found.chars += line.length + 1;
  found.lines.push(line);
}

function shownLine(path: string, line: ShownLine): string {
  if (line.kind === "gap") return "--";
  const mark = line.kind === "match" ? ":" : "-";
  return `${path}${mark}${line.line}${mark}${line.text}`;
}

function answer(job: GrepJob, found: Found, tally: Tally): Answer {
  const { matches, files, cut } = found;
  if (matches === 0 && found.costly.length > 0)
    return { ok: false, error: `Undecided at ${found.costly.join(", ")}: ${COSTLY_ADVICE}` };
  const summary = matches === 0 ? noMatch(job, tally) : `${total(job, found)}; ${searched(tally)}`;
  const notes = [
    summary,
    ...(cut === null ? [] : [cut]),
    ...(found.costly.length === 0
      ? []
      : [`undecided at ${found.costly.join(", ")}: ${COSTLY_ADVICE}`]),
    ...warnings(tally),
  ];
  const text = [...found.lines, ...(matches === 0 ? [] : [""]), `[${notes.join("; ")}]`];
  return {
    ok: true,
    text: text.join("\n"),
    metadata: {
      matches,
      files,
      files_searched: tally.searched,
      truncated: cut !== null || tally.stoppedAt !== null,
    },
  };
}

function total({ mode }: GrepJob, { matches, files }: Found): string {
  if (mode === "files") return counted(files, "file matches", "files match");
  const lines = counted(matches, "match", "matches");
  return `${lines} in ${counted(files, "file")}`;
}

const searched = ({ searched }: Tally): string => `${counted(searched, "file")} searched`;

function noMatch({ glob, type }: GrepJob, tally: Tally): string {
  const missed = leftOut(tally);
  const filters = [glob && `glob ${quoted(glob)}`, type && `type ${quoted(type)}`]
    .filter(Boolean)
    .join(" and ");
  return [
    `No match; ${searched(tally)}`,
    filters === "" || tally.searched > 0 ? "" : `no file there passes ${filters}`,
    missed === "" ? "" : `left out: ${missed}; name such a file or directory as path to search it`,
  ]
    .filter((part) => part !== "")
    .join("; ");
}

function fileFilter({ glob, type }: GrepJob) {
  const globs = glob === null ? null : requireGlob(glob);
  const types = type === null ? null : typeGlobs(type);
  return {
    hidden: (name: string) => globs !== null && !globs.negated && globs.names(name),
    file: (file: Entry, tree: Tree) =>
      (types === null || types.some((each) => each.matches(file.segments, 0))) &&
      (globs === null || matchesGlob(globs, file, tree)),
  };
}

/** A glob is meant from the directory that is searched, or from the workspace. */
export function matchesGlob(glob: Glob, { segments }: Entry, { root }: Tree): boolean {
  const matches = glob.matches(segments, root.segments.length) || glob.matches(segments, 0);
  return matches !== glob.negated;
}

/** Throws ToolFailure with what is wrong with it. */
export function requireGlob(text: string): Glob {
  const glob = parseGlob(text);
  if ("problem" in glob) throw new ToolFailure(`The glob is not valid: ${glob.problem}`);
  return glob;
}

function typeGlobs(type: string): Glob[] {
  const globs = globsOfType(type);
  if (!globs)
    throw new ToolFailure(
      `No such file type: ${quoted(type)}. Use glob, or one of ${TYPE_NAMES.join(", ")}`,
    );
  return globs.map(requireGlob);
}
