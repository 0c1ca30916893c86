/** Text in rows of a terminal: none wider than it, no more of them than there is room for. */
import { printable } from "./output.ts";

export type Room = { columns: number; rowsMax: number };

/** Narrower terminals break the rows themselves. */
const COLUMNS_MIN = 20;
/** Where what continues a row begins: further in than anything that begins one. */
const CONTINUED = "      ";

/** Without what could move the cursor. Tabs are as wide as the terminal likes. */
export const showable = (text: string): string => printable(text).replaceAll("\t", "    ");

/** `begun` stands before the first row, and is no wider than six columns. */
export function inRows(begun: string, text: string, { columns, rowsMax }: Room): string[] {
  const rows = shorten(showable(text), { columns: widthIn(columns), rowsMax });
  return rows.map((row, at) => (at === 0 ? begun : CONTINUED) + row);
}

/** The same, where all of the text fits; null: it does not. */
export function wholeInRows(begun: string, text: string, room: Room): string[] | null {
  const columns = widthIn(room.columns);
  const shown = showable(text);
  if (shown.length > columns * room.rowsMax) return null;
  return wrap(shown, columns).length > room.rowsMax ? null : inRows(begun, text, room);
}

/** What one row holds of the text, its line breaks as blanks; of a longer one it says so. */
export function cutToRow(text: string, columns: number): string {
  const line = showable(text).replace(/\n/g, " ");
  if (Bun.stringWidth(line.slice(0, columns + 1)) <= columns && line.length <= columns) return line;
  const [row = ""] = wrap(line.slice(0, columns), Math.max(columns - 1, 1));
  return `${row}…`;
}

const widthIn = (columns: number): number => Math.max(columns - CONTINUED.length, COLUMNS_MIN);

/** The text in rows, three at least; of one that is too long the beginning and the end. */
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
