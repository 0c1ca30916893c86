/** The tools that follow commands in the background: how they are, what they printed, their end. */

import { Type as t } from "@sinclair/typebox";
import { EngineError } from "../domain/errors.ts";
import type { ProcessView } from "../domain/process.ts";
import { defineTool, type Tool, type ToolResult } from "../domain/tool.ts";
import { sleep } from "../lib/abort.ts";
import { TEXT_CHARS_MAX } from "../lib/captured-text.ts";
import { LINES_MAX } from "../lib/recent-lines.ts";
import type { BackgroundCommands, Started } from "./background-commands.ts";
import { answering, ToolFailure } from "./failure.ts";
import { EVERY_NAME } from "./terminal-input.ts";
import { lastLines } from "./terminal-report.ts";

const LINES_DEFAULT = 50;
/** Of one command, where several are listed. */
const COMMAND_CHARS_MAX = 200;
/** What stands above the lines that are shown. */
const HEADER_CHARS_MAX = 500;
/** More than the patience with one that does not want to end. */
const KILL_MS_MAX = 15_000;

const nameOrEvery = t.String({
  description: `Name of the background command, or ${EVERY_NAME} for all`,
});

export const terminalStatus = (background: BackgroundCommands): Tool =>
  defineTool({
    name: "terminal_status",
    type: "terminal_status",
    risk: "low",
    description:
      "Say of a background command whether it is alive, its pid, for how long, and its exit code.",
    parameters: t.Object({ name: nameOrEvery }),
    run: ({ name }, { session, signal }) =>
      answering(signal, async () => {
        const processes =
          name === EVERY_NAME
            ? background.list(session.id)
            : [await known(() => background.get(session.id, name))];
        const output = processes.map(describe).join("\n") || "No background commands.";
        return { ok: true, output, metadata: { processes } };
      }),
  });

export const terminalOutput = (background: BackgroundCommands): Tool =>
  defineTool({
    name: "terminal_output",
    type: "terminal_output",
    risk: "low",
    description: `Show the last lines that a background command printed, alive or not. At most ${LINES_MAX} are kept.`,
    parameters: t.Object({
      name: t.String({ description: "Name of the background command" }),
      lines: t.Optional(
        t.Integer({ description: `How many of the last lines; default ${LINES_DEFAULT}` }),
      ),
    }),
    run: ({ name, lines = LINES_DEFAULT }, { session, signal }) =>
      answering(signal, async () => {
        if (lines < 1) throw new ToolFailure("Parameter 'lines' must be at least 1");
        const process = await known(() => background.get(session.id, name));
        const output = background.output(session.id, name, lines);
        return {
          ok: true,
          output: withOutput(describe(process), process, output),
          metadata: { process },
        };
      }),
  });

export const terminalKill = (background: BackgroundCommands): Tool =>
  defineTool({
    name: "terminal_kill",
    type: "terminal_kill",
    risk: "medium",
    description:
      "End a background command with all that it started: politely, and after 5 seconds by force.",
    parameters: t.Object({ name: nameOrEvery }),
    run: ({ name }, { session, signal }) =>
      answering(signal, async () => {
        const killing =
          name === EVERY_NAME
            ? background.killAll(session.id)
            : background.kill(session.id, name).then((process) => [process]);
        // Who does not want to wait is not kept; they are ended all the same.
        const processes = await known(() =>
          Promise.race([killing, sleep(KILL_MS_MAX, signal).then(() => [])]),
        );
        const output = processes.map(describe).join("\n") || "No background command was running.";
        return { ok: true, output, metadata: { processes } };
      }),
  });

/** What the model is told of a command that was started, or that has failed at once. */
export function reportStart({ process, output }: Started): ToolResult {
  const { name, pid, cwd, state, exit_code } = process;
  const metadata = { background: true, name, pid, cwd };
  if (state === "running") {
    const said =
      `✓ Started '${name}' in the background (pid ${pid}). Follow it with terminal_output and ` +
      "terminal_status, end it with terminal_kill.";
    return { ok: true, output: withOutput(said, process, output), metadata };
  }
  const ended = { ...metadata, exit_code };
  const text = withOutput(describe(process), process, output);
  if (exit_code === 0) return { ok: true, output: `Ended at once. ${text}`, metadata: ended };
  const quoted = lastLines(output);
  const error = `Ended at once, ${howEnded(process)}${quoted === "" ? "" : `: ${quoted}`}`;
  return { ok: false, output: text, error, metadata: ended };
}

/** A name that is not known is an answer to the model. */
async function known<Value>(work: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EngineError) throw new ToolFailure(error.message, { cause: error });
    throw error;
  }
}

function describe(process: ProcessView): string {
  const { name, command, pid, state, started_at, ended_at, lines } = process;
  const duration = inWords((ended_at ?? Date.now()) - started_at);
  const line = command.replace(/\s+/g, " ");
  const what = line.length > COMMAND_CHARS_MAX ? `${line.slice(0, COMMAND_CHARS_MAX)} …` : line;
  const liveness =
    state === "running" ? `alive for ${duration}` : `dead, ${howEnded(process)} after ${duration}`;
  return `${name}: ${liveness}, pid ${pid}, ${lines} lines of output. Command: ${what}`;
}

function howEnded({ timed_out, signal, exit_code }: ProcessView): string {
  if (timed_out) return "ended by its timeout";
  return signal === null ? `exit code ${exit_code}` : `ended by ${signal}`;
}

function inWords(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}m ${seconds % 60}s`
    : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}

/** The output below the header, and as many of its last lines as a text may have. */
function withOutput(header: string, process: ProcessView, output: string): string {
  if (process.lines === 0) return header;
  const room = TEXT_CHARS_MAX - HEADER_CHARS_MAX;
  const cutAt = output.length > room ? output.indexOf("\n", output.length - room) + 1 : 0;
  const shown = output.slice(cutAt);
  const count = shown.split("\n").length;
  const which = count < process.lines ? `the last ${count} of ${process.lines} lines` : "all";
  return `${header}\nOutput, ${which}:\n\n${shown}`;
}
