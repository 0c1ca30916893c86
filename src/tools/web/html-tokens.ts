/**
 * HTML as a row of tokens: no tree is made, so that nothing grows faster than the document, however
 * hostile it is. What a browser would repair is left as it is written.
 */
import { decodeEntities } from "./entities.ts";

export type HtmlToken =
  /** In `decoded` characters. */
  | { type: "text"; text: string }
  /** `name` in lower case, as in `close`. */
  | { type: "open"; name: string; attributes: Attributes }
  | { type: "close"; name: string };

/** By their names in lower case. The first counts. */
export type Attributes = ReadonlyMap<string, string>;

/** Their content is text, whatever it looks like. */
const RAW = /^(?:script|style|textarea|title|xmp|iframe|noembed|noframes)$/;
/** Of an element; more are read over. */
const ATTRIBUTES_MAX = 64;
const PIECE_CHARS = 65_536;
const REFERENCE_CHARS_MAX = 16;
const NAME = /[a-z][^\s/>]{0,63}/iy;

export function* htmlTokens(html: string): Generator<HtmlToken> {
  let textFrom = 0;
  let at = html.indexOf("<");
  while (at !== -1) {
    const markup = readMarkup(html, at);
    if (markup === null) {
      at = html.indexOf("<", at + 1);
      continue;
    }
    yield* textOf(html, textFrom, at);
    if (markup.token) yield markup.token;
    textFrom = markup.end;
    if (markup.token?.type === "open" && RAW.test(markup.token.name)) {
      textFrom = endOfRaw(html, markup.token.name, markup.end);
      yield* textOf(html, markup.end, textFrom);
    }
    at = html.indexOf("<", textFrom);
  }
  yield* textOf(html, textFrom, html.length);
}

/** Long text comes in pieces, so that nobody is kept by one; none ends within a reference. */
function* textOf(html: string, from: number, to: number): Generator<HtmlToken> {
  let at = from;
  while (at < to) {
    let end = Math.min(at + PIECE_CHARS, to);
    const reference = end < to ? html.lastIndexOf("&", end) : -1;
    if (reference > at && end - reference < REFERENCE_CHARS_MAX) end = reference;
    yield { type: "text", text: decodeEntities(html.slice(at, end)) };
    at = end;
  }
}

/** `end`: where it goes on behind it. */
type Markup = { token: HtmlToken | null; end: number };

/** What begins with this `<`; null: the character itself. Without its end it is all the rest. */
function readMarkup(html: string, at: number): Markup | null {
  const isClose = html[at + 1] === "/";
  NAME.lastIndex = isClose ? at + 2 : at + 1;
  const name = NAME.exec(html)?.[0].toLowerCase();
  if (name === undefined) return readComment(html, at);
  const from = NAME.lastIndex;
  if (isClose) return { token: { type: "close", name }, end: after(html, ">", from) };
  const { attributes, end } = readAttributes(html, from);
  return { token: { type: "open", name, attributes }, end };
}

function readComment(html: string, at: number): Markup | null {
  if (html.startsWith("<!--", at)) {
    const isEmpty = html.startsWith("<!-->", at) || html.startsWith("<!--->", at);
    return { token: null, end: isEmpty ? after(html, ">", at) : after(html, "-->", at + 4) };
  }
  return /^[!?/]$/.test(html[at + 1] ?? "") ? { token: null, end: after(html, ">", at) } : null;
}

function after(html: string, what: string, from: number): number {
  const found = html.indexOf(what, from);
  return found === -1 ? html.length : found + what.length;
}

const ATTRIBUTE = /[\s/]*([^\s/>=][^\s/>=]*|=[^\s/>=]*)?(?:\s*=\s*(["']|[^\s>"'][^\s>]*)?)?/y;

/** A `>` in quotes does not end an element. */
function readAttributes(html: string, from: number): { attributes: Attributes; end: number } {
  const attributes = new Map<string, string>();
  let at = from;
  while (at < html.length && html[at] !== ">") {
    ATTRIBUTE.lastIndex = at;
    const [whole = "", name = "", value = ""] = ATTRIBUTE.exec(html) ?? [];
    at += whole.length;
    let written = value;
    if (value === '"' || value === "'") {
      const end = after(html, value, at);
      written = html.slice(at, end - 1);
      at = end;
    }
    const key = name.toLowerCase();
    if (key !== "" && !attributes.has(key) && attributes.size < ATTRIBUTES_MAX)
      attributes.set(key, decodeEntities(written));
  }
  return { attributes, end: at + 1 };
}

/** Where its closing tag begins. */
function endOfRaw(html: string, name: string, from: number): number {
  const close = new RegExp(`</${name}(?=[\\s/>])`, "gi");
  close.lastIndex = from;
  return close.exec(html)?.index ?? html.length;
}
