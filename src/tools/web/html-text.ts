/** An HTML page as Markdown or plain text, in time that grows with its size alone. */
import { htmlTokens } from "./html-tokens.ts";
import { PageReader, type PageStyle, type PageText } from "./page-reader.ts";

/** How long others may wait while a page is read. */
const SLICE_MS = 10;

export async function htmlText(
  html: string,
  style: PageStyle,
  url: URL,
  signal: AbortSignal,
): Promise<PageText> {
  const reader = new PageReader(style, url);
  let sliceEnd = performance.now() + SLICE_MS;
  for (const token of htmlTokens(html)) {
    reader.take(token);
    if (reader.full) break;
    if (performance.now() < sliceEnd) continue;
    await Bun.sleep(0);
    signal.throwIfAborted();
    sliceEnd = performance.now() + SLICE_MS;
  }
  return reader.end();
}
