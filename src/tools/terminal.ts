/** The terminal: one shell command to its end, or started in the background and followed by its name. */
import { EngineError } from "../domain/errors.ts";
import { defineTool, type Tool, type ToolContext, type ToolResult } from "../domain/tool.ts";
import { errorCode } from "../lib/error-code.ts";
import { type OutputName, runProcess } from "../lib/process.ts";
import type { ProcessGuard } from "../lib/process-guard.ts";
import type { BackgroundCommands } from "./background-commands.ts";
import { reportStart, terminalKill, terminalOutput, terminalStatus } from "./background-tools.ts";
import { answering, ToolFailure } from "./failure.ts";
import { OutputFile } from "./kept-output.ts";
import {
  directoryInside,
  parseTimeout,
  refuseCommand,
  refuseName,
  terminalParameters,
} from "./terminal-input.ts";
import { isCut, report } from "./terminal-report.ts";
import type { AreaOf } from "./workspace.ts";

const TIMEOUT_DEFAULT_MS = 90_000;
const TIMEOUT_MAX_MS = 600_000;
/** A timer takes no more: 24 days. */
const BACKGROUND_TIMEOUT_MAX_MS = 2 ** 31 - 1;

export type TerminalOptions = {
  areaOf: AreaOf;
  /** The shell that gets the command, as an absolute path. */
  shell: string;
  /** What commands find in their environment, besides PWD. */
  env: Record<string, string>;
  guard: ProcessGuard;
  background: BackgroundCommands;
};

/** A command as the shell gets it. */
type ShellCommand = {
  command: string;
  argv: string[];
  cwd: string;
  env: Record<string, string>;
};

/** The terminal and the tools for what runs in its background. */
export function terminalTools(options: TerminalOptions): Tool[] {
  const { background } = options;
  return [
    terminal(options),
    terminalStatus(background),
    terminalOutput(background),
    terminalKill(background),
  ];
}

const terminal = (options: TerminalOptions): Tool =>
  defineTool({
    name: "terminal",
    type: "terminal",
    risk: "high",
    description:
      "Run a shell command in the workspace and return what it prints. It gets no input, and what it " +
      "leaves running is ended with it, so do not end a command with '&': set background to start what " +
      "runs on, as servers do, and follow it with terminal_output, terminal_status and terminal_kill. " +
      "Of a long output the middle is left out; a note says in which file the whole is.",
    parameters: terminalParameters,
    run: ({ command, background, name, timeout, cwd }, context) =>
      answering(context.signal, async () => {
        refuseCommand(command);
        const directory = await directoryOf(options.areaOf, cwd, context);
        const shellCommand = {
          command,
          argv: [options.shell, "-c", command],
          cwd: directory,
          env: { ...options.env, PWD: directory },
        };
        if (background)
          return runBackground(options.background, shellCommand, { name, timeout }, context);
        const timeoutMs =
          timeout === undefined ? TIMEOUT_DEFAULT_MS : parseTimeout(timeout, TIMEOUT_MAX_MS);
        return runForeground(options.guard, shellCommand, timeoutMs, context);
      }),
  });

const directoryOf = async (areaOf: AreaOf, cwd: string | undefined, { workspace }: ToolContext) =>
  cwd === undefined ? workspace : directoryInside(areaOf(workspace), cwd);

async function runForeground(
  guard: ProcessGuard,
  shellCommand: ShellCommand,
  timeoutMs: number,
  { callId, session, progress, signal }: ToolContext,
): Promise<ToolResult> {
  const { argv, cwd, env } = shellCommand;
  const file = new OutputFile(session.outputs, callId);
  const options = {
    command: argv,
    cwd,
    env,
    timeoutMs,
    guard,
    onOutput: progress,
    keep: (from: OutputName, text: string) => file.add(from, text),
  };
  const result = await starting(shellCommand, signal, () => runProcess(options, signal));
  return report(result, await file.finish(isCut(result)), cwd, timeoutMs);
}

async function runBackground(
  background: BackgroundCommands,
  shellCommand: ShellCommand,
  { name, timeout }: { name?: string; timeout?: string },
  { session, signal }: ToolContext,
): Promise<ToolResult> {
  if (name !== undefined) refuseName(name);
  const timeoutMs = timeout === undefined ? null : parseTimeout(timeout, BACKGROUND_TIMEOUT_MAX_MS);
  const request = { ...shellCommand, name: name ?? null, timeoutMs };
  const started = await starting(shellCommand, signal, () =>
    background.start(session.id, request, signal),
  );
  return reportStart(started);
}

/** Why a command could not be started, as an answer to the model. */
async function starting<Value>(
  { argv, cwd }: ShellCommand,
  signal: AbortSignal,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw new ToolFailure(error.message, { cause: error });
    const what = `Cannot start ${argv[0]} in ${cwd}`;
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
