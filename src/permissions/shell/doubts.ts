/**
 * Where the grammar reads a text in another way than a shell does, so that a command could hide in what it
 * takes for a comment, a string or an argument. All of it is rare; a text that has it is not understood.
 */
import { UNKNOWN } from "./braces.ts";
import { type SyntaxNode, sourceOf, WORD_TYPES } from "./syntax.ts";

/** Characters that no command needs, some of which show people another text than the shell reads. */
const STRANGE = /[^\P{Cc}\t\n]|[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff]/u;

/** What is odd about the characters alone; `null`: nothing. */
export const doubtOfText = (text: string): string | null =>
  STRANGE.test(text) ? "has control characters" : null;

/** What is odd about the way it was parsed; `null`: nothing. */
export function doubtOf(text: string, root: SyntaxNode): string | null {
  const [first, last] = [root.children[0], root.children.at(-1)];
  const around = text.slice(0, first?.start) + (last ? text.slice(last.end) : "");
  if (!BLANK.test(around)) return "has unusual blanks";
  const open: Place[] = [{ node: root, inString: false, inExpansion: false }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { node } = next;
    const doubt = doubtOfNode(text, next) ?? doubtOfGaps(text, next);
    if (doubt !== null) return doubt;
    const inString = stringWithin(node, next.inString);
    const inExpansion = expansionWithin(node, next.inExpansion);
    for (const child of node.children) open.push({ node: child, inString, inExpansion });
  }
  return null;
}

type Place = { node: SyntaxNode; inString: boolean; inExpansion: boolean };
const BLANK = /^(?:[ \t\n]|\\\n)*$/;

/** Between double quotes a single one is a character as any other. */
function stringWithin(node: SyntaxNode, inString: boolean): boolean {
  if (node.type === "string" || node.type === "heredoc_body") return true;
  return inString && node.type !== "command_substitution";
}

/** There a blank is a character as any other. */
function expansionWithin({ type }: SyntaxNode, inExpansion: boolean): boolean {
  if (type === "expansion") return true;
  return inExpansion && type !== "command_substitution" && type !== "string";
}

function doubtOfNode(text: string, { node, inString, inExpansion }: Place): string | null {
  const source = sourceOf(text, node);
  switch (node.type) {
    case "comment":
      return startsWord(text, node.start) ? null : "has a '#' that may not begin a comment";
    case "file_descriptor":
      return /^\d+$/.test(source) && startsWord(text, node.start)
        ? null
        : "has a word that ends in a redirection";
    case "raw_string":
      return inString ? "has quotes in quotes" : null;
    case "ansi_c_string":
      return !inString && /^\$'(?:[^'\\]|\\[\s\S])*'$/.test(source) ? null : "has an unclear $'…'";
    case "word":
      return !inExpansion && /\s/.test(source.replace(/\\[ \t]/g, ""))
        ? "has unusual blanks"
        : null;
    case "command_name":
      return RESERVED.has(source) ? `has a misplaced '${source}'` : null;
    case "string":
      return doubtOfExpanding(text, node, node.start + 1, node.end - 1, true);
    case "file_redirect":
      return node.children.some((child) => isForced(text, child))
        ? "has a redirection that not all shells take for the same"
        : null;
    case "heredoc_redirect":
      return doubtOfHeredoc(text, node);
    case "expansion":
      return doubtOfExpansion(text, node);
    case "simple_expansion":
      return /^\$(?:[ \t]*\w+|[*@?!#$-])$/.test(source) && source !== "$IFS"
        ? null
        : "has an unclear $";
    case "command_substitution":
      return source.startsWith("$(") || backtickEnds(source) ? null : "has unclear backticks";
    case "test_command":
      return source.startsWith("[[") ? null : doubtOfTest(text, node);
    case "regex":
    case "extglob_pattern":
      return /[;&`'"\n<>]|\$[({]/.test(source) ? "has an unclear pattern" : null;
    default:
      return null;
  }
}

/** To zsh `>! file` overwrites the file whatever is set; to others its file is `!`. */
const isForced = (text: string, node: SyntaxNode): boolean =>
  WORD_TYPES.has(node.type) && /[!|]/.test(text[node.start] ?? "");

const RESERVED = new Set(["{", "}", "do", "done", "then", "elif", "else", "fi", "esac", "coproc"]);

/** Blanks that are escaped are parts of a word, and a `#` after them, too. */
function startsWord(text: string, at: number): boolean {
  if (at === 0) return true;
  return /[\s;&|()`]/.test(text[at - 1] ?? "") && text[at - 2] !== "\\";
}

/** A quoted text that expands: whatever may run in it has a node. From `from` to `to`. */
function doubtOfExpanding(
  text: string,
  node: SyntaxNode,
  from: number,
  to: number,
  closesAtQuote: boolean,
): string | null {
  const starts = closesAtQuote
    ? /(?<!\\)(?:\\\\)*(?:["`]|\$[({[])/
    : /(?<!\\)(?:\\\\)*(?:`|\$[({[])/;
  let at = from;
  const parts = node.children.filter(
    ({ type }) => type.includes("expansion") || type.includes("sub"),
  );
  for (const part of [...parts, { start: to, end: to }]) {
    if (starts.test(text.slice(at, part.start))) return "has an unclear text in quotes";
    at = part.end;
  }
  return null;
}

/** The shell ends it at the first line that is its delimiter. */
function doubtOfHeredoc(text: string, node: SyntaxNode): string | null {
  const part = (type: string) => node.children.find((child) => child.type === type);
  const [start, body, end] = [part("heredoc_start"), part("heredoc_body"), part("heredoc_end")];
  const unclear = "has an unclear here-document";
  if (!start || !end) return unclear;
  const written = sourceOf(text, start);
  const delimiter = /^(?:(\w+)|'([^'\n\\]+)'|"([^"\n\\$`]+)"|\\(\w+))$/.exec(written);
  const name = delimiter?.slice(1).find((group) => group !== undefined);
  const firstLine = text.indexOf("\n", start.end);
  if (name === undefined || firstLine === -1 || firstLine >= end.start) return unclear;
  if (body && body.start < firstLine) return unclear;
  const strips = node.children.some(({ type }) => type === "<<-");
  const lines = text.slice(firstLine + 1, end.end).split("\n");
  const atLine = lines.findIndex((line) => (strips ? line.replace(/^\t+/, "") : line) === name);
  const isEnd = atLine === lines.length - 1 && /^(?:\n|$)/.test(text.slice(end.end, end.end + 1));
  if (!isEnd) return unclear;
  if (delimiter?.[1] === undefined || !body) return null;
  return doubtOfExpanding(text, body, firstLine + 1, end.start, false);
}

/** Without what is nested in it, which is looked at for itself. */
function doubtOfExpansion(text: string, node: SyntaxNode): string | null {
  let own = "";
  let from = node.start;
  for (const child of node.children.flatMap((each) =>
    each.type === "concatenation" ? each.children : [each],
  )) {
    if (!NESTING.has(child.type)) continue;
    own += text.slice(from, child.start) + UNKNOWN;
    from = child.end;
  }
  own += text.slice(from, node.end);
  const plain = /^\$\{[^'"\\`{}]*\}$/.test(own) && !/[<>$]\(|@P\}$|\bIFS\b/.test(own);
  return plain ? null : "has an unclear expansion";
}

const NESTING = new Set([
  "expansion",
  "simple_expansion",
  "command_substitution",
  "arithmetic_expansion",
  "string",
]);

const backtickEnds = (source: string): boolean => /^`(?:[^`\\]|\\[\s\S])*`$/.test(source);

/** To a shell `[ a && b ]` are two commands. */
function doubtOfTest(text: string, node: SyntaxNode): string | null {
  const open = [...node.children];
  for (let next = open.pop(); next; next = open.pop()) {
    if (/^(?:[&|<>();]+|file_redirect)$/.test(next.type)) return `has '${next.type}' in a test`;
    if (!WORD_TYPES.has(next.type)) open.push(...next.children);
  }
  return /(?<!\\)\n/.test(betweenChildren(text, node)) ? "has a test on two lines" : null;
}

/** Nodes whose parts stand in one line. */
const ONE_LINE = new Set([
  "command",
  "declaration_command",
  "unset_command",
  "variable_assignments",
  "file_redirect",
  "herestring_redirect",
]);
/** After these a line may be broken without a blank. */
const OPERATORS = new Set(["&&", "||", "|", ";", "|&"]);
const GAPLESS = new Set(["concatenation", "variable_assignment", "subscript", "brace_expression"]);

/** What stands between the parts of a node belongs to none of them, and has to be blank. */
function doubtOfGaps(text: string, { node, inExpansion }: Place): string | null {
  if (node.type === "string" || node.type === "heredoc_body" || node.type === "heredoc_redirect")
    return null;
  if (node.type === "concatenation" && inExpansion) return null;
  for (const [index, child] of node.children.entries()) {
    const before = node.children[index - 1];
    if (!before) continue;
    const gap = text.slice(before.end, child.start - lostDash(text, child, before.end));
    if (!BLANK.test(gap)) return "has unusual blanks";
    if (gap === "" && !mayTouch(node, before, child))
      return "has words without a blank between them";
    const isJoined = /^(?:\\\n)+$/.test(gap) && !OPERATORS.has(before.type);
    if (isJoined) return "has a broken word";
    if (gap !== "" && (GAPLESS.has(node.type) || before.type === "file_descriptor"))
      return "has unusual blanks";
    if (ONE_LINE.has(node.type) && /(?:^|[^\\])\n/.test(gap)) return "has a broken line";
    const touching = gap === "" && WORD_TYPES.has(before.type) && WORD_TYPES.has(child.type);
    if (
      touching &&
      !GAPLESS.has(node.type) &&
      node.type !== "simple_expansion" &&
      !inside(node.type)
    )
      return "has words without a blank between them";
  }
  return null;
}

/** The grammar loses the `-` of `cat - <<EOF`. How long it is after `from`, with the blanks that follow. */
export function lostDash(text: string, node: SyntaxNode, from: number): number {
  if (node.type !== "heredoc_redirect") return 0;
  const dash = /^([ \t]+)-[ \t]*$/.exec(text.slice(from, Math.min(node.start, from + 20)));
  return dash && from + dash[0].length === node.start ? dash[0].length - (dash[1] ?? "").length : 0;
}

/** After `export`, `[` and the like there is a blank, or it is another word. */
function mayTouch({ type }: SyntaxNode, before: SyntaxNode, child: SyntaxNode): boolean {
  if (type === "test_command") return false;
  if (type === "negated_command") return before.type !== "!";
  if (type === "compound_statement") return before.type !== "{";
  const isOfWords = /^(?:declaration|unset)_command$/.test(type);
  if (isOfWords || before.type === "variable_assignment") return !WORD_TYPES.has(child.type);
  return (
    !/^[a-z]+$/.test(before.type) || WORD_TYPES.has(before.type) || !WORD_TYPES.has(child.type)
  );
}

/** Where words touch without being one. */
const inside = (type: string): boolean =>
  /^(?:expansion|arithmetic_expansion|translated_string|.*_expression|array)$/.test(type);

function betweenChildren(text: string, node: SyntaxNode): string {
  let between = "";
  let from = node.start;
  for (const child of node.children) {
    between += text.slice(from, child.start);
    from = child.end;
  }
  return between;
}
