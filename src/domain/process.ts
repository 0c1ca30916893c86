/** A background command of a session as clients see it. */

export type ProcessView = {
  name: string;
  command: string;
  cwd: string;
  /** Also of the group that it leads. */
  pid: number;
  state: "running" | "exited";
  /** null: it runs, or a signal ended it. */
  exit_code: number | null;
  signal: string | null;
  /** Milliseconds since the epoch, both. */
  started_at: number;
  ended_at: number | null;
  timed_out: boolean;
  /** How many lines it printed, kept or not. */
  lines: number;
};
