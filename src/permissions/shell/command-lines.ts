/** Every command in a syntax tree, in the order of the text: in pipes, lists, loops, functions, substitutions. */
import {
  type CommandLine,
  type Input,
  programOf,
  type Redirection,
  type Setting,
} from "./command-line.ts";
import { lostDash } from "./doubts.ts";
import { type SyntaxNode, sourceOf, WORD_TYPES } from "./syntax.ts";
import { literalWord, stringText, unknownWord, type Word, wordOf } from "./words.ts";

/** What a command is surrounded by. */
export type Surrounding = Pick<CommandLine, "input" | "direct" | "repeated">;

/**
 * A command, or a text in backticks, which is another text to the shell as well. `streams`: what is run to
 * print the files that it is given as `<(…)`.
 */
export type Found =
  | { kind: "command"; command: CommandLine; streams: readonly Found[] }
  | { kind: "text"; text: string };

const SUBSTITUTIONS = new Set(["command_substitution", "process_substitution"]);
const BODIES = new Set([
  "command",
  "declaration_command",
  "unset_command",
  "test_command",
  "variable_assignment",
  "variable_assignments",
]);

export function commandLines(text: string, root: SyntaxNode, surrounding: Surrounding): Found[] {
  const found: Found[] = [];
  visit({ text, found }, root, surrounding);
  return found;
}

type Walk = { text: string; found: Found[] };

function visit(walk: Walk, node: SyntaxNode, around: Surrounding): void {
  if (BODIES.has(node.type)) addCommand(walk, node, [], around);
  else if (SUBSTITUTIONS.has(node.type)) visitSubstitution(walk, node);
  else if (node.type === "redirected_statement") visitRedirected(walk, node, around);
  else if (/^(?:file|herestring)_redirect$/.test(node.type)) addCommand(walk, null, [node], around);
  else visitAll(walk, node, around);
}

function visitAll(walk: Walk, node: SyntaxNode, around: Surrounding): void {
  let piped = false;
  for (const child of node.children) {
    if (node.type === "pipeline" && /^\|/.test(child.type)) piped = true;
    visit(walk, child, piped ? { ...around, input: { from: "pipe" } } : around);
  }
}

function visitSubstitution(walk: Walk, node: SyntaxNode): void {
  const source = sourceOf(walk.text, node);
  if (source.startsWith("`")) {
    walk.found.push({ kind: "text", text: source.slice(1, -1).replace(/\\([$`\\])/g, "$1") });
    return;
  }
  // What is written to `>(…)` is what it reads.
  const input: Input = { from: source.startsWith(">(") ? "pipe" : "nothing" };
  const around: Surrounding = { input, direct: false, repeated: false };
  for (const child of node.children) visit(walk, child, around);
}

function visitRedirected(walk: Walk, node: SyntaxNode, around: Surrounding): void {
  const isRedirect = ({ type }: SyntaxNode) => type.endsWith("_redirect");
  const redirects = node.children.filter(isRedirect);
  const bodies = node.children.filter((child) => !isRedirect(child) && child.type !== "comment");
  const body = bodies[0];
  if (body && !BODIES.has(body.type)) {
    addCommand(walk, null, redirects, around);
    visit(walk, body, { ...around, input: inputOf(walk.text, redirects, around.input) });
  } else addCommand(walk, body ?? null, redirects, around);
  // After `<<EOF` the line goes on.
  for (const heredoc of redirects.filter(({ type }) => type === "heredoc_redirect"))
    for (const child of heredoc.children)
      if (child.type === "pipeline" || (!isRedirect(child) && !HEREDOC_PARTS.has(child.type)))
        if (!WORD_TYPES.has(child.type)) visit(walk, child, around);
}

const HEREDOC_PARTS = new Set(["heredoc_start", "heredoc_body", "heredoc_end", "file_descriptor"]);

type Parts = { words: Word[]; sets: Setting[]; redirections: Redirection[]; nested: SyntaxNode[] };

function addCommand(
  walk: Walk,
  body: SyntaxNode | null,
  redirects: readonly SyntaxNode[],
  around: Surrounding,
): void {
  const { text } = walk;
  const parts: Parts = { words: [], sets: [], redirections: [], nested: [] };
  if (body) readBody(text, body, parts);
  let end = body?.end ?? 0;
  for (const redirect of redirects) {
    if (body && lostDash(text, redirect, end) > 0) parts.words.push(literalWord("-"));
    readRedirect(text, redirect, parts);
    end = redirect.end;
  }
  const inner = body ? [...body.children.filter(({ type }) => type.endsWith("_redirect"))] : [];
  const input = inputOf(text, [...inner, ...redirects], around.input);
  const streams: Found[] = [];
  const { nested, ...own } = parts;
  const first = body ?? redirects[0];
  if (own.words.length + own.sets.length + own.redirections.length > 0 && first) {
    const last = redirects.findLast(({ type }) => type !== "heredoc_redirect")?.end ?? first.end;
    const source = text.slice(first.start, Math.max(last, first.end));
    const command: CommandLine = {
      ...around,
      ...own,
      program: programOf(own.words),
      source,
      input,
    };
    walk.found.push({ kind: "command", command, streams });
  }
  for (const node of nested) {
    const before = walk.found.length;
    visit(walk, node, { ...around, input: { from: "nothing" } });
    if (sourceOf(text, node).startsWith("<(")) streams.push(...walk.found.slice(before));
  }
}

function readBody(text: string, body: SyntaxNode, parts: Parts): void {
  if (body.type === "test_command") {
    const isLong = sourceOf(text, body).startsWith("[[");
    parts.words.push(literalWord(isLong ? "[[" : "["), unknownWord(sourceOf(text, body)));
    collectNested(body, parts.nested);
    return;
  }
  if (body.type === "variable_assignment") {
    readSetting(text, body, parts);
    return;
  }
  for (const child of body.children) {
    if (child.type.endsWith("_redirect")) readRedirect(text, child, parts);
    else if (child.type === "variable_assignment" && body.type !== "declaration_command")
      readSetting(text, child, parts);
    else if (child.type === "variable_assignment") readDeclared(text, child, parts);
    else if (isDescriptor(text, child)) continue;
    else if (child.type === "subshell") parts.nested.push(child);
    else if (child.type !== "comment") readWord(text, child, parts);
  }
}

/** To the grammar the `0` of `0<<<text` is a word. */
const isDescriptor = (text: string, node: SyntaxNode): boolean =>
  text.startsWith("<<<", node.end) && /^\d+$/.test(sourceOf(text, node));

function readWord(text: string, node: SyntaxNode, parts: Parts): void {
  parts.words.push(
    WORD_TYPES.has(node.type) ? wordOf(text, node) : literalWord(sourceOf(text, node)),
  );
  collectNested(node, parts.nested);
}

function readSetting(text: string, node: SyntaxNode, parts: Parts): void {
  const name = /^\w+/.exec(sourceOf(text, node))?.[0] ?? "";
  parts.sets.push({ name, value: valueIn(text, node) });
  collectNested(node, parts.nested);
}

/** `export A=1`: a variable, and a word of the command. */
function readDeclared(text: string, node: SyntaxNode, parts: Parts): void {
  const value = valueIn(text, node);
  const source = sourceOf(text, node);
  const left = source.slice(0, source.indexOf("=") + 1);
  const visible = (value?.visible ?? ["\0"]).map((each) => left + each);
  const literal = value === null || value.literal === null ? null : left + value.literal;
  parts.words.push({ ...literalWord(""), literal, visible });
  collectNested(node, parts.nested);
}

function valueIn(text: string, node: SyntaxNode): Word | null {
  const at = node.children.findIndex(({ type }) => type === "=" || type === "+=");
  const value = node.children[at + 1];
  if (!value) return literalWord("");
  return value.type === "array" ? null : wordOf(text, value);
}

function collectNested(node: SyntaxNode, nested: SyntaxNode[]): void {
  if (SUBSTITUTIONS.has(node.type)) nested.push(node);
  else for (const child of node.children) collectNested(child, nested);
}

/** The grammar takes the words after a file for more files; they are words of the command. */
function readRedirect(text: string, node: SyntaxNode, parts: Parts): void {
  if (node.type === "file_redirect") {
    const [target, ...more] = node.children.filter(({ type }) => WORD_TYPES.has(type));
    const operator = node.children.find(({ type }) => /^[<>&|-]+$/.test(type))?.type ?? ">";
    if (target) {
      const isDuplicate = /&/.test(operator) && /^(?:\d+-?|-)$/.test(sourceOf(text, target));
      const writes = operator.includes(">");
      if (!isDuplicate) parts.redirections.push({ writes, target: wordOf(text, target) });
      collectNested(target, parts.nested);
    }
    for (const word of more) readWord(text, word, parts);
    return;
  }
  parts.redirections.push({ writes: false, target: unknownWord("") });
  for (const child of node.children) {
    if (child.type === "file_redirect") readRedirect(text, child, parts);
    else if (child.type === "herestring_redirect" || child.type === "heredoc_body")
      collectNested(child, parts.nested);
    else if (node.type === "herestring_redirect") collectNested(child, parts.nested);
    else if (WORD_TYPES.has(child.type)) readWord(text, child, parts);
  }
}

/** The last one counts. */
function inputOf(text: string, redirects: readonly SyntaxNode[], inherited: Input): Input {
  let input = inherited;
  for (const redirect of redirects) {
    if (!isOfInput(text, redirect)) continue;
    if (redirect.type === "heredoc_redirect")
      input = { from: "text", text: heredocText(text, redirect) };
    else if (redirect.type === "herestring_redirect") {
      const word = redirect.children.at(-1);
      input = { from: "text", text: word ? wordOf(text, word).literal : null };
    } else if (redirect.children.some(({ type }) => type === "<")) {
      const isStream = redirect.children.some(({ type }) => type === "process_substitution");
      input = { from: isStream ? "pipe" : "nothing" };
    }
  }
  return input;
}

/** With another number than that of the input before it, it is a file that only the program knows of. */
function isOfInput(text: string, redirect: SyntaxNode): boolean {
  const before = text.slice(Math.max(0, redirect.start - DESCRIPTOR_CHARS_MAX), redirect.start);
  const own = redirect.children.find(({ type }) => type === "file_descriptor");
  const descriptor = own ? sourceOf(text, own) : (/(?:^|\s)(\d+)$/.exec(before)?.[1] ?? "0");
  return Number(descriptor) === 0;
}

const DESCRIPTOR_CHARS_MAX = 12;

function heredocText(text: string, node: SyntaxNode): string | null {
  const part = (type: string) => node.children.find((child) => child.type === type);
  const [start, body] = [part("heredoc_start"), part("heredoc_body")];
  if (!body || !start) return "";
  const lines = sourceOf(text, body);
  if (/['"\\]/.test(sourceOf(text, start))) return lines;
  const expands = body.children.some(({ type }) => type !== "heredoc_content");
  return expands ? null : stringText(lines);
}
