/** What a page says, marked as such. */

/** Sequences that move the cursor or colour the text of a terminal. */
const ESCAPES = /[^\P{Cc}\t\n]\[[0-?]{0,32}[ -/]{0,8}[@-~]/gu;
/** What is not seen: controls, reordering, zero width, and tags that only machines read. */
const INVISIBLE =
  /[^\P{Cc}\t\n]|[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;
const WRAPPER_TAG = /<(?=\s{0,8}\/?\s{0,8}web_page)/gi;

/** How long others may wait while a text is made so, and how much of it is done at once. */
const SLICE_MS = 10;
const PART_CHARS = 65_536;
/** Longer than any sequence that is taken out as a whole. */
const SEQUENCE_CHARS_MAX = 48;

/** Text without what is not seen, in lines that end with a line feed. */
export async function visible(text: string, signal: AbortSignal): Promise<string> {
  let seen = "";
  let sliceEnd = performance.now() + SLICE_MS;
  for (let at = 0; at < text.length; ) {
    const end = partEnd(text, at);
    seen += visiblePart(text.slice(at, end));
    at = end;
    if (performance.now() < sliceEnd) continue;
    await Bun.sleep(0);
    signal.throwIfAborted();
    sliceEnd = performance.now() + SLICE_MS;
  }
  return seen;
}

const visiblePart = (text: string): string =>
  text.replace(/\r\n?/g, "\n").replace(ESCAPES, "").replace(INVISIBLE, "").toWellFormed();

/** A part ends before what a sequence or the end of a line could begin with, and in no character. */
function partEnd(text: string, from: number): number {
  const end = from + PART_CHARS;
  if (end >= text.length) return text.length;
  const control = text.slice(end - SEQUENCE_CHARS_MAX, end).search(/[^\P{Cc}\t\n]/u);
  if (control !== -1) return end - SEQUENCE_CHARS_MAX + control;
  return /[\ud800-\udbff]/.test(text.charAt(end - 1)) ? end - 1 : end;
}

/** In an element that nothing in `text` can end. */
export const wrapped = (url: URL, text: string): string =>
  `<web_page url="${url.href}">\n${text.replace(WRAPPER_TAG, "&lt;")}\n</web_page>`;
