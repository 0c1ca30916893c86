/**
 * How much harm a call may do. For a command it is read off its text: a guess that saves people questions,
 * and no wall, since a text can hide what it does. In doubt it is high, and somebody is asked.
 */
import { resolve } from "node:path";
import type { RiskLevel } from "../domain/permission.ts";
import type { ShellCommand } from "./command.ts";
import { ORDINARY, readCommand } from "./shell-command.ts";

export type Call = { name: string; type: string; input: Record<string, unknown> };

/** `command`: of a terminal call whose command is a text. */
export type Assessment = { level: RiskLevel; reason: string; command: ShellCommand | null };

export type RiskAssessor = {
  /**
   * `tool`: null where the engine does not have it. `workspace`: where commands run, absolute; null: not
   * known. The first command loads the grammar; never rejects for what a command is.
   */
  assess(
    call: Call,
    tool: { type: string; risk: RiskLevel } | null,
    workspace?: string | null,
  ): Promise<Assessment>;
};

/** `home`: the directory that `~` stands for in commands. */
export function createRiskAssessor({ home }: { home: string }): RiskAssessor {
  return {
    async assess(call, tool, workspace = null) {
      if (call.type === "terminal") return await assessCommand(call.input, home, workspace);
      // By its type only: a server may give its tool the name of a harmless one. What is missing never runs.
      if (!tool || call.type === "mcp_tool") return ofType(call.type, "medium");
      const name = call.name.replaceAll("_", "-");
      return { level: tool.risk, reason: `Tool definition risk for '${name}'`, command: null };
    },
  };
}

const ofType = (type: string, level: RiskLevel): Assessment => ({
  level,
  reason: `Default risk for tool type '${type}'`,
  command: null,
});

async function assessCommand(
  input: Record<string, unknown>,
  home: string,
  workspace: string | null,
): Promise<Assessment> {
  if (typeof input.command !== "string")
    return { level: "unknown", reason: "The command is not a text", command: null };
  const directory = directoryOf(input.cwd, home, workspace);
  const command = await taken(input.command, { home, directory });
  if (!command.parsed) return { level: "high", reason: command.reason, command };
  const worst =
    command.parts.find(({ level }) => level === "high") ??
    command.parts.find(({ reason }) => reason !== ORDINARY);
  return { level: worst?.level ?? "medium", reason: worst?.reason ?? ORDINARY, command };
}

/** Without the grammar no command is understood, and somebody is asked about each. */
async function taken(text: string, places: Parameters<typeof readCommand>[1]) {
  try {
    const { parseTree } = await import("./shell/grammar.ts");
    return readCommand(text, places, parseTree);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { parsed: false as const, reason: `The command could not be taken apart: ${reason}` };
  }
}

function directoryOf(cwd: unknown, home: string, workspace: string | null): string | null {
  if (typeof cwd !== "string" || cwd === "") return workspace;
  if (cwd === "~" || cwd.startsWith("~/")) return resolve(home, `.${cwd.slice(1)}`);
  if (workspace === null) return cwd.startsWith("/") ? resolve(cwd) : null;
  return resolve(workspace, cwd);
}
