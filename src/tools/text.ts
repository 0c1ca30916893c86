/** Text in files: what counts as such, and where its lines are. */
import { isUtf8 } from "node:buffer";

/** UTF-8 without a NUL byte. */
export const isText = (bytes: Uint8Array): boolean => bytes.indexOf(0) === -1 && isUtf8(bytes);

/** null: no text. A byte order mark stays part of it. */
export const textOf = (bytes: Uint8Array): string | null =>
  isText(bytes) ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) : null;

/** How often a text occurs, and where the first of them begin. */
export type Occurrences = { count: number; lines: number[] };

/** At most `linesMax` lines are named, the first is 1. */
export function findAll(text: string, wanted: string, linesMax: number): Occurrences {
  const lines: number[] = [];
  let count = 0;
  let line = 1;
  let counted = 0;
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) {
    count += 1;
    if (lines.length === linesMax) continue;
    line += countLineEnds(text, counted, at);
    counted = at;
    lines.push(line);
  }
  return { count, lines };
}

/** The line ends between two places. */
export function countLineEnds(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", start); at !== -1 && at < end; at = text.indexOf("\n", at + 1))
    count += 1;
  return count;
}

export function lineAt(text: string, offset: number): number {
  return countLineEnds(text, 0, offset) + 1;
}

/** Every line of the text ends in CRLF. */
export function hasCrlf(text: string): boolean {
  let at = text.indexOf("\n");
  if (at === -1) return false;
  for (; at !== -1; at = text.indexOf("\n", at + 1)) if (text[at - 1] !== "\r") return false;
  return true;
}

/** With the line ends of the text that it is for; what has CR itself is meant as it is. */
export const withLineEndsOf = (text: string, part: string): string =>
  part.includes("\n") && !part.includes("\r") && hasCrlf(text)
    ? part.replaceAll("\n", "\r\n")
    : part;

/** Lines with their numbers, for the model to read; long ones cut. */
export const numbered = (lines: readonly string[], first: number): string =>
  lines.map((line, index) => `${first + index}\t${cutLine(line)}`).join("\n");

const SHOWN_LINE_CHARS_MAX = 200;

export function cutLine(line: string): string {
  const whole = line.endsWith("\r") ? line.slice(0, -1) : line;
  return whole.length > SHOWN_LINE_CHARS_MAX
    ? `${whole.slice(0, SHOWN_LINE_CHARS_MAX).toWellFormed()}…`
    : whole;
}

/** The line (from 1) as it stands in the text. */
export function lineNumbered(text: string, line: number): string {
  let start = 0;
  for (let at = 1; at < line; at += 1) start = text.indexOf("\n", start) + 1;
  const end = text.indexOf("\n", start);
  return text.slice(start, end === -1 ? text.length : end);
}
