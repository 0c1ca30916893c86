/** What the model reads of a command that ran to its end. */
import { constants } from "node:os";
import type { ToolResult } from "../domain/tool.ts";
import { cutMiddle, TEXT_CHARS_MAX } from "../lib/captured-text.ts";
import type { ProcessResult } from "../lib/process.ts";
import { CANCELLED_TEXT } from "./failure.ts";
import { type Kept, keptNote } from "./kept-output.ts";

/** Of a failed command's output, what its one-line error quotes. */
const QUOTED_LINES_MAX = 3;
const QUOTED_CHARS_MAX = 500;

/** `kept`: where the whole output is, if it is too long for the model. */
export function report(
  result: ProcessResult,
  kept: Kept | null,
  cwd: string,
  timeoutMs: number,
): ToolResult {
  const metadata = {
    exit_code: exitCode(result),
    ...(result.timedOut && { timed_out: true }),
    ...(isCut(result) && { truncated: true }),
    ...(kept?.path && { output_file: kept.path }),
    ...(result.cancelled && { cancelled: true }),
    cwd,
  };
  const output = joinOutputs(result, kept === null ? "" : keptNote(kept));
  const error = failure(result, timeoutMs);
  return error === null ? { ok: true, output, metadata } : { ok: false, output, error, metadata };
}

/** Whether the model does not get all that it printed. */
export const isCut = (result: ProcessResult): boolean => joinedLength(result) > TEXT_CHARS_MAX;

/** What it printed, errors last, cut to one text's limit. */
const joinOutputs = (result: ProcessResult, note: string): string =>
  cutMiddle(result.stdout + gap(result) + result.stderr, joinedLength(result), note);

const joinedLength = (result: ProcessResult): number => result.outputLength + gap(result).length;

const gap = ({ stdout, stderr }: ProcessResult): string =>
  stdout !== "" && stderr !== "" && !stdout.endsWith("\n") ? "\n" : "";

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

/** The last lines of a text, as one. */
export function lastLines(text: string): string {
  const end = text.slice(-4 * QUOTED_CHARS_MAX).split("\n");
  const lines = end.map((line) => line.trim()).filter((line) => line !== "");
  return lines.slice(-QUOTED_LINES_MAX).join(" | ").slice(-QUOTED_CHARS_MAX).toWellFormed();
}
