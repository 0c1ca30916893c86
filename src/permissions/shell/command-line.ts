/** One command of a shell text, as far as it can be seen before it runs. */
import { programName } from "./options.ts";
import type { Word } from "./words.ts";

export type Setting = { name: string; value: Word | null };

export type Redirection = { writes: boolean; target: Word };

/** What it reads: `prints`: what another program prints; `text`: what stands in the command, null: not all. */
export type Input = { from: "nothing" } | { from: "pipe" } | { from: "text"; text: string | null };

export type CommandLine = {
  source: string;
  /** Its name as it is looked up; empty: none, or only known when it runs. */
  program: string;
  /** The program first; empty: it only sets variables or redirects. */
  words: readonly Word[];
  sets: readonly Setting[];
  redirections: readonly Redirection[];
  input: Input;
  direct: boolean;
  /** It is run for each of many things, whose names are put into it. */
  repeated: boolean;
};

/** The program as it is written; empty: none, or only known when it runs. */
export const programWord = ({ words }: Pick<CommandLine, "words">): string => {
  const program = words[0];
  return program && !program.pattern ? (program.literal ?? "") : "";
};

export const programOf = (line: readonly Word[]): string =>
  programName(programWord({ words: line }));
