/** The parts of a patch, and how its lines are read. */
import { quoted } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";

/** `none`: there is nothing at that end. `renamed`: the old path goes; `copied`: it stays. */
export type FilePatch = {
  action: "update" | "create" | "delete" | "rename" | "copy";
  /** Paths as the patch writes them; the same one but for renames and copies. */
  from: string;
  to: string;
  /** Permission bits that the patch asks for; null: as they are. */
  mode: number | null;
  hunks: Hunk[];
};

export type Hunk = {
  /** How a failure calls it: its number in the file, and its header. */
  label: string;
  /** Where its old lines begin, from 1; null: it does not say. */
  oldStart: number | null;
  /** Lines that come somewhere before it, in this order. */
  anchors: string[];
  /** Its old lines are the last ones of the file. */
  atEnd: boolean;
  lines: HunkLine[];
};

export type HunkLine = { sign: " " | "-" | "+"; text: string; endsFile: boolean };

/** The lines of a patch, one after the other. */
export class PatchLines {
  private at = 0;

  constructor(private readonly lines: readonly string[]) {}

  /** Of the line that comes next, or of one after it. */
  peek(ahead = 0): string | undefined {
    return this.lines[this.at + ahead];
  }

  next(): string | undefined {
    this.at += 1;
    return this.lines[this.at - 1];
  }

  get position(): number {
    return this.at;
  }

  back(position: number): void {
    this.at = position;
  }

  /** About the line that comes next. */
  failure(problem: string): ToolFailure {
    const line = this.peek();
    const said = line === undefined ? "" : `: ${quoted(line)}`;
    return new ToolFailure(`Malformed patch, line ${this.at + 1}: ${problem}${said}`);
  }
}

/** null: no line of a hunk. Editors take the space away that an empty line of context begins with. */
export function hunkLine(line: string): HunkLine | null {
  if (line === "" || line === "\r") return { sign: " ", text: line, endsFile: false };
  const sign = line[0];
  if (sign !== " " && sign !== "-" && sign !== "+") return null;
  return { sign, text: line.slice(1), endsFile: false };
}
