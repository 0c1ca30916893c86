/** The lines of one file that match a pattern. */

import { counted } from "../../lib/counted.ts";
import { quotedPath } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import { createTextReader } from "./file-text.ts";
import { COSTLY_ADVICE, COSTLY_LINES_MAX } from "./grep.ts";
import { type Answer, FILE_BYTES_MAX, type FileGrepJob, type Place } from "./job.ts";
import { findMatches, type Match } from "./match.ts";
import { compilePattern } from "./pattern.ts";
import { showLines } from "./shown-lines.ts";
import { newTally } from "./tally.ts";
import { openTree, walkFiles } from "./tree.ts";

const MATCHES_MAX = 50;

/** Throws ToolFailure with what is wrong with the job. */
export function fileGrep(job: Place & FileGrepJob): Answer {
  const pattern = compilePattern(job.pattern, { ...job, literal: false, multiline: false });
  const text = textOf(job);
  const costly: number[] = [];
  const matching = {
    pattern,
    multiline: false,
    deadline: job.deadline,
    onCostly: (line: number) => void costly.push(line),
  };
  const first: Match[] = [];
  let count = 0;
  for (const match of findMatches(text, matching)) {
    count += 1;
    if (count <= MATCHES_MAX) first.push(match);
    if (costly.length >= COSTLY_LINES_MAX) break;
  }
  const undecided = `undecided in line ${costly.join(", ")}: ${COSTLY_ADVICE}`;
  if (count === 0 && costly.length > 0) throw new ToolFailure(`Nothing found, but ${undecided}`);
  const lines: string[] = [];
  for (const line of showLines(text, first, { before: 0, after: 0 }))
    if (line.kind !== "gap") lines.push(`${line.line}: ${line.text}`);
  const notes = [
    count > MATCHES_MAX ? `… ${count - MATCHES_MAX} more` : "",
    costly.length > 0 ? undecided : "",
    Date.now() > job.deadline ? "the time was up, the rest was not searched" : "",
  ].filter((note) => note !== "");
  return {
    ok: true,
    text: [
      count === 0
        ? `✓ No matches in ${quotedPath(job.asked)}`
        : `✓ Found ${counted(count, "match", "matches")} in ${quotedPath(job.asked)}:\n`,
      ...lines,
      ...(notes.length === 0 ? [] : [`\n[${notes.join("; ")}]`]),
    ].join("\n"),
    metadata: { matches: count },
  };
}

function textOf(job: Place & FileGrepJob): string {
  const tally = newTally();
  const tree = openTree(job, { tally, ignored: true, hidden: () => true });
  if (tree.root.kind === "directory")
    throw new ToolFailure(
      `Is a directory: ${quotedPath(job.asked)}; use grep to search a directory`,
    );
  const readText = createTextReader(tally);
  for (const file of walkFiles(tree)) {
    const text = readText(file);
    if (text !== null) return text;
    if (tally.tooLarge > 0)
      throw new ToolFailure(
        `File too large: ${quotedPath(job.asked)}, the limit is ${FILE_BYTES_MAX} bytes`,
      );
    if (tally.binary > 0)
      throw new ToolFailure(`Cannot search binary file: ${quotedPath(job.asked)}`);
    throw new ToolFailure(`Cannot read the file: ${quotedPath(job.asked)}`);
  }
  throw new ToolFailure(`Not a regular file: ${quotedPath(job.asked)}`);
}
