/** The tool that reads a file: text by parts, images as a whole. */
import { Type as t } from "@sinclair/typebox";
import { defineTool, type Tool, type ToolContext, type ToolResult } from "../domain/tool.ts";
import { counted } from "../lib/counted.ts";
import { type ImageType, sizeOfImage, typeOfImage } from "../lib/image-type.ts";
import { quotedPath } from "../lib/shown.ts";
import { answering, ToolFailure } from "./failure.ts";
import { fileParameter, READ_BYTES_MAX, subjectFile } from "./file-content.ts";
import { namesBeside } from "./names-beside.ts";
import { readRegularFile } from "./regular-file.ts";
import { isText } from "./text.ts";
import { type AreaOf, insideWorkspace } from "./workspace.ts";

const SHOWN_LINES_MAX = 2000;
const SHOWN_CHARS_MAX = 80_000;
const IMAGE_BYTES_MAX = 5 * 1024 * 1024;

export const fileRead = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_read",
    type: "file_read",
    risk: "low",
    description:
      "Read a text file of the workspace, or look at an image (PNG, JPEG, GIF, WebP). " +
      `Shows at most ${SHOWN_LINES_MAX} lines; use offset and limit for other parts of a long file.`,
    parameters: t.Object({
      file: fileParameter,
      offset: t.Optional(
        t.Integer({ description: "How many lines to skip; default 0, the beginning of the file" }),
      ),
      limit: t.Optional(t.Integer({ description: "How many lines to read; default: all" })),
    }),
    subject: subjectFile,
    run: ({ file, offset = 0, limit = Number.POSITIVE_INFINITY }, context) =>
      answering(context.signal, async () => {
        if (offset < 0) throw new ToolFailure("Parameter 'offset' must not be negative");
        if (limit < 1) throw new ToolFailure("Parameter 'limit' must be at least 1");
        const area = areaOf(context.workspace, [context.session.outputs]);
        const path = await insideWorkspace(area, file);
        const bytes = await readBytes(path);
        const image = typeOfImage(bytes);
        if (image) return showImage(path, bytes, image, context);
        if (!isText(bytes))
          throw new ToolFailure(`Cannot read binary file: ${quotedPath(path)} (not UTF-8 text)`);
        return {
          ok: true,
          output: showLines(path, bytes, offset, limit),
          metadata: { file_path: path },
        };
      }),
  });

/** Says what else the model may have meant where it named a directory or nothing. */
async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return (await readRegularFile(path, READ_BYTES_MAX)).bytes;
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    const advice = await adviceFor(error.message, path);
    throw advice === "" ? error : new ToolFailure(error.message + advice, { cause: error });
  }
}

async function adviceFor(failure: string, path: string): Promise<string> {
  if (failure.startsWith("Is a directory")) return "; file_list shows what is in it";
  if (!failure.startsWith("File not found")) return "";
  const names = await namesBeside(path);
  return names.length === 0 ? "" : `; similar names there: ${names.join(", ")}`;
}

function showImage(
  path: string,
  bytes: Uint8Array,
  mediaType: ImageType,
  { sees }: ToolContext,
): ToolResult {
  if (bytes.length > IMAGE_BYTES_MAX)
    throw new ToolFailure(
      `Image too large: ${quotedPath(path)} has ${bytes.length} bytes, the limit is ${IMAGE_BYTES_MAX}`,
    );
  const size = sizeOfImage(bytes, mediaType);
  // A provider refuses a broken image, and with it the whole conversation.
  if (size === null)
    throw new ToolFailure(`${quotedPath(path)} is a broken image: it has no size that can be read`);
  const what = `${mediaType}, ${size.width}×${size.height} pixels, ${bytes.length} bytes`;
  if (!sees)
    throw new ToolFailure(
      `${quotedPath(path)} is an image (${what}), and this model cannot see images`,
    );
  return {
    ok: true,
    output: `✓ Read image ${path} (${what})`,
    metadata: { file_path: path },
    images: [{ mediaType, base64: bytes.toBase64() }],
  };
}

/** At most `limit` lines. Where this tool's own limits cut more off, a note says how to go on. */
function showLines(path: string, bytes: Uint8Array, offset: number, limit: number): string {
  const part = takeLines(bytes, offset, Math.min(limit, SHOWN_LINES_MAX));
  if (offset >= part.total)
    throw new ToolFailure(
      `Offset ${offset} is past the end: ${quotedPath(path)} has ${part.total} lines`,
    );
  const text = beginningOf(bytes.subarray(part.start, part.end));
  const shown = fitting(text);
  const end = offset + countLines(shown);
  const lineIsCut = shown.length < text.length && text[shown.length] !== "\n";
  const notes = [
    lineIsCut ? `line ${end} is cut after ${SHOWN_CHARS_MAX} characters` : "",
    end < Math.min(offset + limit, part.total) ? `continue with offset ${end}` : "",
  ].filter((note) => note !== "");
  const count = counted(end - offset, "line");
  const header = `✓ Read ${count} from ${path} (lines ${offset + 1}-${end} of ${part.total}):`;
  const footer = notes.length === 0 ? "" : `\n\n[… ${notes.join("; ")} …]`;
  return `${header}\n\n${shown}${footer}`;
}

const LINE_END = 0x0a;

/** Where `count` lines after the first `offset` are, and how many lines there are in all. */
function takeLines(bytes: Uint8Array, offset: number, count: number) {
  let total = 1;
  let start = 0;
  let end = bytes.length;
  // One by one: to look for each of many short lines takes ten times as long.
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] !== LINE_END) continue;
    if (total === offset) start = at + 1;
    if (total === offset + count) end = at;
    total += 1;
  }
  return { start, end, total };
}

/** A character has three bytes at most, or counts as two. */
const CHAR_BYTES_MAX = 3;

/** As much of the text as may be shown and a little more: to decode all of a large file takes longer. */
function beginningOf(bytes: Uint8Array): string {
  const enough = bytes.subarray(0, (SHOWN_CHARS_MAX + 2) * CHAR_BYTES_MAX);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(enough);
}

/** The whole lines that fit, or the beginning of the first one. */
function fitting(text: string): string {
  if (text.length <= SHOWN_CHARS_MAX) return text;
  const cut = text.slice(0, SHOWN_CHARS_MAX);
  const end = cut.lastIndexOf("\n");
  return end === -1 ? cut.toWellFormed() : cut.slice(0, end);
}

const countLines = (text: string): number => text.split("\n").length;
