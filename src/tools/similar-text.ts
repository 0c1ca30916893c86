/**
 * Why a text was not found: what in the file comes closest to it, and how that differs. Bounded in time,
 * whatever the file is like.
 */
import { quotedPath } from "../lib/shown.ts";
import { DetailedFailure } from "./file-plan.ts";
import { cutLine, lineAt, numbered } from "./text.ts";
import { canonical, differences } from "./text-difference.ts";

const SEARCH_MS_MAX = 150;
const WANTED_LINES_MAX = 60;
const LINE_CHARS_MAX = 1_000;
const SHOWN_LINES_MAX = 20;

/** Words of the text that was looked for, and where they are. */
const WORDS_MAX = 32;
const WORD_CHARS_MAX = 32;
const HITS_PER_WORD_MAX = 100;
const RAREST_WORDS_MAX = 8;

/** Of all lines, how many have to be there before a place is called similar. */
const SIMILARITY_MIN = 0.4;

/** `start`: where it begins in the text. `score`: how much of what is wanted is there, 0 to 1. */
export type Region = { start: number; lines: string[]; score: number };

/** `name`: the parameter that the text came in. */
export function notFound(path: string, text: string, wanted: string, name: string) {
  const spelling = wrongSpelling(text, wanted);
  if (spelling)
    return new DetailedFailure(
      `Pattern not found in ${quotedPath(path)}: ${name} ${spelling.problem}`,
      spelling.advice,
    );
  const lines = trimmedLines(wanted);
  const region = closestRegion(text, lines);
  if (!region)
    return new DetailedFailure(
      `Pattern not found in ${quotedPath(path)}; nothing similar is in it`,
      "Read the file first, and copy the text from there.",
    );
  const first = lineAt(text, region.start);
  const last = first + region.lines.length - 1;
  const where = first === last ? `line ${first}` : `lines ${first}-${last}`;
  const differs = differences(lines, region.lines);
  const shownLines = region.lines.slice(0, SHOWN_LINES_MAX);
  const more = region.lines.length > shownLines.length ? "\n…" : "";
  return new DetailedFailure(
    `Pattern not found in ${quotedPath(path)}; closest is ${where}${inWords(differs)}`,
    `${numbered(shownLines, first)}${more}\n\n${firstMismatch(lines, region, first, name)}Copy ${name} from the file exactly, without the line numbers.`,
  );
}

function inWords(names: string[] | null): string {
  if (names === null) return "";
  if (names.length === 0) return ", which differs only in blank lines around it";
  return `, which differs only in ${names.join(" and ")}`;
}

/** Where the lines are not alike: the first pair of them, side by side. */
function firstMismatch(
  wanted: readonly string[],
  region: Region,
  first: number,
  name: string,
): string {
  const index = wanted.findIndex(
    (line, at) => canonical(line) !== canonical(region.lines[at] ?? ""),
  );
  const found = region.lines[index];
  if (index === -1 || found === undefined || wanted.length === 1) return "";
  return `Line ${first + index} is\n  ${cutLine(found)}\nwhere ${name} has\n  ${cutLine(wanted[index] ?? "")}\n\n`;
}

/** What models put into a text that they copy; each is recognised by the text without it being there. */
function wrongSpelling(text: string, wanted: string): { problem: string; advice: string } | null {
  const place = (found: string) =>
    `What is meant begins in line ${lineAt(text, text.indexOf(found))}.`;
  const bare = withoutLineNumbers(wanted);
  if (bare !== null && text.includes(bare))
    return {
      problem: "has line numbers in front of its lines",
      advice: `Leave the numbers out. ${place(bare)}`,
    };
  const unescaped = wanted
    .replaceAll("\\r", "\r")
    .replaceAll("\\n", "\n")
    .replaceAll("\\t", "\t")
    .replaceAll('\\"', '"')
    .replaceAll("\\\\", "\\");
  if (unescaped !== wanted && unescaped !== "" && text.includes(unescaped))
    return {
      problem: "has escapes (such as \\n) where the file has the characters themselves",
      advice: `Write line breaks, tabs, quotes and backslashes as they are in the file. ${place(unescaped)}`,
    };
  return null;
}

const LINE_NUMBER = /^ {0,10}\d{1,9}(?:\t|→|: ?|-|\| ?| \| ?)/;

/** null: not every line has one. */
function withoutLineNumbers(wanted: string): string | null {
  const lines = trimmedLines(wanted);
  if (!lines.every((line) => LINE_NUMBER.test(line) || line === "")) return null;
  const bare = lines.map((line) => line.replace(LINE_NUMBER, "")).join("\n");
  return bare.trim() === "" ? null : bare;
}

function trimmedLines(wanted: string): string[] {
  const lines = wanted.split("\n");
  const first = lines.findIndex((line) => line.trim() !== "");
  const last = lines.findLastIndex((line) => line.trim() !== "");
  return first === -1 ? [] : lines.slice(first, last + 1);
}

/**
 * The lines of the text that come closest: looks around the rarest words of those that are wanted. null:
 * nothing is similar.
 */
export function closestRegion(text: string, wanted: readonly string[]): Region | null {
  const lines = wanted.slice(0, WANTED_LINES_MAX);
  const deadline = performance.now() + SEARCH_MS_MAX;
  const forms = lines.map((line) => formOf(line.slice(0, LINE_CHARS_MAX)));
  const tried = new Set<number>();
  let best: Region | null = null;
  for (const { line, hits } of rarestWords(text, lines, deadline)) {
    for (const hit of hits) {
      if (performance.now() > deadline) return best;
      const start = lineStart(text, hit, line);
      if (tried.has(start)) continue;
      tried.add(start);
      const found = linesFrom(text, start, lines.length);
      const score = similarity(forms, found.map(formOf));
      if (score >= SIMILARITY_MIN && score > (best?.score ?? 0))
        best = { start, lines: found, score };
    }
  }
  return best;
}

/** `line`: which line of the wanted text has the word. */
type Word = { line: number; hits: number[] };

function rarestWords(text: string, lines: readonly string[], deadline: number): Word[] {
  const found: Word[] = [];
  for (const [word, line] of distinctWords(lines)) {
    if (performance.now() > deadline) break;
    const hits: number[] = [];
    for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
      hits.push(at);
      if (hits.length === HITS_PER_WORD_MAX) break;
    }
    if (hits.length > 0) found.push({ line, hits });
  }
  return found.sort((a, b) => a.hits.length - b.hits.length).slice(0, RAREST_WORDS_MAX);
}

/** Long ones first: they are rare. */
function distinctWords(lines: readonly string[]): [word: string, line: number][] {
  const words = new Map<string, number>();
  for (const [index, line] of lines.entries())
    for (const word of line.slice(0, LINE_CHARS_MAX).match(/[\p{L}\p{N}_]{2,}/gu) ?? [])
      for (const spelling of [word, word.toLowerCase()].map((each) =>
        each.slice(0, WORD_CHARS_MAX),
      ))
        if (!words.has(spelling)) words.set(spelling, index);
  return [...words].sort(([a], [b]) => b.length - a.length).slice(0, WORDS_MAX);
}

/** Where the line begins that is `back` lines before the one at `offset`. */
function lineStart(text: string, offset: number, back: number): number {
  let start = lineBegin(text, offset);
  for (let line = 0; line < back && start > 0; line += 1) start = lineBegin(text, start - 1);
  return start;
}

const lineBegin = (text: string, offset: number): number =>
  offset === 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;

/** Of each line no more than can be compared. */
function linesFrom(text: string, start: number, count: number): string[] {
  const lines: string[] = [];
  for (let at = start; lines.length < count; ) {
    const end = text.indexOf("\n", at);
    lines.push(text.slice(at, Math.min(end === -1 ? text.length : end, at + LINE_CHARS_MAX)));
    if (end === -1 || end + 1 === text.length) break;
    at = end + 1;
  }
  return lines;
}

type Form = { text: string; words: ReadonlySet<string> };

function formOf(line: string): Form {
  const text = canonical(line);
  return { text, words: new Set(text.match(/[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu)) };
}

/** 0 to 1. Lines that moved by some lines count too, a little less. */
function similarity(wanted: readonly Form[], found: readonly Form[]): number {
  const there = new Set(found.map(({ text }) => text));
  let sum = 0;
  for (const [index, form] of wanted.entries()) {
    const opposite = found[index];
    const aligned = opposite ? lineSimilarity(form, opposite) : 0;
    sum += Math.max(aligned, there.has(form.text) ? 0.9 : 0);
  }
  return sum / Math.max(wanted.length, 1);
}

function lineSimilarity(a: Form, b: Form): number {
  if (a.text === b.text) return 1;
  if (a.text !== "" && b.text.includes(a.text)) return 0.95;
  const shared = a.words.intersection(b.words).size;
  const all = a.words.size + b.words.size;
  return all === 0 ? 0 : (2 * shared) / all;
}
