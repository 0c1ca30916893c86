/** What the offline model says of itself, and how it shows what tools answered. */
import { counted } from "../../lib/counted.ts";

const SHOWN_LINES_MAX = 40;
const SHOWN_CHARS_MAX = 4000;
const QUOTED_CHARS_MAX = 300;

export const HOW_TO_CONFIGURE =
  "For a real model, set ANTHROPIC_API_KEY or OPENAI_API_KEY and restart, or add a profile to " +
  "~/.kollab/config.json (`kollab-engine doctor` shows what is found).";

/** One line under the first reply of a conversation. */
export const FIRST_REPLY_NOTE = `(This is the built-in offline model: fixed rules, no AI. ${HOW_TO_CONFIGURE})`;

export const introduction = (examples: readonly string[]): string =>
  `I am the offline model built into kollab-engine: a small rule-based stand-in, not an AI. ` +
  `I understand a handful of plain requests, run the real tools for them and answer from their results. ` +
  `${HOW_TO_CONFIGURE}\n\n${examplesOf(examples)}`;

export const notUnderstood = (clause: string, examples: readonly string[]): string =>
  `${clause === "" ? "I see no request in that." : `I cannot answer “${brief(clause)}”.`} ` +
  `I am a rule-based stand-in, not an AI. ${HOW_TO_CONFIGURE}\n\n${examplesOf(examples)}`;

const examplesOf = (examples: readonly string[]): string =>
  `What I understand, several steps joined by “then”:\n${examples.map((line) => `- ${line}`).join("\n")}`;

/** The text on one line, cut for quoting it. */
export function brief(text: string): string {
  const trimmed = text.trim();
  const line = trimmed.slice(0, QUOTED_CHARS_MAX).replace(/\s*\n\s*/g, " ");
  return trimmed.length > QUOTED_CHARS_MAX ? `${line}…` : line;
}

/** Inline code, also where the text has backticks of its own. */
export function code(text: string): string {
  const line = brief(text);
  return line.includes("`") ? `\`\` ${line} \`\`` : `\`${line}\``;
}

/** The text as a code block, cut at a line, with a note of what was left out. */
export function block(text: string): string {
  const lines = text.replace(/(?<!\n)\n+$/, "").split("\n");
  const shown: string[] = [];
  let chars = 0;
  for (const line of lines.slice(0, SHOWN_LINES_MAX)) {
    chars += line.length;
    if (chars > SHOWN_CHARS_MAX) break;
    shown.push(line);
  }
  if (shown.length === 0) shown.push(`${text.slice(0, SHOWN_CHARS_MAX)}…`);
  const left = lines.length - shown.length;
  const fence = longestFence(shown);
  const note = left > 0 ? `\n(${counted(left, "more line")} left out)` : "";
  return `${fence}\n${shown.join("\n")}\n${fence}${note}`;
}

function longestFence(lines: readonly string[]): string {
  const runs = lines.flatMap((line) => line.match(/^\s*`{3,}/) ?? []);
  return "`".repeat(Math.max(3, ...runs.map((run) => run.trim().length + 1)));
}

const VOCABULARY = "the quick brown fox jumps over the lazy dog and runs back to its den".split(
  " ",
);

export function* plainWords(count: number): Generator<string> {
  for (let index = 0; index < count; index += 1) yield VOCABULARY[index % VOCABULARY.length] ?? "";
}

export function* countedWords(count: number): Generator<string> {
  for (let number = 1; number <= count; number += 1) yield String(number);
}
