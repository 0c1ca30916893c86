/** Calls as permissions get them, for tests of what is decided about them. */
import type { ToolCallId } from "../../src/domain/ids.ts";
import type { RiskLevel } from "../../src/domain/permission.ts";
import type { CheckedCall } from "../../src/permissions/call.ts";
import type { ShellCommand } from "../../src/permissions/command.ts";
import { parseTree } from "../../src/permissions/shell/grammar.ts";
import { readCommand } from "../../src/permissions/shell-command.ts";

let calls = 0;

/** A call of a tool, medium where nothing else is said. */
export function toolCall(
  tool_name: string,
  more: Partial<CheckedCall> & { level?: RiskLevel } = {},
): CheckedCall {
  const { level = "medium", ...rest } = more;
  return {
    tool_id: `call_${++calls}` as ToolCallId,
    tool_name,
    tool_type: tool_name,
    input: {},
    assessment: { level, reason: "as the test says", command: null },
    subject: { paths: [], host: null },
    diff: null,
    paths: [],
    ...rest,
  };
}

export const fileCall = (tool: string, ...paths: string[]): CheckedCall =>
  toolCall(tool, { subject: { paths, host: null } });

export const fetchCall = (host: string): CheckedCall =>
  toolCall("web_fetch", { subject: { paths: [], host } });

type CommandOptions = {
  /** Of the command and every part; else what is found in it. */
  level?: RiskLevel;
  cwd?: string;
  shell?: ShellCommand;
};

export function commandCall(command: string, options: CommandOptions = {}): CheckedCall {
  const { level, cwd } = options;
  const found =
    options.shell ?? readCommand(command, { home: "/home/x", directory: null }, parseTree);
  const parts = found.parsed
    ? found.parts.map((part) => ({ ...part, level: level ?? part.level }))
    : [];
  const shell = found.parsed ? { ...found, parts } : found;
  const isHigh = !found.parsed || parts.some((part) => part.level === "high");
  return toolCall("terminal", {
    input: cwd === undefined ? { command } : { command, cwd },
    assessment: {
      level: level ?? (isHigh ? "high" : "medium"),
      reason: "as the test says",
      command: shell,
    },
  });
}
