/** One command in the background: what it is, what it printed last, how it ends. */
import type { ProcessView } from "../domain/process.ts";
import { within } from "../lib/abort.ts";
import { BINARY_TEXT, DecodedText } from "../lib/decoded-text.ts";
import {
  drain,
  endOfGroup,
  type GroupOptions,
  type Output,
  type ProcessGroup,
  spawnGroup,
  stopRequest,
} from "../lib/process-group.ts";
import { killGroup } from "../lib/process-guard.ts";
import { RecentLines } from "../lib/recent-lines.ts";

/** From the polite signal to the other one, and less where a session or the engine waits for it. */
const TERMINATION_MS = 5_000;
const CLOSE_MS = 2_000;
/** Nobody waits for its output, so that a flood is read slowly. */
const FLOOD_PAUSE_MS = 20;
/** What people are shown of a long command. */
const SHOWN_CHARS_MAX = 1_000;

export type BackgroundOptions = Omit<GroupOptions, "merged" | "command"> & {
  name: string;
  /** As it was written; the shell gets it in `argv`. */
  command: string;
  argv: string[];
  /** null: it runs until it ends by itself or is ended. */
  timeoutMs: number | null;
};

/** What of a command is known when it has ended. */
type End = Pick<ProcessView, "state" | "exit_code" | "signal" | "ended_at" | "timed_out">;

const RUNNING: End = {
  state: "running",
  exit_code: null,
  signal: null,
  ended_at: null,
  timed_out: false,
};

export class BackgroundCommand {
  /** Never rejects. Nobody of its group is left then. */
  readonly ended: Promise<void>;
  private readonly startedAt = Date.now();
  private readonly stop = new AbortController();
  private readonly recent = new RecentLines();
  private binary = false;
  private end: End = RUNNING;

  private constructor(
    private readonly options: BackgroundOptions,
    private readonly group: ProcessGroup,
  ) {
    this.ended = this.live();
  }

  /** Throws where it cannot be started. */
  static async start(options: BackgroundOptions): Promise<BackgroundCommand> {
    const group = await spawnGroup({ ...options, command: options.argv, merged: true });
    return new BackgroundCommand(options, group);
  }

  get running(): boolean {
    return this.end === RUNNING;
  }

  view(): ProcessView {
    const { name, command, cwd } = this.options;
    const long = command.length > SHOWN_CHARS_MAX;
    return {
      name,
      command: long ? `${command.slice(0, SHOWN_CHARS_MAX).toWellFormed()} …` : command,
      cwd,
      pid: this.group.process.pid,
      ...this.end,
      started_at: this.startedAt,
      lines: this.binary ? 1 : this.recent.count,
    };
  }

  /** The last lines that it printed, output and errors as they came. */
  output(lines: number): string {
    return this.binary ? BINARY_TEXT : this.recent.last(lines).join("\n");
  }

  /** Asks it to end and, if it does not, ends it. */
  async kill(): Promise<void> {
    this.stop.abort();
    await this.ended;
  }

  /** As `kill`, with less patience. */
  async close(): Promise<void> {
    this.stop.abort();
    await within(CLOSE_MS, this.ended);
    if (this.running) killGroup(this.group.process.pid, "SIGKILL");
    await this.ended;
  }

  private async live(): Promise<void> {
    const { group, options } = this;
    const stop = stopRequest(options.timeoutMs, this.stop.signal);
    const drained = Promise.all([this.read(group.stdout), this.read(group.stderr)]);
    const ending = await endOfGroup(group, drained, stop.requested, TERMINATION_MS);
    stop.dispose();
    await group.close();
    options.guard.forget(group.process.pid);
    const { exitCode, signalCode } = group.process;
    this.end = {
      state: "exited",
      exit_code: exitCode,
      signal: signalCode === null ? null : String(signalCode),
      ended_at: Date.now(),
      timed_out: ending === "timed_out",
    };
  }

  private async read(output: Output | null): Promise<void> {
    if (!output) return;
    const text = new DecodedText();
    await drain(output, FLOOD_PAUSE_MS, (bytes) => {
      this.recent.add(text.add(bytes));
      this.binary ||= text.binary;
    });
    this.recent.add(text.end());
  }
}
