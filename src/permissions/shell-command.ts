/** Reads a shell command: every program that it would run, each judged on its own. */
import type { RiskLevel } from "../domain/permission.ts";
import type { CommandPart, CommandShape, ShellCommand } from "./command.ts";
import { UNKNOWN } from "./shell/braces.ts";
import { type CommandLine, type Input, programOf } from "./shell/command-line.ts";
import { commandLines, type Found, type Surrounding } from "./shell/command-lines.ts";
import { dangerOf } from "./shell/dangers.ts";
import { doubtOf, doubtOfText } from "./shell/doubts.ts";
import { type Downloads, openDownloads } from "./shell/downloads.ts";
import { effectOf } from "./shell/effects.ts";
import { forksWithoutEnd } from "./shell/fork-bombs.ts";
import type { Inner } from "./shell/inner.ts";
import { dangerInText } from "./shell/program-texts.ts";
import { bindRedirects } from "./shell/redirects.ts";
import { innerOf } from "./shell/runners.ts";
import { absolute, type Base } from "./shell/sensitive-paths.ts";
import { isInterpreter, isShell } from "./shell/shells.ts";
import type { SyntaxNode } from "./shell/syntax.ts";
import { settingsAmong } from "./shell/variables.ts";

/** Nobody reads a longer one before approving it; it is not looked at here either. */
const COMMAND_CHARS_MAX = 64 * 1024;
const PARTS_MAX = 200;
/** Commands in commands in commands. */
const DEPTH_MAX = 8;
const PART_CHARS_MAX = 300;
const DIRECTORIES_MAX = 8;

export type ParseTree = (text: string) => SyntaxNode | null;

export const ORDINARY = "Default risk for tool type 'terminal'";
const matches = (danger: string): string => `Command matches high-risk pattern: ${danger}`;

export function readCommand(command: string, base: Base, parseTree: ParseTree): ShellCommand {
  if (command.length > COMMAND_CHARS_MAX)
    return { parsed: false, reason: `The command has more than ${COMMAND_CHARS_MAX} characters` };
  const text = withUnixLines(command);
  const root = text === null ? null : parsedText(text, parseTree);
  if (text === null || root === null || typeof root === "string")
    return { parsed: false, reason: reasonOf(command, root) };
  const reading: Reading = {
    parseTree,
    home: base.home,
    directories: [base.directory],
    parts: [],
    downloads: openDownloads(),
    overflow: false,
  };
  readTree(reading, text, root, OUTERMOST, 0);
  if (reading.overflow)
    return { parsed: false, reason: `The command runs more than ${PARTS_MAX} programs` };
  const shape = shapeOf(root, reading.parts.length);
  return { parsed: true, shape, parts: withDangerOfWhole(command, reading.parts) };
}

const OUTERMOST: Surrounding = { input: { from: "nothing" }, direct: true, repeated: false };
const INNER: Surrounding = { ...OUTERMOST, direct: false };

type Reading = {
  parseTree: ParseTree;
  home: string;
  /** Where it may be by now: after a `cd` in parentheses, or one that failed, it is where it was. */
  directories: (string | null)[];
  parts: CommandPart[];
  downloads: Downloads;
  overflow: boolean;
};

/** `null`: lines that end in different ways, which a shell does not take for the same. */
function withUnixLines(command: string): string | null {
  if (!command.includes("\r")) return command;
  const text = command.replaceAll("\r\n", "\n");
  const lines = text.split("\n").length;
  const isMixed = text.includes("\r") || command.split("\r\n").length !== lines;
  return isMixed || text.includes("\\\n") ? null : text;
}

/** The tree, or what is odd about the text; `null`: it is none. */
function parsedText(text: string, parseTree: ParseTree): SyntaxNode | string | null {
  const odd = doubtOfText(text);
  if (odd !== null) return odd;
  const root = parseTree(text);
  return root === null ? null : (doubtOf(text, root) ?? bindRedirects(root));
}

/** What is dangerous wherever it stands is said first. */
function reasonOf(command: string, root: SyntaxNode | string | null): string {
  const danger = dangerInText(command);
  if (danger !== null) return matches(danger);
  if (typeof root === "string") return `The command is not clear: it ${root}`;
  return "The command is no shell text that can be taken apart";
}

function readTree(
  reading: Reading,
  text: string,
  root: SyntaxNode,
  around: Surrounding,
  depth: number,
): void {
  if (forksWithoutEnd(text, root)) addOpaque(reading, text, "forks without end");
  readAll(reading, commandLines(text, root, around), depth);
}

function readAll(reading: Reading, found: readonly Found[], depth: number): void {
  for (const each of found) {
    if (reading.parts.length > PARTS_MAX) reading.overflow = true;
    if (reading.overflow) return;
    if (each.kind === "text") readText(reading, each.text, INNER, depth);
    else readOne(reading, each.command, each.streams, depth);
  }
}

function readOne(
  reading: Reading,
  command: CommandLine,
  streams: readonly Found[],
  depth: number,
): void {
  const inner = [...innerOf(command), ...streamedTexts(command, streams)];
  const unknown = inner.some((each) => each.kind === "text" && each.text === null);
  const danger =
    dangerAnywhere(reading, command) ??
    (unknown ? "runs a text that is only known when it runs" : null);
  reading.parts.push(partOf(command, danger));
  followDirectory(reading, command);
  for (const each of inner) readInner(reading, command, each, depth);
}

function dangerAnywhere(
  { home, directories, downloads }: Reading,
  command: CommandLine,
): string | null {
  for (const directory of directories) {
    const base = { home, directory };
    const danger = dangerOf(command, base) ?? downloads.dangerOf(command, base);
    if (danger !== null) return danger;
  }
  return null;
}

function readInner(reading: Reading, outer: CommandLine, inner: Inner, depth: number): void {
  if (inner.kind === "text") {
    const { repeated } = outer;
    const input: Input = inner.fed === true ? { from: "pipe" } : outer.input;
    if (inner.text !== null)
      readText(reading, inner.text, { input, repeated, direct: false }, depth);
    return;
  }
  if (depth >= DEPTH_MAX) {
    addOpaque(reading, outer.source, "hides commands in commands");
    return;
  }
  const names = inner.words.map(({ visible, literal }) => literal ?? visible.join(" "));
  const command: CommandLine = {
    source: names.join(" ").replaceAll(UNKNOWN, "…"),
    program: programOf(inner.words),
    words: inner.words,
    sets: inner.assigns
      ? settingsAmong(outer.words.slice(1, outer.words.length - inner.words.length))
      : [],
    redirections: [],
    input: outer.input,
    direct: false,
    repeated: inner.repeated === true || outer.repeated,
  };
  readOne(reading, command, [], depth + 1);
}

/** Another text of shell commands. */
function readText(reading: Reading, text: string, around: Surrounding, depth: number): void {
  const root = depth < DEPTH_MAX ? parsedText(text, reading.parseTree) : null;
  if (root !== null && typeof root !== "string") readTree(reading, text, root, around, depth + 1);
  else if (depth < DEPTH_MAX) addOpaque(reading, text, "runs a text that cannot be taken apart");
  else addOpaque(reading, text, "hides commands in commands");
}

const STREAM_READERS = new Set(["source", "."]);

/** What a shell is given as `<(echo …)` is a text; anything else that is printed is not known. */
function streamedTexts(command: CommandLine, streams: readonly Found[]): Inner[] {
  const { program } = command;
  const runs = isShell(program) || isInterpreter(program) || STREAM_READERS.has(program);
  if (!runs || streams.length === 0) return [];
  const [only] = streams;
  const unknown: Inner = { kind: "text", text: null };
  if (streams.length > 1 || only?.kind !== "command") return [unknown];
  const { words } = only.command;
  const literals = words.map(({ literal, pattern }) => (pattern ? null : literal));
  if (literals[0] !== "echo" || literals.includes(null) || /^-/.test(literals[1] ?? ""))
    return [unknown];
  const text = literals.slice(1).join(" ");
  // Some shells put something else for what stands after a backslash.
  return text.includes("\\") ? [unknown] : [{ kind: "text", text }];
}

function followDirectory(reading: Reading, command: CommandLine): void {
  const { program } = command;
  if (program !== "cd" && program !== "pushd") return;
  const { home, directories } = reading;
  const target = command.words.findLast(({ visible }) => !visible[0]?.startsWith("-"));
  const path = command.words.length === 1 ? "~" : (target?.literal ?? null);
  const now = directories.map((directory) => (path === null ? null : moved(path, home, directory)));
  reading.directories = [...new Set([...now, ...directories])].slice(0, DIRECTORIES_MAX);
}

function moved(path: string, home: string, directory: string | null): string | null {
  return /[*?[]/.test(path) ? null : absolute(path, { home, directory });
}

function partOf(command: CommandLine, danger: string | null): CommandPart {
  const level: RiskLevel = danger === null ? "medium" : "high";
  return {
    text: shortened(command.source),
    level,
    reason: danger === null ? reasonOfMedium(command) : matches(danger),
    words: command.words.map(({ literal, pattern }, index) =>
      pattern && index === 0 ? null : literal,
    ),
    sets: command.sets.map(({ name }) => name),
    redirections: command.redirections.map(({ writes, target }) => ({
      writes,
      path: target.pattern ? null : target.literal,
    })),
    direct: command.direct,
  };
}

function reasonOfMedium(command: CommandLine): string {
  const effect = effectOf(command);
  return effect === null ? ORDINARY : `Command matches medium-risk pattern: ${effect}`;
}

function addOpaque(reading: Reading, source: string, danger: string): void {
  const reason = matches(danger);
  const text = shortened(source);
  reading.parts.push({
    text,
    level: "high",
    reason,
    words: [null],
    sets: [],
    redirections: [],
    direct: false,
  });
}

const shortened = (text: string): string =>
  text.length > PART_CHARS_MAX ? `${text.slice(0, PART_CHARS_MAX).toWellFormed()}…` : text;

/** Simple statements that are joined by nothing but `&&`, `||`, `;` and new lines, and each is one part. */
function shapeOf(root: SyntaxNode, parts: number): CommandShape {
  const statements = statementsOf(root);
  if (statements === null || statements !== parts || parts === 0) return "compound";
  return parts === 1 ? "simple" : "list";
}

const STATEMENTS = new Set([
  "command",
  "declaration_command",
  "unset_command",
  "test_command",
  "variable_assignment",
  "variable_assignments",
]);

/** How many there are; `null`: there is anything else. */
function statementsOf(root: SyntaxNode): number | null {
  let count = 0;
  const open = [...root.children];
  for (let node = open.pop(); node; node = open.pop()) {
    const { type, children } = node;
    if (type === "list") open.push(...children);
    else if (STATEMENTS.has(type)) count += 1;
    else if (type === "redirected_statement" && isPlainlyRedirected(children)) count += 1;
    else if (!/^(?:&&|\|\||;|\n|comment)$/.test(type)) return null;
  }
  return count;
}

const isPlainlyRedirected = (children: readonly SyntaxNode[]): boolean =>
  children.every(
    ({ type, children: inner }) =>
      STATEMENTS.has(type) ||
      type === "comment" ||
      (type.endsWith("_redirect") &&
        !inner.some((node) => node.type === "pipeline" || /^(?:&&|\|\||\|)/.test(node.type))),
  );

/** What only the text as a whole shows belongs to every part, since nobody knows to which. */
function withDangerOfWhole(command: string, parts: readonly CommandPart[]): CommandPart[] {
  if (parts.some(({ level }) => level === "high")) return [...parts];
  const danger = dangerInText(command);
  if (danger === null) return [...parts];
  return parts.map((part) => ({ ...part, level: "high", reason: matches(danger) }));
}
