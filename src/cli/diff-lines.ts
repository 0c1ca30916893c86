/** Unified diffs for people: what each line is, coloured, and no more of them than fits. */
import { counted } from "../lib/counted.ts";
import { cutToRow, inRows, type Room } from "./rows.ts";
import { type Part, type Style, styled } from "./screen.ts";

export type DiffLine = {
  kind: "file" | "hunk" | "added" | "removed" | "same" | "note";
  text: string;
};

/** A longer line is shortened, also where there is room. */
const LINE_ROWS_MAX = 3;

const STYLES: Record<DiffLine["kind"], Style | null> = {
  file: "bold",
  hunk: "cyan",
  added: "green",
  removed: "red",
  same: null,
  note: "dim",
};

/** What a file contains is told from what the diff says of it by the counts of the hunks. */
export function readDiff(diff: string): DiffLine[] {
  const left = { before: 0, after: 0 };
  return diff
    .replace(/\n$/, "")
    .split("\n")
    .map((text) => ({ kind: kindOf(text, left), text }));
}

/** What it is about, as its headers have it: a path, or both of a file that is moved. */
export const filesIn = (lines: readonly DiffLine[]): string[] =>
  lines.flatMap(({ kind, text }) => {
    if (kind !== "file" || !text.startsWith(SECTION)) return [];
    const names = text.slice(SECTION.length);
    const half = Math.floor(names.length / 2);
    const path = names.slice(0, half).replace("a/", "");
    return [path === names.slice(half + 1).replace("b/", "") ? path : names];
  });

/** What a question needs of it: a file is named once. */
export const withoutRepeatedNames = (lines: readonly DiffLine[]): DiffLine[] =>
  lines.filter(({ kind, text }) => kind !== "file" || text.startsWith(SECTION));

const SECTION = "diff --git ";

/** Whole lines of a terminal: colours where they are welcome. */
export const colouredLine = ({ kind, text }: DiffLine): Part => {
  const style = STYLES[kind];
  return style === null ? text : styled(style, text);
};

/**
 * All of it where that fits; else its first and its last lines, and between them how many are left out and
 * what the last ones belong to. What files contain stands further in than what the diff says of them.
 */
export function diffRows(lines: readonly DiffLine[], { columns, rowsMax }: Room): Part[] {
  const whole: Part[] = [];
  for (const line of lines) {
    if (whole.length > rowsMax) break;
    const rows = inRows(`    ${inset(line)}`, line.text, { columns, rowsMax: LINE_ROWS_MAX });
    whole.push(...rows.map((text) => colouredLine({ ...line, text })));
  }
  if (whole.length <= rowsMax) return whole;
  return selected(lines, rowsMax).map((line) =>
    colouredLine({ ...line, text: `    ${inset(line)}${cutToRow(line.text, columns - 6)}` }),
  );
}

const inset = ({ kind }: DiffLine): string =>
  kind === "added" || kind === "removed" || kind === "same" ? "  " : "";

/** The note of what is left out, and two lines of headings for what comes after it. */
const AROUND_TAIL = 3;

function selected(lines: readonly DiffLine[], max: number): DiffLine[] {
  const room = Math.max(max - AROUND_TAIL, 2);
  const head = lines.slice(0, Math.ceil(room / 2));
  const start = lines.length - Math.floor(room / 2);
  const headings = headingsFor(lines, start).filter((at) => at >= head.length);
  const left = start - head.length - headings.length;
  return [
    ...head,
    { kind: "note", text: `… ${counted(left, "line")} left out …` },
    ...headings.flatMap((at) => lines[at] ?? []),
    ...lines.slice(start),
  ];
}

/** Where the file and the hunk that the line is in are named, unless it names them itself. */
function headingsFor(lines: readonly DiffLine[], start: number): number[] {
  const first = lines[start]?.kind;
  if (first === "file") return [];
  const file = lines.findLastIndex(({ kind }, at) => at < start && kind === "file");
  const hunk = lines.findLastIndex(({ kind }, at) => at < start && kind === "hunk");
  return first === "hunk" || hunk < file ? [file] : [file, hunk];
}

type Left = { before: number; after: number };

function kindOf(text: string, left: Left): DiffLine["kind"] {
  if (left.before > 0 || left.after > 0) {
    const kind = CONTENT[text[0] ?? " "];
    if (kind !== undefined) {
      if (kind !== "added") left.before -= 1;
      if (kind !== "removed") left.after -= 1;
      return kind;
    }
    // The diff was cut here, unless it says of the line before that its file has no line break there.
    if (!text.startsWith("\\")) left.before = left.after = 0;
  }
  const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(text);
  if (hunk === null) return /^(?:diff --git|---|\+\+\+) /.test(text) ? "file" : "note";
  left.before = Number(hunk[1] ?? 1);
  left.after = Number(hunk[2] ?? 1);
  return "hunk";
}

const CONTENT: Record<string, "added" | "removed" | "same" | undefined> = {
  "+": "added",
  "-": "removed",
  " ": "same",
};
