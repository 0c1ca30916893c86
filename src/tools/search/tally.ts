/** What a search looked at and what it left out, told to the model in a line. */
import { FILE_BYTES_MAX } from "./job.ts";

export type Tally = {
  /** Files that were looked at. */
  searched: number;
  ignored: number;
  hidden: number;
  binary: number;
  tooLarge: number;
  unreadable: number;
  /** Files and directories that a rule denies, or that a person has to be asked about. */
  ruledOut: number;
  /** Where the time was up; null: it was enough. */
  stoppedAt: string | null;
};

export const newTally = (): Tally => ({
  searched: 0,
  ignored: 0,
  hidden: 0,
  binary: 0,
  tooLarge: 0,
  unreadable: 0,
  ruledOut: 0,
  stoppedAt: null,
});

/** What is left out of any search, as `3 hidden, 1 binary`; empty: nothing was. */
export function leftOut({ ignored, hidden, binary }: Tally): string {
  return listed([
    ignored > 0 && `${ignored} ignored by .gitignore or the like`,
    hidden > 0 && `${hidden} hidden`,
    binary > 0 && `${binary} binary`,
  ]);
}

/** What a model has to know even where something was found. */
export function warnings({ ruledOut, tooLarge, unreadable, stoppedAt }: Tally): string[] {
  const missed = listed([
    ruledOut > 0 && `${ruledOut} that a rule denies or asks about`,
    tooLarge > 0 && `${tooLarge} larger than ${FILE_BYTES_MAX / 1024 / 1024} MB`,
    unreadable > 0 && `${unreadable} unreadable`,
  ]);
  return [
    missed === "" ? "" : `left out: ${missed}`,
    stoppedAt === null
      ? ""
      : `the time was up: nothing from ${stoppedAt} on was looked at; narrow it with path`,
  ].filter((warning) => warning !== "");
}

const listed = (parts: readonly (string | false)[]): string =>
  parts.filter((part) => part !== false).join(", ");
