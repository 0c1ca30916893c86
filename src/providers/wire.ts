/** Reading JSON that a provider sent, which may have any shape. */

/** A provider's own word for why a reply ended; it goes into events as it came. */
const STOP_REASON_CHARS_MAX = 100;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
/** What is no count counts as none. */
export const countOf = (value: unknown): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
export const listOf = <Item>(value: Item[] | null | undefined): Item[] =>
  Array.isArray(value) ? value : [];

/** A name or a word, without characters that cannot be seen. */
export const wordOf = (value: unknown, charsMax: number): string =>
  textOf(value).slice(0, charsMax).replaceAll(/\p{C}/gu, "");
export const stopReasonOf = (value: unknown): string => wordOf(value, STOP_REASON_CHARS_MAX);

/**
 * Whether more than `levelsMax` objects and lists stand in one another. Told without parsing: values
 * that deep overflow the stack of whoever walks through them.
 */
export function isDeeper(json: string, levelsMax: number): boolean {
  // Every level is opened and closed.
  if (json.length <= 2 * levelsMax) return false;
  let levels = 0;
  let inString = false;
  for (let place = 0; place < json.length; place++) {
    const char = json.charCodeAt(place);
    if (char === QUOTE) inString = !inString;
    else if (inString) place += char === BACKSLASH ? 1 : 0;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) levels++;
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) levels--;
    if (levels > levelsMax) return true;
  }
  return false;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
