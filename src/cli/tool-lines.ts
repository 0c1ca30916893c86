/** How a tool call and what came of it are shown: a line, and the first lines of its output. */
import { counted } from "../lib/counted.ts";
import { type Screen, styled } from "./screen.ts";

const OUTPUT_LINES_MAX = 6;

export function showCall(
  screen: Screen,
  name: string,
  input: Record<string, unknown>,
): Promise<void> {
  const head = `▸ ${name}`;
  const what = cutTo(screen.columns - head.length - 2, oneLine(mainText(input)));
  return screen.line(styled("cyan", head), `  ${what}`);
}

export async function showOutput(screen: Screen, output: string): Promise<void> {
  const text = output.trimEnd();
  if (text === "") return;
  const lines = text.split("\n");
  for (const line of lines.slice(0, OUTPUT_LINES_MAX))
    await screen.line(styled("dim", `    ${cutTo(screen.columns - 4, line)}`));
  const left = lines.length - OUTPUT_LINES_MAX;
  if (left > 0) await screen.line(styled("dim", `    … ${counted(left, "more line")}`));
}

export const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, " ⏎ ");

/** What a call is mostly about, else all that it is given. */
function mainText(input: Record<string, unknown>): string {
  if (Array.isArray(input.items)) return counted(input.items.length, "item");
  const main = MAIN_FIELDS.map((name) => input[name]).find((value) => typeof value === "string");
  return typeof main === "string" ? main : JSON.stringify(input);
}

const MAIN_FIELDS = ["command", "file", "from", "pattern", "path", "query", "url", "task", "name"];

const cutTo = (columns: number, text: string): string =>
  text.length <= columns ? text : `${text.slice(0, Math.max(columns - 1, 1))}…`;
