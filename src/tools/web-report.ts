/** A page as the model reads it: where it is from, a part of what it says, and how to get the rest. */
import { STATUS_CODES } from "node:http";
import type { ToolResult } from "../domain/tool.ts";
import { quoted } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import type { Page } from "./web/page.ts";
import { wrapped } from "./web/untrusted.ts";

/** Of a page that a server sends with an error. */
const FAILURE_CHARS_MAX = 2_000;

/** `whole` false: there was more of it than is read. */
export type Content = { text: string; whole: boolean };

export type Excerpt = { from: number; chars: number };

export function report(page: Page, content: Content, excerpt: Excerpt): ToolResult {
  const { url, status, type, bytes } = page;
  const isAnswer = status >= 200 && status < 300;
  const { from, chars } = isAnswer ? excerpt : { from: 0, chars: FAILURE_CHARS_MAX };
  const { length } = content.text;
  if (from > 0 && from >= length)
    throw new ToolFailure(`There is nothing at offset ${from}: the page has ${length} characters`);
  const to = wholeCharacters(content.text, from, from + chars);
  const head = `${url.href}\nStatus ${status}${type === "" ? "" : `, ${type}`}`;
  const shown = wrapped(url, content.text.slice(from, to).toWellFormed());
  const output = [head, shown, ...notesOn(content, to)].join("\n");
  const more = to < length && { truncated: true, next_offset: to };
  const metadata = { url: url.href, status, content_type: type, bytes, ...more };
  if (isAnswer) return { ok: true, output, metadata };
  const name = STATUS_CODES[status] ?? "an unknown status";
  return {
    ok: false,
    output,
    error: `HTTP ${status} (${name}) from ${quoted(url.host)}`,
    metadata,
  };
}

function notesOn({ text, whole }: Content, to: number): string[] {
  if (text === "") return ["[The page has no text. It may be made by scripts, which do not run.]"];
  if (to < text.length) return [`[${text.length - to} more characters: go on with offset ${to}]`];
  return whole ? [] : ["[The page is longer than what is read of it; the rest is left out.]"];
}

/** Where a part ends that is not to end within a character that takes two, nor before it began. */
function wholeCharacters(text: string, from: number, end: number): number {
  if (end >= text.length) return text.length;
  if (!/[\ud800-\udbff]/.test(text.charAt(end - 1))) return end;
  return end - 1 > from ? end - 1 : end + 1;
}
