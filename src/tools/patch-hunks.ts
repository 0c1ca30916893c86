/**
 * Putting hunks into a text. What they say of the old text must be there exactly; where, may differ from
 * what they say, as long as there is one such place.
 */
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { DetailedFailure } from "./file-plan.ts";
import { mismatch } from "./patch-mismatch.ts";
import type { Hunk } from "./patch-parts.ts";
import { countLineEnds, cutLine, hasCrlf } from "./text.ts";

const LISTED_PLACES_MAX = 10;
/** More take so long to be told apart that others would wait. */
const LINES_MAX = 1_000_000;

/** Throws a failure that names the hunk, what it expects and what is there. */
export async function applyHunks(
  path: string,
  text: string,
  hunks: readonly Hunk[],
): Promise<string> {
  const lineEnd = hasCrlf(text) ? "\r\n" : "\n";
  const count = countLineEnds(text, 0, text.length);
  if (count > LINES_MAX)
    throw new ToolFailure(
      `Too many lines for a patch: ${quotedPath(path)} has ${count}, the limit is ${LINES_MAX}; use file_edit`,
    );
  const lines = text === "" ? [] : text.split(lineEnd);
  let endsWithBreak = lines.at(-1) === "" || text === "";
  if (lines.at(-1) === "") lines.pop();
  const trimmed = hunks.some(({ anchors }) => anchors.length > 0)
    ? lines.map((line) => line.trim())
    : [];
  const result: string[] = [];
  let done = 0;
  for (const hunk of lineEnd === "\r\n" ? hunks.map(withoutCr) : hunks) {
    // Each search may take milliseconds, and others wait.
    await Bun.sleep(0);
    const start = placeOf(path, lines, hunk, afterAnchors(path, trimmed, hunk, done));
    for (; done < start; done += 1) result.push(lines[done] ?? "");
    for (const { sign, text } of hunk.lines) if (sign !== "-") result.push(text);
    done += oldLines(hunk).length;
    if (done === lines.length) endsWithBreak = breakAtEnd(hunk, endsWithBreak);
  }
  for (; done < lines.length; done += 1) result.push(lines[done] ?? "");
  return result.length === 0 ? "" : result.join(lineEnd) + (endsWithBreak ? lineEnd : "");
}

/** Line ends of the file are kept, whichever the patch has. */
const withoutCr = (hunk: Hunk): Hunk => ({
  ...hunk,
  lines: hunk.lines.map((line) =>
    line.text.endsWith("\r") ? { ...line, text: line.text.slice(0, -1) } : line,
  ),
});

const oldLines = ({ lines }: Hunk): string[] =>
  lines.flatMap(({ sign, text }) => (sign === "+" ? [] : [text]));

/** Of a hunk that reaches the end of the file: whether the file ends with a line break after it. */
function breakAtEnd({ lines }: Hunk, before: boolean): boolean {
  const last = lines.findLast(({ sign }) => sign !== "-");
  if (last?.sign === "+") return !last.endsFile;
  // The last line stays as it was; any other one has a break after it.
  return last !== undefined && last === lines.findLast(({ sign }) => sign !== "+") ? before : true;
}

/** The index of the line where the hunk's old lines begin, `start` or later. */
function placeOf(path: string, lines: readonly string[], hunk: Hunk, start: number): number {
  const old = oldLines(hunk);
  if (old.length === 0) return insertionPlace(path, lines, hunk, start);
  const stated = (hunk.oldStart ?? 0) - 1;
  if (stated >= start && isAt(lines, old, stated)) return stated;
  const places = occurrences(lines, old, start);
  const candidates = hunk.atEnd
    ? places.filter((place) => place + old.length === lines.length)
    : places;
  const [first] = candidates;
  if (first === undefined) throw mismatch(path, lines, hunk, old, start);
  if (candidates.length === 1 || hunk.anchors.length > 0) return first;
  throw ambiguous(path, lines, hunk, candidates);
}

/** From the line on that was found last, so that many anchors take no longer than one. */
function afterAnchors(path: string, trimmed: readonly string[], hunk: Hunk, from: number): number {
  let at = from;
  for (const anchor of hunk.anchors) {
    const found = trimmed.indexOf(anchor, at);
    if (found === -1)
      throw new DetailedFailure(
        `Nothing changed: ${hunk.label} of ${quotedPath(path)} does not match`,
        `There is no line${at === 0 ? "" : ` after line ${at}`} that says\n  ${cutLine(anchor)}\nAfter @@ comes a whole line of the file.`,
      );
    at = found;
  }
  return at;
}

/** Where a hunk goes that has nothing but new lines. */
function insertionPlace(path: string, lines: readonly string[], hunk: Hunk, start: number): number {
  if (hunk.anchors.length > 0) return start + 1;
  if (hunk.oldStart === null) return lines.length;
  const place = hunk.oldStart - 1;
  if (place >= start && place <= lines.length) return place;
  throw new DetailedFailure(
    `Nothing changed: ${hunk.label} of ${quotedPath(path)} does not match`,
    `It has no context, and line ${place} is not where it can go: the file has ${lines.length} lines.`,
  );
}

const isAt = (lines: readonly string[], old: readonly string[], place: number): boolean =>
  old.every((line, index) => lines[place + index] === line);

/** Where the lines stand in this order; in time that grows with the number of lines only. */
function occurrences(lines: readonly string[], old: readonly string[], from: number): number[] {
  const borders = bordersOf(old);
  const places: number[] = [];
  let matched = 0;
  for (let at = from; at < lines.length; at += 1) {
    while (matched > 0 && lines[at] !== old[matched]) matched = borders[matched - 1] ?? 0;
    if (lines[at] === old[matched]) matched += 1;
    if (matched < old.length) continue;
    places.push(at - old.length + 1);
    matched = borders[matched - 1] ?? 0;
  }
  return places;
}

/** For each beginning of the lines, how much of it is also its end. */
function bordersOf(lines: readonly string[]): number[] {
  const borders = [0];
  let length = 0;
  for (let at = 1; at < lines.length; at += 1) {
    while (length > 0 && lines[at] !== lines[length]) length = borders[length - 1] ?? 0;
    if (lines[at] === lines[length]) length += 1;
    borders.push(length);
  }
  return borders;
}

function ambiguous(
  path: string,
  lines: readonly string[],
  { label }: Hunk,
  places: readonly number[],
) {
  const listed = places
    .slice(0, LISTED_PLACES_MAX)
    .map((place) => `${place + 1}\t${cutLine(lines[place] ?? "")}`);
  if (places.length > listed.length) listed.push(`… and ${places.length - listed.length} more`);
  return new DetailedFailure(
    `Nothing changed: ${label} of ${quotedPath(path)} matches in ${places.length} places`,
    `Add lines of context, or the right line number. It matches where these lines begin:\n${listed.join("\n")}`,
  );
}
