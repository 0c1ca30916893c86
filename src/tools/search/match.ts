/** Where a pattern matches in a text: line by line as ripgrep has it, or across lines. */
import type { Pattern } from "./pattern.ts";

/** A line that matches, or all lines of a match that spans some. Offsets are of the text. */
export type Match = {
  /** From 1. */
  line: number;
  start: number;
  /** Before the line break. */
  end: number;
  /** Where in the lines it is that matches. */
  at: number;
};

export type Matching = {
  pattern: Pattern;
  multiline: boolean;
  /** Milliseconds since the epoch. */
  deadline: number;
  /** Called for a line of which nobody knows whether it matches: to find out would take too long. */
  onCostly(line: number): void;
};

/**
 * The runtime gives up a match that goes back and forth for too long, and calls that no match. Nothing
 * honest takes this long on a line, so that it is told apart by its time.
 */
const COSTLY_MS = 50;

/** In order. Ends at the deadline. */
export function* findMatches(text: string, matching: Matching): Generator<Match> {
  const { pattern, multiline } = matching;
  if (multiline) yield* acrossLines(text, matching);
  else if (pattern.looksAround) yield* everyLine(text, { line: 1, start: 0 }, matching);
  else yield* likelyLines(text, matching);
}

type Position = { line: number; start: number };

/** A line that matches is one in which the whole text matches, too, and that is found much faster. */
function* likelyLines(text: string, matching: Matching): Generator<Match> {
  const { everywhere } = matching.pattern;
  let position: Position = { line: 1, start: 0 };
  while (position.start < text.length && Date.now() <= matching.deadline) {
    const { found, costly } = timed(everywhere, text, position.start);
    if (costly) {
      yield* everyLine(text, position, matching);
      return;
    }
    if (!found || found.index === text.length) return;
    position = lineOf(text, position, found.index);
    const end = lineEnd(text, position.start);
    // What began in this line may have matched only because of the next one.
    yield* matchesOfLine(text, position, end, matching);
    position = { line: position.line + 1, start: end + 1 };
  }
}

function* everyLine(text: string, from: Position, matching: Matching): Generator<Match> {
  let { line, start } = from;
  while (start < text.length && Date.now() <= matching.deadline) {
    const end = lineEnd(text, start);
    yield* matchesOfLine(text, { line, start }, end, matching);
    line += 1;
    start = end + 1;
  }
}

function* matchesOfLine(
  text: string,
  { line, start }: Position,
  end: number,
  { pattern, onCostly }: Matching,
): Generator<Match> {
  const content = text.slice(start, text[end - 1] === "\r" && end > start ? end - 1 : end);
  const { found, costly } = timed(pattern.inLine, content, 0);
  if (found) yield { line, start, end, at: start + found.index };
  else if (costly) onCostly(line);
}

function* acrossLines(text: string, matching: Matching): Generator<Match> {
  let position: Position = { line: 1, start: 0 };
  let from = 0;
  while (from <= text.length && Date.now() <= matching.deadline) {
    const { found, costly } = timed(matching.pattern.everywhere, text, from);
    if (costly) matching.onCostly(position.line);
    if (!found || (found.index === text.length && text !== "")) return;
    position = lineOf(text, position, found.index);
    const last = Math.max(found.index, found.index + found[0].length - 1);
    const end = lineEnd(text, last);
    yield { ...position, end, at: found.index };
    // What else is in these lines is shown with them.
    from = end + 1;
  }
}

function timed(pattern: RegExp, text: string, from: number) {
  pattern.lastIndex = from;
  const startedAt = performance.now();
  const found = pattern.exec(text);
  return { found, costly: found === null && performance.now() - startedAt > COSTLY_MS };
}

/** The line that `offset` is in, counted from a line before it. */
function lineOf(text: string, from: Position, offset: number): Position {
  let { line, start } = from;
  for (let end = text.indexOf("\n", start); end !== -1 && end < offset; ) {
    line += 1;
    start = end + 1;
    end = text.indexOf("\n", start);
  }
  return { line, start };
}

export function lineEnd(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end === -1 ? text.length : end;
}
