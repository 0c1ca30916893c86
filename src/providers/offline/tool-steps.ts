/** Steps that tools do: what they are called with, and what is made of their answers. */
import { counted } from "../../lib/counted.ts";
import { listFiles, quote, selectFiles } from "./shell.ts";
import { block, code } from "./speech.ts";
import { type PlannedCall, type ToolAnswer, type ToolStep, toolStep } from "./steps.ts";

const NAMES_MAX = 200;

const scope = (place: string | null): string => (place === null ? "the workspace" : code(place));

export const run = (commands: readonly string[]): ToolStep =>
  toolStep(
    `I run ${commands.map(code).join(" and ")}.`,
    ...commands.map((command) => terminal(command, (answer) => runReport(command, answer))),
  );

function runReport(command: string, { text, failed }: ToolAnswer): string {
  const [summary, exitCode] = failed ? (/^Exit code (\d+).*\n?/.exec(text) ?? ["", null]) : ["", 0];
  const end = exitCode === null ? "did not run to its end" : `ended with exit code ${exitCode}`;
  const output = text.slice(summary.length);
  return output.trim() === ""
    ? `${code(command)} ${end} and printed nothing.`
    : `${code(command)} ${end}:\n${block(output)}`;
}

export function listDirectory(place: string | null): ToolStep {
  const command = place === null ? "ls -1Ap" : `ls -1Ap -- ${quote(place)}`;
  return toolStep(
    `I list ${scope(place)}.`,
    terminal(command, ({ text, failed }) => {
      if (failed) return `I could not list ${scope(place)}:\n${block(text)}`;
      return text.trim() === ""
        ? `Nothing is in ${scope(place)}.`
        : `In ${scope(place)}:\n${block(text)}`;
    }),
  );
}

/** `patterns` become part of a shell script: letters, digits and `*?._+-` only. */
export function listMatching(
  patterns: readonly string[],
  place: string | null,
  what: string,
): ToolStep {
  const command = `${listFiles(place)} |
${selectFiles(patterns, `printf "%s\\n"`)} |
sort | head -n ${NAMES_MAX}`;
  return toolStep(
    `I look for ${what} in ${scope(place)}.`,
    terminal(command, ({ text, failed }) => {
      if (failed) return `I could not look for ${what}:\n${block(text)}`;
      const names = withoutDots(text);
      if (names === "") return `I found no ${what} in ${scope(place)}.`;
      return `${what[0]?.toUpperCase()}${what.slice(1)} in ${scope(place)}:\n${block(names)}`;
    }),
  );
}

export const search = (needle: string, place: string | null): ToolStep =>
  toolStep(`I search ${scope(place)} for ${code(needle)}.`, {
    tool: "grep",
    input: { pattern: needle, literal: true, ...(place === null ? {} : { path: place }) },
    report({ text, failed }) {
      if (failed) return `I could not search ${scope(place)}: ${text}`;
      return text.startsWith("[No match")
        ? `I found no ${code(needle)} in ${scope(place)} (spelled just so; upper and lower case count).`
        : `I found ${code(needle)} in ${scope(place)}:\n${block(text)}`;
    },
  });

/** The first step is the one that is worked on. */
export const plan = (steps: readonly string[]): ToolStep =>
  toolStep("I write down the plan.", {
    tool: "todo",
    input: {
      items: steps.map((content, at) => ({
        content,
        status: at === 0 ? "in_progress" : "pending",
      })),
    },
    report: ({ text, failed }) =>
      failed
        ? `I could not keep the plan: ${text}`
        : `The plan has ${counted(steps.length, "step")}.`,
  });

const TASK_CHARS_MAX = 60;

export const delegate = (task: string): ToolStep =>
  toolStep("I hand that to a subagent.", {
    tool: "subagent",
    input: { task: task.slice(0, TASK_CHARS_MAX), prompt: task },
    report: ({ text, failed }) =>
      `The subagent ${failed ? "did not finish" : "answered"}:\n${block(text)}`,
  });

export const start = (command: string): ToolStep =>
  toolStep(`I start ${code(command)} in the background.`, {
    tool: "terminal",
    input: { command, background: true },
    report: ({ text, failed }) =>
      `${code(command)} ${failed ? "could not be started" : "runs"}:\n${block(text)}`,
  });

export const fetchPage = (url: string): ToolStep =>
  toolStep(`I fetch ${code(url)}.`, {
    tool: "web_fetch",
    input: { url },
    report: ({ text, failed }) =>
      failed ? `I could not fetch ${code(url)}: ${text}` : `${code(url)} says:\n${block(text)}`,
  });

/** Paths as people write them, without `./` in front. */
const withoutDots = (lines: string): string => lines.trimEnd().replace(/^\.\//gm, "");

const terminal = (command: string, report: PlannedCall["report"]): PlannedCall => ({
  tool: "terminal",
  input: { command },
  report,
});

export const read = (files: readonly string[]): ToolStep =>
  toolStep(
    `I read ${files.map(code).join(" and ")}.`,
    ...files.map(
      (file): PlannedCall => ({
        tool: "file_read",
        input: { file },
        report: ({ text, failed }) =>
          failed
            ? `I could not read ${code(file)}: ${text}`
            : `${code(file)}:\n${block(withoutHeader(text))}`,
      }),
    ),
  );

/** The tool says on a first line what it read; the file's text follows after an empty one. */
const withoutHeader = (text: string): string => text.replace(/^✓[^\n]*\n\n?/, "");

export const create = (file: string, content: string): ToolStep =>
  toolStep(`I create ${code(file)}.`, {
    tool: "file_create",
    input: { file, content },
    report: (answer) => changeReport("create", file, answer),
  });

export const edit = (file: string, find: string, replace: string): ToolStep =>
  toolStep(`I edit ${code(file)}.`, {
    tool: "file_edit",
    input: { file, find, replace },
    report: (answer) => changeReport("edit", file, answer),
  });

const changeReport = (verb: string, file: string, { text, failed }: ToolAnswer): string =>
  failed
    ? `I could not ${verb} ${code(file)}: ${text}`
    : `Done: ${text.replace(/^✓\s*/, "").trim()}`;
