/** The bytes of an answer as text: which kind of text it is, and in which characters. */

export type Kind = "html" | "text" | "binary";

/** What is looked at to find out about a body that does not say what it is. */
const SNIFFED_BYTES = 1_024;

const TEXT_TYPE =
  /^(?:text\/|application\/(?:json|xml|javascript|ecmascript|x-javascript|x-sh|x-ndjson|yaml|x-yaml|toml|sql|graphql)$|[\w.-]+\/[\w.-]+\+(?:json|xml)$)/;

/** `contentType`: the header; of a body that has none, null is for whoever has read its bytes. */
export function kindOfType(contentType: string): Kind | null {
  const type = typeOf(contentType);
  if (type === "") return null;
  if (type === "text/html" || type === "application/xhtml+xml") return "html";
  return TEXT_TYPE.test(type) ? "text" : "binary";
}

/** A type without its parameters, in lower case. */
export const typeOf = (contentType: string): string =>
  contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";

export function kindOfBytes(bytes: Uint8Array): Kind {
  if (isWide(bytes)) return "text";
  const start = bytes.subarray(0, SNIFFED_BYTES);
  if (start.includes(0)) return "binary";
  return /^\s*<(?:!doctype html|html|head|body)\b/i.test(asciiOf(start)) ? "html" : "text";
}

/** UTF-16 has NULs and is text all the same. */
const isWide = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);

/**
 * In the characters that its beginning, the header or the document says, in this order; else UTF-8,
 * and where it is not that, what the web took before. What does not fit shows as U+FFFD.
 */
export function decodeText(bytes: Uint8Array, contentType: string): string {
  const said = markOf(bytes) ?? labelIn(contentType) ?? labelIn(markupOf(bytes));
  const decoder = said === null ? null : decoderOf(said);
  if (decoder) return decoder.decode(bytes);
  try {
    // As a stream, since the end of a long body is cut off, and that may be in a character.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

function markOf(bytes: Uint8Array): string | null {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (!isWide(bytes)) return null;
  return bytes[0] === 0xff ? "utf-16le" : "utf-16be";
}

/** The beginning of what may be markup; other text only talks about characters. */
function markupOf(bytes: Uint8Array): string {
  const start = asciiOf(bytes.subarray(0, SNIFFED_BYTES));
  return /^\s*</.test(start) ? start : "";
}

/** In a header, a `<meta>` or an XML declaration. */
const labelIn = (text: string): string | null =>
  /\b(?:charset|encoding)\s{0,9}=\s{0,9}["']?([\w.:-]{1,40})/i.exec(text)?.[1] ?? null;

function decoderOf(label: string): TextDecoder | null {
  try {
    // It knows more names than its type does, and says so of those that it does not know.
    return new TextDecoder(label as Bun.Encoding);
  } catch {
    // Not a name of characters that is known: then as if nothing had been said.
    return null;
  }
}

const asciiOf = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes);
