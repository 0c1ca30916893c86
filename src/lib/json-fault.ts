/** Finds where a text stops being JSON; the platform's parser says only what is wrong. */

/** `problem` never quotes the text: a broken file may hold a key. */
export type JsonFault = { line: number; column: number; problem: string };

type Kind = "{" | "}" | "[" | "]" | ":" | "," | "a string" | "a value" | "the end" | "no JSON";
type Token = { kind: Kind; end: number };

const VALUE: readonly Kind[] = ["{", "[", "a string", "a value"];
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** Every character but the quote, the backslash and those below the space; or an escape. */
const STRING_START = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/uy;

/** Null where the text is JSON. */
export function findJsonFault(text: string): JsonFault | null {
  const closers: Kind[] = [];
  let expected = VALUE;
  let isKey = false;
  let at = skipBlanks(text, 0);
  for (;;) {
    const token = readToken(text, at);
    if (token.kind === "no JSON" || !expected.includes(token.kind)) {
      return faultAt(text, token.kind === "no JSON" ? token.end : at, expected, token.kind);
    }
    switch (token.kind) {
      case "the end":
        return null;
      case "{":
        closers.push("}");
        expected = ["a string", "}"];
        isKey = true;
        break;
      case "[":
        closers.push("]");
        expected = [...VALUE, "]"];
        break;
      case ":":
        expected = VALUE;
        break;
      case ",":
        isKey = closers.at(-1) === "}";
        expected = isKey ? ["a string"] : VALUE;
        break;
      case "}":
      case "]":
        closers.pop();
        isKey = false;
        expected = afterValue(closers);
        break;
      case "a string":
      case "a value":
        expected = isKey ? [":"] : afterValue(closers);
        isKey = false;
        break;
      default:
        token.kind satisfies never;
    }
    at = skipBlanks(text, token.end);
  }
}

function afterValue(closers: readonly Kind[]): readonly Kind[] {
  const closer = closers.at(-1);
  return closer === undefined ? ["the end"] : [",", closer];
}

/** `no JSON` ends where the text goes wrong. */
function readToken(text: string, at: number): Token {
  const first = text[at];
  switch (first) {
    case undefined:
      return { kind: "the end", end: at };
    case "{":
    case "}":
    case "[":
    case "]":
    case ":":
    case ",":
      return { kind: first, end: at + 1 };
    case '"': {
      const end = matchEnd(STRING_START, text, at) ?? at;
      return text[end] === '"' ? { kind: "a string", end: end + 1 } : { kind: "no JSON", end };
    }
    default: {
      const end = matchEnd(SCALAR, text, at);
      return end === null ? { kind: "no JSON", end: at } : { kind: "a value", end };
    }
  }
}

function matchEnd(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
}

function skipBlanks(text: string, at: number): number {
  let end = at;
  while (" \t\r\n".includes(text[end] ?? "x")) end += 1;
  return end;
}

function faultAt(text: string, at: number, expected: readonly Kind[], found: Kind): JsonFault {
  const before = text.slice(0, at);
  const wanted = expected.join(" or ").replace(VALUE.join(" or "), "a value");
  return {
    line: before.split("\n").length,
    column: at - before.lastIndexOf("\n"),
    problem: `expected ${wanted}, found ${found === "no JSON" ? unreadable(text, at) : found}`,
  };
}

function unreadable(text: string, at: number): string {
  const next = text[at];
  if (next === undefined || next === "\n" || next === "\r") return "a string without its end";
  if (next === "\\") return "an escape that JSON does not know";
  return "something that is no JSON";
}
