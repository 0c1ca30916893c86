/** A shell command taken apart: the programs that it would run, and how much harm each may do. */
import type { RiskLevel } from "../domain/permission.ts";

/** Not parsed: broken, longer than anybody reads, or in a way that is not understood. */
export type ShellCommand =
  | { parsed: true; shape: CommandShape; parts: readonly CommandPart[] }
  | { parsed: false; reason: string };

/**
 * `simple`: one command. `list`: several, joined by `&&`, `||`, `;` or new lines, none in another.
 * `compound`: anything else, as pipes, substitutions, loops, subshells, background jobs.
 */
export type CommandShape = "simple" | "list" | "compound";

export type CommandPart = {
  /** As it stands in the text; cut where it is long. */
  text: string;
  level: RiskLevel;
  reason: string;
  /**
   * Its words without their quotes, the program first; null: only the shell knows it when it runs
   * (variables, substitutions). A pattern such as `*.ts` is a word.
   */
  words: readonly (string | null)[];
  /** The variables that are set for it alone, in front of it. */
  sets: readonly string[];
  /** The files that its input or output is redirected from or to; `path` null: known when it runs. */
  redirections: readonly { writes: boolean; path: string | null }[];
  /** It stands there as a command of its own, not among the words of another (`bash -c`, `sudo`, `xargs`). */
  direct: boolean;
};
