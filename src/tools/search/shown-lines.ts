/** Matching lines with the lines around them, as grep shows them. */
import { lineEnd, type Match } from "./match.ts";

export type ShownLine =
  | { kind: "match" | "context"; line: number; text: string }
  /** Between lines that do not follow each other. */
  | { kind: "gap" };

const LINE_CHARS_MAX = 300;
/** Of a long line, what is kept of what stands before the match. */
const BEFORE_CHARS_MAX = 100;

type Line = { line: number; start: number };

/** `matches`: of this text, in order. A line is shown once. */
export function* showLines(
  text: string,
  matches: Iterable<Match>,
  { before, after }: { before: number; after: number },
): Generator<ShownLine> {
  /** The first line that is not shown yet. */
  let next: Line = { line: 1, start: 0 };
  let owed = 0;
  for (const match of matches) {
    while (owed > 0 && next.start < match.start) {
      yield { kind: "context", line: next.line, text: cutLine(text, next.start) };
      next = following(text, next);
      owed -= 1;
    }
    let context = linesBefore(text, match, before, next);
    if (context.start > next.start && next.line > 1 && before + after > 0) yield { kind: "gap" };
    for (; context.start < match.start; context = following(text, context))
      yield { kind: "context", line: context.line, text: cutLine(text, context.start) };
    let own: Line = { line: match.line, start: match.start };
    for (; own.start <= match.end && own.start <= text.length; own = following(text, own)) {
      const at = own.line === match.line ? match.at : own.start;
      if (own.start >= next.start)
        yield { kind: "match", line: own.line, text: cutLine(text, own.start, at) };
    }
    next = own;
    owed = after;
  }
  for (; owed > 0 && next.start < text.length; owed--) {
    yield { kind: "context", line: next.line, text: cutLine(text, next.start) };
    next = following(text, next);
  }
}

function linesBefore(text: string, match: Line, count: number, floor: Line): Line {
  let { line, start } = match;
  for (let left = count; left > 0 && start > floor.start; left--) {
    start = start >= 2 ? text.lastIndexOf("\n", start - 2) + 1 : 0;
    line -= 1;
  }
  return { line, start };
}

const following = (text: string, { line, start }: Line): Line => ({
  line: line + 1,
  start: lineEnd(text, start) + 1,
});

/** The line that begins at `start`, cut around `at` where it is long, without what would disturb a screen. */
function cutLine(text: string, start: number, at = start): string {
  const end = lineEnd(text, start);
  const fits = end - start <= LINE_CHARS_MAX;
  const from = fits
    ? start
    : Math.max(start, Math.min(at - BEFORE_CHARS_MAX, end - LINE_CHARS_MAX));
  const to = fits ? end : from + LINE_CHARS_MAX;
  const part = text.slice(from, to).replace(/\r$/, "").toWellFormed();
  return `${from > start ? "…" : ""}${part.replace(/[^\P{Cc}\t]/gu, "?")}${to < end ? "…" : ""}`;
}
