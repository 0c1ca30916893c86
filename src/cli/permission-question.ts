/**
 * What a person is shown before a yes: the call as the engine will run it, no more of it than fits on a
 * screen, and nothing of it that could pass for a part of the question. What we say of a call ourselves
 * begins two columns in, and no row of the call begins there.
 */
import type { EngineEvent } from "../domain/events.ts";
import type { RiskLevel, RiskPart, SuggestedScope } from "../domain/permission.ts";
import { counted } from "../lib/counted.ts";
import { type DiffLine, diffRows, filesIn, readDiff, withoutRepeatedNames } from "./diff-lines.ts";
import { cutToRow, inRows, type Room, showable, wholeInRows } from "./rows.ts";
import { type Part, type Style, styled } from "./screen.ts";

export type PermissionRequest = Extract<EngineEvent, { type: "permission_request" }>;

export type OfferedScope = "session" | "project";

/** `offers`: the scopes that an answer may have beside this one call. */
export type Question = { before: Part[]; question: string; offers: OfferedScope[] };

/** With the lines around them they fit on the smallest usual terminal. */
const ROWS_MAX = 22;
/** What is left for the call itself, whatever is to be said of it. */
const CALL_ROWS_MIN = 7;
const FIELDS_MAX = 5;
/** The beginning, what is left out, the end. */
const FIELD_ROWS_MIN = 3;
const PARTS_MAX = 4;
const NAME_COLUMNS_MAX = 59;

export function askAbout(request: PermissionRequest, columns: number): Question {
  const { tool_name, risk_level, input, diff } = request;
  const notes = [...askerRows(request, columns), ...riskRows(request, columns)];
  const scopes = offeredScopes(request, {
    columns,
    rowsMax: ROWS_MAX - 1 - notes.length - CALL_ROWS_MIN,
  });
  notes.push(...scopes.flatMap(({ rows }) => rows));
  const head = `Allow ${nameOf(tool_name)} (${risk_level} risk)`;
  const choice = `${["[y]es", "[n]o", ...scopes.map(({ word }) => word)].join(" / ")} `;
  const offers = scopes.map(({ scope }) => scope);
  const single = diff === null ? singleRow(input) : null;
  if (single === null || Bun.stringWidth(`${head}: ${single}?`) > columns) {
    const call = callRows(request, { columns, rowsMax: ROWS_MAX - 1 - notes.length });
    return { before: [`${head}:`, ...call, ...notes], question: `Allow it? ${choice}`, offers };
  }
  return notes.length === 0
    ? { before: [], question: `${head}: ${single}? ${choice}`, offers }
    : { before: [`${head}: ${single}`, ...notes], question: `Allow it? ${choice}`, offers };
}

/** A command with nothing beside it; null: the input is more than that. */
function singleRow(input: Record<string, unknown>): string | null {
  const { command, ...more } = input;
  if (typeof command !== "string" || Object.keys(more).length > 0) return null;
  const text = showable(command);
  return text.includes("\n") ? null : text;
}

const askerRows = ({ subagent }: PermissionRequest, columns: number): Part[] =>
  subagent === null
    ? []
    : [`  ${cutToRow(`a subagent asks, session ${subagent.session_id}`, columns - "  ".length)}`];

const DANGERS: RiskLevel[] = ["high", "unknown", "medium"];
const LEVEL_STYLES: Record<RiskLevel, Style> = {
  high: "red",
  unknown: "red",
  medium: "yellow",
  low: "dim",
};

/** Why it is asked about: the worst of several programs first, each with its reason. */
function riskRows({ risk_reason, parts }: PermissionRequest, columns: number): Part[] {
  const several = parts.length > 1 ? parts : [];
  const dangers = DANGERS.flatMap((level) => several.filter((part) => part.risk_level === level));
  const shown = dangers.slice(0, PARTS_MAX);
  const rows = shown.map((part) => styled(LEVEL_STYLES[part.risk_level], partRow(part, columns)));
  const left = dangers.length - shown.length;
  if (left > 0) rows.push(styled("yellow", `  … and ${left} more of them`));
  const isSaid = USUAL.test(risk_reason) || shown.some(({ reason }) => reason === risk_reason);
  return isSaid ? rows : [...rows, `  ${cutToRow(`why: ${risk_reason}`, columns - "  ".length)}`];
}

/** What says no more than that the tool is what it is. */
const USUAL = /^$|^(?:Default risk for tool type|Tool definition risk for) '[^']*'$/;

/** The reason is ours: of the command, which the model wrote, there is what fits beside it. */
function partRow({ risk_level, text, reason }: RiskPart, columns: number): string {
  const head = `  ${risk_level}: `;
  const room = columns - head.length - " — ".length;
  const unused = room - Bun.stringWidth(cutToRow(text, room));
  const why = cutToRow(reason, Math.max(Math.ceil(room / 2), unused));
  const command = cutToRow(text, room - Bun.stringWidth(why));
  return `${head}${command} — ${why}`;
}

type Offered = { scope: OfferedScope; word: string; rows: string[] };

const ALWAYS: { scope: OfferedScope; word: string; note: string }[] = [
  { scope: "session", word: "[a]lways", note: "" },
  { scope: "project", word: "[p]roject", note: ", remembered on disk" },
];

/** Those whose extent can be shown whole: nobody approves what they cannot read. */
function offeredScopes({ suggested_scopes }: PermissionRequest, room: Room): Offered[] {
  const offered: Offered[] = [];
  let { rowsMax } = room;
  let shown: string | null = null;
  for (const { scope, word, note } of ALWAYS) {
    const suggested = suggested_scopes.find((each) => each.scope === scope);
    if (suggested === undefined) continue;
    const keys = suggested.keys.join("\n");
    const rows = extentRows(word + note, keys === shown ? null : suggested, { ...room, rowsMax });
    if (rows === null) continue;
    offered.push({ scope, word, rows });
    rowsMax -= rows.length;
    shown = keys;
  }
  return offered;
}

/** What it covers, and the keys word for word. `suggested` null: as the one before. */
function extentRows(head: string, suggested: SuggestedScope | null, room: Room): string[] | null {
  if (suggested === null) return wholeInRows("  ", `${head}: the same for this project`, room);
  const { covers, keys } = suggested;
  const rows: string[] = [];
  for (const [at, text] of [`${head}: ${covers}`, ...keys].entries()) {
    const rowsMax = room.rowsMax - rows.length;
    const more = wholeInRows(at === 0 ? "  " : "      ", text, { ...room, rowsMax });
    if (more === null) return null;
    rows.push(...more);
  }
  return rows;
}

/** What changes stands in the diff, and is not shown a second time. */
const DIFFED_FIELDS = ["find", "replace", "content", "patch"];

function callRows({ input, diff }: PermissionRequest, { columns, rowsMax }: Room): Part[] {
  if (diff === null) return inputRows(input, { columns, rowsMax });
  const others = Object.entries(input).filter(([name]) => !DIFFED_FIELDS.includes(name));
  const half = { columns, rowsMax: Math.floor(rowsMax / 2) };
  const rows: Part[] = inputRows(Object.fromEntries(others), half);
  const lines = withoutRepeatedNames(readDiff(diff));
  rows.push(...fileRows(lines, columns));
  return [...rows, ...diffRows(lines, { columns, rowsMax: rowsMax - rows.length })];
}

/** Where it is about several: those that are left out below are named here. */
function fileRows(lines: readonly DiffLine[], columns: number): string[] {
  const files = filesIn(lines);
  if (files.length < 2) return [];
  const text = `${files.length} files: ${files.map(nameOf).join(", ")}`;
  return [`    ${cutToRow(text, columns - "    ".length)}`];
}

/** What counts stands first, so that no field a model makes up pushes it out of sight. */
function inputRows(input: Record<string, unknown>, { columns, rowsMax }: Room): string[] {
  const fields = Object.entries(input).sort(([one], [other]) => rank(one) - rank(other));
  const fitting = Math.max(Math.floor((rowsMax - 1) / FIELD_ROWS_MIN), 1);
  const shown = fields.slice(0, Math.min(fitting, FIELDS_MAX));
  const rows: string[] = [];
  for (const [at, [name, value]] of shown.entries()) {
    const reserved = (shown.length - at - 1) * FIELD_ROWS_MIN;
    const room = {
      columns,
      rowsMax: Math.max(rowsMax - 1 - rows.length - reserved, FIELD_ROWS_MIN),
    };
    const text = typeof value === "string" ? value : String(JSON.stringify(value));
    rows.push(...inRows("    ", `${nameOf(name)}: ${text}`, room));
  }
  const left = fields.length - shown.length;
  return left > 0 ? [...rows, `    … and ${counted(left, "more field")}`] : rows;
}

const FIRST_FIELDS = ["command", "cwd", "timeout", "file", "path", "url"];
const rank = (name: string): number =>
  FIRST_FIELDS.includes(name) ? FIRST_FIELDS.indexOf(name) : FIRST_FIELDS.length;

/** As it is where it is plain, else quoted: a name may be anything that a model writes. */
function nameOf(name: string): string {
  if (/^[\w./-]{1,60}$/.test(name)) return name;
  const quoted = JSON.stringify(name);
  const shown = cutToRow(quoted, NAME_COLUMNS_MAX);
  return shown.endsWith("…") ? `${shown}"` : shown;
}
