/** What a command runs besides itself. */
import type { Word } from "./words.ts";

/**
 * What is run besides: a command line, or a text of shell commands; `null`: only known when it runs.
 * `fed`: it reads what its runner writes to it.
 */
export type Inner =
  | {
      kind: "line";
      words: readonly Word[];
      assigns?: boolean;
      repeated?: boolean;
    }
  | { kind: "text"; text: string | null; fed?: boolean };
