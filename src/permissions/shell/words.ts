/** A word of a shell text as the program gets it: without its quotes, as far as that can be told. */
import { expandBraces, UNKNOWN } from "./braces.ts";
import { type SyntaxNode, sourceOf } from "./syntax.ts";

export type Word = {
  /** `null`: only the shell knows it when it runs. `~` and patterns stay as they are written. */
  literal: string | null;
  /** What can be seen of what it becomes, `UNKNOWN` for the rest; several words where braces make them. */
  visible: readonly string[];
  /** Files that match it take its place. */
  pattern: boolean;
  /** A file with what another program prints: `<(…)`. */
  streamed: boolean;
  /** Several words may come of it when it runs: it is not in quotes, or a list. */
  splits: boolean;
};

export const literalWord = (text: string): Word => ({
  literal: text,
  visible: [text],
  pattern: false,
  streamed: false,
  splits: false,
});

export const unknownWord = (visible: string): Word => ({
  ...literalWord(visible),
  literal: null,
});

/** Stand for braces and commas in quotes, which expand to nothing; no character of any language. */
const QUOTED: Record<string, string> = { "{": "\uFDD0", "}": "\uFDD1", ",": "\uFDD2" };
const UNQUOTED: Record<string, string> = { "\uFDD0": "{", "\uFDD1": "}", "\uFDD2": "," };

type Draft = Pick<Word, "pattern" | "streamed" | "splits"> & {
  text: string;
  known: boolean;
  tilde: boolean;
  inString: boolean;
};

export function wordOf(text: string, node: SyntaxNode): Word {
  const draft: Draft = {
    text: "",
    known: true,
    pattern: false,
    tilde: false,
    streamed: false,
    splits: false,
    inString: false,
  };
  append(draft, text, node);
  const { pattern, streamed, splits } = draft;
  const expanded = expandBraces(draft.text);
  const visible = expanded?.map(restored) ?? [UNKNOWN];
  const [only = ""] = visible;
  // `'~'/x` is a folder named `~`, which no text without quotes can say.
  const told = draft.known && visible.length === 1 && expanded !== null && !draft.tilde;
  return { literal: told ? only : null, visible, pattern, streamed, splits };
}

const quoted = (text: string): string => text.replace(/[{},]/g, (char) => QUOTED[char] ?? char);
const restored = (text: string): string =>
  text.replace(/[\uFDD0-\uFDD2]/g, (char) => UNQUOTED[char] ?? char);

function append(draft: Draft, text: string, node: SyntaxNode): void {
  const source = sourceOf(text, node);
  switch (node.type) {
    case "word":
    case "number":
    case "brace_expression":
    case "variable_name":
      appendBare(draft, source);
      return;
    case "raw_string":
      appendQuoted(draft, source.slice(1, -1));
      return;
    case "ansi_c_string":
      appendQuoted(draft, ansiText(source.slice(2, -1)) ?? UNKNOWN);
      return;
    case "string":
      appendString(draft, text, node);
      return;
    case "concatenation":
    case "command_name":
    case "translated_string":
      for (const child of node.children) append(draft, text, child);
      return;
    case "$":
      appendQuoted(draft, "$");
      return;
    default:
      appendUnknown(draft, node, source);
  }
}

function appendBare(draft: Draft, source: string): void {
  let bare = "";
  for (let index = 0; index < source.length; index++) {
    const char = source[index] ?? "";
    if (char !== "\\") {
      bare += char;
      draft.pattern ||= char === "*" || char === "?" || char === "[";
      continue;
    }
    const escaped = source[++index] ?? "";
    draft.tilde ||= escaped === "~" && draft.text + bare === "";
    bare += quoted(escaped);
  }
  draft.text += bare;
}

function appendQuoted(draft: Draft, content: string): void {
  draft.tilde ||= draft.text === "" && content.startsWith("~");
  if (content.includes(UNKNOWN)) draft.known = false;
  draft.text += quoted(content);
}

/** Between its parts stands text, blanks included, that the grammar has no node for. */
function appendString(draft: Draft, text: string, node: SyntaxNode): void {
  let from = node.start + 1;
  draft.inString = true;
  for (const part of node.children) {
    if (part.type === "string_content" || part.type === '"' || part.type === "$") continue;
    appendQuoted(draft, stringText(text.slice(from, part.start)));
    append(draft, text, part);
    from = part.end;
  }
  appendQuoted(draft, stringText(text.slice(from, node.end - 1)));
  draft.inString = false;
}

/** Text between double quotes, or in a here-document that expands. */
export const stringText = (source: string): string =>
  source.replace(/\\(?:\n|[$`"\\])/g, (pair) => (pair[1] === "\n" ? "" : (pair[1] ?? "")));

/** Places that a command is written for, whoever runs it. */
const KNOWN_PLACES: Record<string, string> = { HOME: "~", PWD: "." };

/** `"$@"` and `"${list[@]}"` are several words in quotes as well. */
const MANY = /^\$\{?@|\[@\]/;
const SPLIT = new Set(["simple_expansion", "expansion", "command_substitution"]);

function appendUnknown(draft: Draft, node: SyntaxNode, source: string): void {
  const name = /^\$(?:(\w+)|\{(\w+)\})$/.exec(source);
  const place = KNOWN_PLACES[name?.[1] ?? name?.[2] ?? ""];
  draft.text += place !== undefined && draft.text === "" ? place : UNKNOWN;
  draft.known = false;
  draft.splits ||= draft.inString ? MANY.test(source) : SPLIT.has(node.type);
  draft.streamed ||= node.type === "process_substitution";
}

const ANSI_ESCAPES: Record<string, string> = {
  a: "\x07",
  b: "\b",
  e: "\x1b",
  E: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const ANSI_ESCAPE =
  /\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|c([\s\S])|([\s\S]))/g;

/** What `$'…'` stands for; `null`: what has no text, or ends it. */
function ansiText(source: string): string | null {
  let clear = true;
  const text = source.replace(ANSI_ESCAPE, (_, hex, short, long, octal, control, char) => {
    if (char !== undefined)
      return ANSI_ESCAPES[char] ?? (/[\\'"?]/.test(char) ? char : `\\${char}`);
    const hexadecimal = hex ?? short ?? long;
    let code = control === undefined ? 0 : control.charCodeAt(0) & 31;
    if (hexadecimal !== undefined) code = Number.parseInt(hexadecimal, 16);
    if (octal !== undefined) code = Number.parseInt(octal, 8) & 255;
    // Bytes beyond ASCII are parts of a character; nothing is after the end of the text.
    const known = code > 0 && code <= 0x10_ffff && (code < 128 || (!hex && !octal));
    clear &&= known;
    return known ? String.fromCodePoint(code) : "";
  });
  return clear ? text : null;
}
