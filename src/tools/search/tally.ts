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
  stoppedAt: null,
});

/** As `3 ignored, 1 binary`; empty: nothing was. */
export function leftOut({ ignored, hidden, ...rest }: Tally): string {
  const { binary, tooLarge, unreadable } = rest;
  return [
    ignored > 0 ? `${ignored} ignored by .gitignore or the like` : "",
    hidden > 0 ? `${hidden} hidden` : "",
    binary > 0 ? `${binary} binary` : "",
    tooLarge > 0 ? `${tooLarge} larger than ${FILE_BYTES_MAX / 1024 / 1024} MB` : "",
    unreadable > 0 ? `${unreadable} unreadable` : "",
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** What a model has to know even where something was found. */
export function warnings({ tooLarge, unreadable, stoppedAt }: Tally): string[] {
  const missed = leftOut({ ...newTally(), tooLarge, unreadable });
  return [
    missed === "" ? "" : `left out: ${missed}`,
    stoppedAt === null
      ? ""
      : `the time was up: nothing from ${stoppedAt} on was looked at; narrow it with path`,
  ].filter((warning) => warning !== "");
}

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
