/** A call as permissions judge it. */
import { resolve } from "node:path";
import type { ToolCallId } from "../domain/ids.ts";
import type { RiskLevel } from "../domain/permission.ts";
import type { ToolSubject } from "../domain/tool.ts";
import { realPathOf } from "../lib/paths.ts";
import type { CommandPart } from "./command.ts";
import { type Place, placeOf, type Surroundings } from "./places.ts";
import type { Assessment } from "./risk.ts";

export type CheckedCall = {
  tool_id: ToolCallId;
  tool_name: string;
  tool_type: string;
  input: Record<string, unknown>;
  assessment: Assessment;
  subject: ToolSubject;
  /** Of a tool that a server offers. */
  mcp?: { server: string; tool: string };
  /** Unified diff of what would change; null: it is no change of files. */
  diff: string | null;
  /** Absolute paths of what would change. */
  paths: string[];
};

/** What decides besides the call itself. */
export type Judging = { call: CheckedCall; where: Surroundings };

const RANKS: Record<RiskLevel, number> = { low: 0, medium: 1, high: 2, unknown: 3 };

export const isRisky = (level: RiskLevel): boolean => level === "high" || level === "unknown";
export const isAtMost = (level: RiskLevel, max: RiskLevel): boolean => RANKS[level] <= RANKS[max];

export const isCommand = ({ tool_type }: CheckedCall): boolean => tool_type === "terminal";

/** The text of a shell command; empty: it has none. */
export const commandText = ({ input }: CheckedCall): string =>
  typeof input.command === "string" ? input.command : "";

/** Where a command runs, without links. */
export function directoryOf({ call, where }: Judging): string {
  const { cwd } = call.input;
  if (typeof cwd !== "string") return where.workspace;
  return realPathOf(placeOf(cwd, where.workspace, where.home).written);
}

/** The programs of a command that was taken apart; empty: it is none, or it was not. */
export function partsOf({ assessment }: CheckedCall): readonly CommandPart[] {
  return assessment.command?.parsed ? assessment.command.parts : [];
}

/** What the model named, else what would change. */
export function placesOf({ call, where }: Judging): Place[] {
  const named = call.subject.paths.map((path) => placeOf(path, where.workspace, where.home));
  return named.length > 0 ? named : changesOf(call);
}

/** What would change. */
export const changesOf = ({ paths }: CheckedCall): Place[] =>
  paths.map((path) => ({ written: resolve(path), real: realPathOf(resolve(path)) }));
