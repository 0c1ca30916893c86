/** What the terminal tools are asked, checked: the command, its time, its directory. */
import { stat } from "node:fs/promises";
import { Type as t } from "@sinclair/typebox";
import { errorCode } from "../lib/error-code.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { type Area, insideWorkspace } from "./workspace.ts";

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 };

const AGENT_PROGRAM = /(?:python3?\s+main\.py|kollab)\s/;
const AGENT_FLAG = /--detached|--agent|&\s*$/;

/** Names stand in paths of URLs; `*` must not be one. */
const NAME = /^\w[\w.-]{0,63}$/;

/** All commands of the session, where a tool wants a name. */
export const EVERY_NAME = "*";

export const terminalParameters = t.Object({
  command: t.String({ description: "The shell command" }),
  background: t.Optional(
    t.Boolean({
      description: "Let it run on and return at once: for servers, watchers and long runs",
    }),
  ),
  name: t.Optional(
    t.String({
      description: "What to call a background command: letters, digits, '.', '_' and '-'",
    }),
  ),
  timeout: t.Optional(
    t.String({
      description:
        "When to end it: 30s, 5m or 1h. Default 90s, at most 10m; in the background no limit unless given",
    }),
  ),
  cwd: t.Optional(
    t.String({
      description: "Directory to run it in, inside the workspace; default: the workspace",
    }),
  ),
});

/** Agents are started through the hub, which knows of them then. */
export function refuseCommand(command: string): void {
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

export function refuseName(name: string): void {
  if (!NAME.test(name))
    throw new ToolFailure(
      "Parameter 'name' must be 1 to 64 letters, digits, '.', '_' or '-', as in dev-server",
    );
}

/** In milliseconds, and never more than `msMax`. */
export function parseTimeout(timeout: string, msMax: number): number {
  const [, count, unit = "s"] = /^\s*(\d{1,9}(?:\.\d{1,3})?)\s*([smh])?\s*$/.exec(timeout) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  if (!(ms > 0))
    throw new ToolFailure("Parameter 'timeout' must be a duration such as 30s, 5m or 1h");
  return Math.min(ms, msMax);
}

export async function directoryInside(area: Area, cwd: string): Promise<string> {
  const directory = await insideWorkspace(area, cwd);
  const status = await stat(directory).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT")
      throw new ToolFailure(`No such directory: ${quotedPath(cwd)}`);
    throw error;
  });
  if (!status.isDirectory()) throw new ToolFailure(`Not a directory: ${quotedPath(cwd)}`);
  return directory;
}
