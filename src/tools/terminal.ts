/** The terminal tool: one shell command, to its end. */
import { stat } from "node:fs/promises";
import { constants } from "node:os";
import { Type as t } from "@sinclair/typebox";
import { defineTool, type Tool, type ToolResult } from "../domain/tool.ts";
import { cutMiddle, TEXT_CHARS_MAX } from "../lib/captured-text.ts";
import { type ProcessResult, runProcess } from "../lib/process.ts";
import type { ProcessGuard } from "../lib/process-guard.ts";
import { answering, CANCELLED_TEXT, errorCode, shown, ToolFailure } from "./failure.ts";
import { type Area, type AreaOf, insideWorkspace } from "./workspace.ts";

const TIMEOUT_DEFAULT_MS = 90_000;
const TIMEOUT_MAX_MS = 600_000;
const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** Of a failed command's output, what its one-line error quotes. */
const QUOTED_LINES_MAX = 3;
const QUOTED_CHARS_MAX = 500;

const AGENT_PROGRAM = /(?:python3?\s+main\.py|kollab)\s/;
const AGENT_FLAG = /--detached|--agent|&\s*$/;

export type TerminalOptions = {
  areaOf: AreaOf;
  /** The shell that gets the command, as an absolute path. */
  shell: string;
  /** What commands find in their environment, besides PWD. */
  env: Record<string, string>;
  guard: ProcessGuard;
};

export function createTerminal({ shell, env, guard, areaOf }: TerminalOptions): Tool {
  return defineTool({
    name: "terminal",
    type: "terminal",
    risk: "high",
    description:
      "Run a shell command in the workspace and return what it prints. It gets no input, and what it " +
      "leaves running in the background is ended with it. Long output loses its middle.",
    parameters: t.Object({
      command: t.String({ description: "The shell command" }),
      timeout: t.Optional(
        t.String({
          description: "When to end it: 30s, 5m or 1h. Default 90s, at most 10m",
        }),
      ),
      cwd: t.Optional(
        t.String({
          description: "Directory to run it in, inside the workspace; default: the workspace",
        }),
      ),
    }),
    run: ({ command, timeout, cwd }, { workspace, signal, progress }) =>
      answering(signal, async () => {
        refuseCommand(command);
        const timeoutMs = parseTimeout(timeout);
        const directory =
          cwd === undefined ? workspace : await directoryInside(areaOf(workspace), cwd);
        const result = await start(
          {
            command: [shell, "-c", command],
            cwd: directory,
            env: { ...env, PWD: directory },
            timeoutMs,
            guard,
            onOutput: progress,
          },
          signal,
        );
        return report(result, directory, timeoutMs);
      }),
  });
}

/** Agents are started through the hub, which knows of them then. */
function refuseCommand(command: string): void {
  if (command.trim() === "") throw new ToolFailure("Parameter 'command' must not be empty");
  if (command.includes("\0")) throw new ToolFailure("The command contains a NUL byte");
  if (command.split("\n").some(startsAgent))
    throw new ToolFailure("Agents cannot be started from the terminal");
}

/** Two short patterns in place of one with a gap, which would be slow on a hostile line. */
function startsAgent(line: string): boolean {
  const program = AGENT_PROGRAM.exec(line);
  return program !== null && AGENT_FLAG.test(line.slice(program.index + program[0].length));
}

function parseTimeout(timeout: string | undefined): number {
  if (timeout === undefined) return TIMEOUT_DEFAULT_MS;
  const [, count, unit = "s"] = /^\s*(\d{1,9}(?:\.\d{1,3})?)\s*([smh])?\s*$/.exec(timeout) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  if (!(ms > 0))
    throw new ToolFailure("Parameter 'timeout' must be a duration such as 30s, 5m or 1h");
  return Math.min(ms, TIMEOUT_MAX_MS);
}

async function directoryInside(area: Area, cwd: string): Promise<string> {
  const directory = await insideWorkspace(area, cwd);
  const status = await stat(directory).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") throw new ToolFailure(`No such directory: ${shown(cwd)}`);
    throw error;
  });
  if (!status.isDirectory()) throw new ToolFailure(`Not a directory: ${shown(cwd)}`);
  return directory;
}

async function start(...[options, signal]: Parameters<typeof runProcess>): Promise<ProcessResult> {
  try {
    return await runProcess(options, signal);
  } catch (error) {
    const what = `Cannot start ${options.command[0]} in ${options.cwd}`;
    throw new ToolFailure(`${what}: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  const code = errorCode(error);
  if (code === "E2BIG") return "the command is too long";
  // The system does not say which of the two is missing.
  if (code === "ENOENT") return "one of them does not exist";
  return code || String(error);
}

function report(result: ProcessResult, cwd: string, timeoutMs: number): ToolResult {
  const output = joinOutputs(result);
  const metadata = {
    exit_code: exitCode(result),
    ...(result.timedOut && { timed_out: true }),
    ...(output.cut && { truncated: true }),
    ...(result.cancelled && { cancelled: true }),
    cwd,
  };
  const error = failure(result, timeoutMs);
  return error === null
    ? { ok: true, output: output.text, metadata }
    : { ok: false, output: output.text, error, metadata };
}

/** What it printed, errors last, cut to one text's limit. */
function joinOutputs({ stdout, stderr, outputLength }: ProcessResult) {
  const gap = stdout !== "" && stderr !== "" && !stdout.endsWith("\n") ? "\n" : "";
  const length = outputLength + gap.length;
  return { text: cutMiddle(stdout + gap + stderr, length), cut: length > TEXT_CHARS_MAX };
}

/** In one line why it is no success; null: it is one. */
function failure(result: ProcessResult, timeoutMs: number): string | null {
  if (result.cancelled) return CANCELLED_TEXT;
  if (result.timedOut) return `Command timed out after ${timeoutMs / 1000}s`;
  if (result.exitCode === 0) return null;
  const lines = lastLines(result.stderr) || lastLines(result.stdout);
  return lines === "" ? `Exit code ${exitCode(result)}` : `Exit code ${exitCode(result)}: ${lines}`;
}

/** As a shell says it: 128 and the signal's number for a command that a signal ended. */
function exitCode({ exitCode, signal }: ProcessResult): number | null {
  if (signal === null) return exitCode;
  return 128 + (typeof signal === "number" ? signal : constants.signals[signal]);
}

function lastLines(text: string): string {
  const end = text.slice(-4 * QUOTED_CHARS_MAX).split("\n");
  const lines = end.map((line) => line.trim()).filter((line) => line !== "");
  return lines.slice(-QUOTED_LINES_MAX).join(" | ").slice(-QUOTED_CHARS_MAX).toWellFormed();
}
