/**
 * Regular expressions as models write them, ripgrep's and Python's kinds included, in the engine's own
 * syntax. What has another meaning here is refused, so that no search finds nothing for that reason.
 */

import { quoted } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import { PATTERN_CHARS_MAX } from "./job.ts";

export type Pattern = {
  /** Of a whole text: every match of it, `^` and `$` at every line. */
  everywhere: RegExp;
  /** The same, of one line. */
  inLine: RegExp;
  /** Looks at what is around a match, so that a line by itself may match where it does not in its text. */
  looksAround: boolean;
};

export type PatternOptions = { literal: boolean; caseInsensitive: boolean; multiline: boolean };

const LEADING_FLAGS = /^\(\?([a-zA-Z]+)\)/;
/** Escapes that mean the same everywhere. Other letters mean something else elsewhere, or nothing here. */
const KNOWN_ESCAPES = /[bBcdDfknpPrsStuvwWx\d]/;
const MUST_BE_ESCAPED = /[\^$\\.*+?()[\]{}|/]/;
const POSIX_CLASSES: Record<string, string> = {
  alnum: "a-zA-Z0-9",
  alpha: "a-zA-Z",
  blank: " \\t",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  word: "\\w",
  xdigit: "0-9a-fA-F",
};

/** Throws ToolFailure with what is wrong. */
export function compilePattern(pattern: string, options: PatternOptions): Pattern {
  if (pattern === "") throw new ToolFailure("Parameter 'pattern' must not be empty");
  if (pattern.length > PATTERN_CHARS_MAX)
    throw new ToolFailure(`The pattern is longer than ${PATTERN_CHARS_MAX} characters`);
  const flags = options.literal ? "" : (LEADING_FLAGS.exec(pattern)?.[1] ?? "");
  const unknown = /[^imsuaL]/.exec(flags)?.[0];
  if (unknown) throw invalid(`the flag '${quoted(unknown)}' is not supported`);
  const translated = options.literal
    ? { source: escaped(pattern), looksAround: false, spansLines: pattern.includes("\n") }
    : translate(pattern.replace(LEADING_FLAGS, ""));
  if (translated.spansLines && !options.multiline)
    throw new ToolFailure(
      "The pattern contains a line break, but lines are searched one by one: set multiline to true",
    );
  const letters = [
    "m",
    options.caseInsensitive || flags.includes("i") ? "i" : "",
    options.multiline || flags.includes("s") ? "s" : "",
    isUnicode(pattern) && !options.literal ? "u" : "",
  ].join("");
  try {
    return {
      everywhere: new RegExp(translated.source, `g${letters}`),
      inLine: new RegExp(translated.source, letters),
      looksAround: translated.looksAround,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(reason.replace(/^Invalid regular expression: /, ""), error);
  }
}

function invalid(reason: string, cause?: unknown): ToolFailure {
  const text = `Invalid regular expression: ${reason}. Escape what is meant literally`;
  return new ToolFailure(text, { cause });
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Such patterns need the mode in which these escapes mean anything. */
const isUnicode = (pattern: string): boolean => /\\[pP]|\\[xu]\{/.test(pattern);

type Translated = { source: string; looksAround: boolean; spansLines: boolean };

const ESCAPE = String.raw`\\(?:[xu]\{[^}]*\}|[pP][A-Z]|[^])`;
const OUTSIDE_SET = String.raw`${ESCAPE}|\[\^?\]?|\(\?P=\w+\)|\(\?(?:P<|<?[=!])|[^]`;
const IN_SET = String.raw`${ESCAPE}|\[:\w+:\]|[^]`;

function translate(pattern: string): Translated {
  const unicode = isUnicode(pattern);
  const outsideSet = new RegExp(OUTSIDE_SET, "y");
  const withinSet = new RegExp(IN_SET, "y");
  const result = { source: "", looksAround: false, spansLines: false };
  let inSet = false;
  for (let at = 0; at < pattern.length; ) {
    const token = tokenAt(inSet ? withinSet : outsideSet, pattern, at);
    at += token.length;
    result.source += inSet ? inSetToken(token, unicode) : outsideToken(token, unicode);
    if (!inSet && (token === "\\n" || token === "\n")) result.spansLines = true;
    if (!inSet && /^(\(\?<?[=!]|\\[AzZ])$/.test(token)) result.looksAround = true;
    inSet = inSet ? token !== "]" : token.startsWith("[");
  }
  return result;
}

function tokenAt(tokens: RegExp, pattern: string, at: number): string {
  tokens.lastIndex = at;
  return tokens.exec(pattern)?.[0] ?? "";
}

function outsideToken(token: string, unicode: boolean): string {
  if (token === "\\A") return "(?<![^])";
  if (token === "\\z" || token === "\\Z") return "(?![^])";
  if (token.startsWith("\\")) return escapeToken(token, unicode);
  if (token.startsWith("(?P=")) return `\\k<${token.slice(4, -1)}>`;
  if (token === "(?P<") return "(?<";
  // Elsewhere a `]` that comes first is one of the set; here it would close it.
  return token.startsWith("[") ? token.replace("]", "\\]") : token;
}

function inSetToken(token: string, unicode: boolean): string {
  if (token === "[") return "\\[";
  if (token === "\\-") return token;
  if (token.startsWith("\\")) return escapeToken(token, unicode);
  if (!token.startsWith("[:")) return token;
  const name = token.slice(2, -2);
  const characters = Object.hasOwn(POSIX_CLASSES, name) ? POSIX_CLASSES[name] : undefined;
  if (characters === undefined) throw invalid(`there is no class ${quoted(token)}`);
  return characters;
}

function escapeToken(token: string, unicode: boolean): string {
  const letter = token[1] ?? "";
  if (/^\\[pP][A-Z]/.test(token)) return `\\${letter}{${token[2]}}`;
  if (/^\\[xu]\{/.test(token)) return `\\u${token.slice(2)}`;
  if (/[a-zA-Z0-9]/.test(letter)) {
    if (!KNOWN_ESCAPES.test(letter)) throw invalid(`${quoted(token)} is not supported`);
    return token;
  }
  // In that mode, what need not be escaped must not be.
  return unicode && !MUST_BE_ESCAPED.test(letter) ? letter : token;
}
