/** What a page says, marked as such. */

/** Sequences that move the cursor or colour the text of a terminal. */
const ESCAPES = /[^\P{Cc}\t\n]\[[0-?]{0,32}[ -/]{0,8}[@-~]/gu;
/** What is not seen: controls, reordering, zero width, and tags that only machines read. */
const INVISIBLE =
  /[^\P{Cc}\t\n]|[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;
const WRAPPER_TAG = /<(?=\s{0,8}\/?\s{0,8}web_page)/gi;

/** Text without what is not seen, in lines that end with a line feed. */
export const visible = (text: string): string =>
  text.replace(/\r\n?/g, "\n").replace(ESCAPES, "").replace(INVISIBLE, "").toWellFormed();

/** In an element that nothing in `text` can end. */
export const wrapped = (url: URL, text: string): string =>
  `<web_page url="${url.href}">\n${text.replace(WRAPPER_TAG, "&lt;")}\n</web_page>`;
