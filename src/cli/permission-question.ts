/**
 * What a person is shown before a yes: the call as the engine will run it, no more of it than fits on
 * a screen, and nothing of it that could pass for a part of the question.
 */
import type { EngineEvent } from "../domain/events.ts";
import { coverageOf } from "../permissions/approvals.ts";
import { printable } from "./output.ts";

export type PermissionRequest = Extract<EngineEvent, { type: "permission_request" }>;

export type Question = { before: string[]; question: string };

/** With the lines around them they fit on the smallest usual terminal. */
const ROWS_MAX = 20;
const FIELDS_MAX = 5;
/** The beginning, what is left out, the end. */
const FIELD_ROWS_MIN = 3;
/** Narrower terminals break the rows themselves. */
const COLUMNS_MIN = 20;
const NAME_CHARS_MAX = 60;
const SUBJECT_CHARS_MAX = 40;

/** Whether no answer can cover more than this call. */
export const isOnceOnly = ({ risk_level }: PermissionRequest): boolean =>
  risk_level === "high" || risk_level === "unknown";

export function askAbout(request: PermissionRequest, columns: number): Question {
  const { tool_name, risk_level, input } = request;
  const head = `Allow ${nameOf(tool_name)} (${risk_level} risk)`;
  const choice = isOnceOnly(request)
    ? "[y]es / [n]o "
    : `[y]es / [n]o / [a]lways ${whatAlwaysCovers(request)} in this session `;
  const single = singleRow(input);
  if (single !== null && Bun.stringWidth(`${head}: ${single}?`) <= columns)
    return { before: [], question: `${head}: ${single}? ${choice}` };
  return { before: [`${head}:`, ...inputRows(input, columns)], question: `Allow it? ${choice}` };
}

/** A command with nothing beside it; null: the input is more than that. */
function singleRow(input: Record<string, unknown>): string | null {
  const { command, ...more } = input;
  if (typeof command !== "string" || Object.keys(more).length > 0) return null;
  const text = showable(command);
  return text.includes("\n") ? null : text;
}

/** What counts stands first, so that no field a model makes up pushes it out of sight. */
function inputRows(input: Record<string, unknown>, columns: number): string[] {
  const fields = Object.entries(input).sort(([one], [other]) => rank(one) - rank(other));
  const shown = fields.slice(0, FIELDS_MAX);
  const rows: string[] = [];
  for (const [at, [name, value]] of shown.entries()) {
    const reserved = (shown.length - at - 1) * FIELD_ROWS_MIN;
    rows.push(...fieldRows(name, value, { columns, rowsMax: ROWS_MAX - rows.length - reserved }));
  }
  const left = fields.length - shown.length;
  return left > 0 ? [...rows, `    … and ${left} more ${left === 1 ? "field" : "fields"}`] : rows;
}

const FIRST_FIELDS = ["command", "cwd", "timeout", "file", "path", "url"];
const rank = (name: string): number =>
  FIRST_FIELDS.includes(name) ? FIRST_FIELDS.indexOf(name) : FIRST_FIELDS.length;

type Room = { columns: number; rowsMax: number };

/** What continues stands further in than names: it cannot pass for a field of its own. */
function fieldRows(name: string, value: unknown, { columns, rowsMax }: Room): string[] {
  const text = typeof value === "string" ? value : String(JSON.stringify(value));
  const width = Math.max(columns - CONTINUED.length, COLUMNS_MIN);
  const rows = shorten(showable(`${nameOf(name)}: ${text}`), { columns: width, rowsMax });
  return rows.map((row, at) => (at === 0 ? BEGUN : CONTINUED) + row);
}
const BEGUN = "    ";
const CONTINUED = "      ";

/** The text in rows; of one that is too long the beginning and the end. */
function shorten(text: string, { columns, rowsMax }: Room): string[] {
  if (text.length <= columns * rowsMax) {
    const rows = wrap(text, columns);
    if (rows.length <= rowsMax) return rows.map(withoutBreak);
  }
  const half = Math.floor((rowsMax - 1) / 2);
  const head = wrap(text.slice(0, half * columns), columns).slice(0, half);
  const tail = wrap(text.slice(-half * columns), columns).slice(-half);
  const left = text.length - [...head, ...tail].join("").length;
  return [...head.map(withoutBreak), `… ${left} characters left out …`, ...tail.map(withoutBreak)];
}

/** Rows with their line breaks, each no wider than the columns: a terminal breaks none of them again. */
function wrap(text: string, columns: number): string[] {
  const rows: string[] = [];
  let row = "";
  let width = 0;
  for (const character of text) {
    // What has no width of its own may widen what it belongs to.
    const more = character === "\n" ? 0 : Math.max(Bun.stringWidth(character), 1);
    if (width + more > columns || row.endsWith("\n")) {
      rows.push(row);
      row = "";
      width = 0;
    }
    row += character;
    width += more;
  }
  return row === "" ? rows : [...rows, row];
}

const withoutBreak = (row: string): string => row.replace(/\n$/, "");

/** Tabs are as wide as the terminal likes. */
const showable = (text: string): string => printable(text).replaceAll("\t", "    ");

/** As it is where it is plain, else quoted: a name may be anything that a model writes. */
const nameOf = (name: string): string =>
  /^[\w.-]{1,60}$/.test(name) ? name : cut(JSON.stringify(name), NAME_CHARS_MAX);

/** What the engine remembers of an "always". */
function whatAlwaysCovers(request: PermissionRequest): string {
  return cut(JSON.stringify(coverageOf(request)), SUBJECT_CHARS_MAX);
}

const cut = (text: string, charsMax: number): string =>
  text.length <= charsMax ? text : `${text.slice(0, charsMax - 2)}…"`;
