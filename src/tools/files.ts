/** The file tools: read, create, edit. Text only, inside the workspace, whole or not at all. */
import { Type as t } from "@sinclair/typebox";
import { defineTool, type Tool } from "../domain/tool.ts";
import { answering, ToolFailure } from "./failure.ts";
import { createFile, type Ownership, readRegularFile, replaceFile } from "./regular-file.ts";
import { type AreaOf, insideWorkspace, writableInWorkspace } from "./workspace.ts";

const MEGABYTE = 1024 * 1024;
const READ_BYTES_MAX = 10 * MEGABYTE;
const EDITED_CHARS_MAX = 10 * MEGABYTE;
const CREATED_BYTES_MAX = 5 * MEGABYTE;
const SHOWN_LINES_MAX = 2000;
const SHOWN_CHARS_MAX = 80_000;
/** What the metadata of an edit quotes of each text. */
const QUOTED_CHARS_MAX = 10_000;
const NAMED_LINES_MAX = 5;

export const fileTools = (areaOf: AreaOf): Tool[] => [
  fileCreate(areaOf),
  fileEdit(areaOf),
  fileRead(areaOf),
];

const fileParameter = t.String({
  description: "Path of the file: relative to the workspace, or absolute inside it",
});

const fileRead = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_read",
    type: "file_read",
    risk: "low",
    description:
      "Read a text file of the workspace. " +
      `Shows at most ${SHOWN_LINES_MAX} lines; use offset and limit for other parts of a long file.`,
    parameters: t.Object({
      file: fileParameter,
      offset: t.Optional(
        t.Integer({ description: "How many lines to skip; default 0, the beginning of the file" }),
      ),
      limit: t.Optional(t.Integer({ description: "How many lines to read; default: all" })),
    }),
    run: ({ file, offset = 0, limit = Number.POSITIVE_INFINITY }, { workspace, signal }) =>
      answering(signal, async () => {
        if (offset < 0) throw new ToolFailure("Parameter 'offset' must not be negative");
        if (limit < 1) throw new ToolFailure("Parameter 'limit' must be at least 1");
        const path = await insideWorkspace(areaOf(workspace), file);
        const { text } = await readText(path, "read");
        return {
          ok: true,
          output: showLines(path, text, offset, limit),
          metadata: { file_path: path },
        };
      }),
  });

const fileCreate = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_create",
    type: "file_create",
    risk: "medium",
    description:
      "Create a new text file in the workspace, with its directories. " +
      "Fails if the file exists; use file_edit to change one.",
    parameters: t.Object({
      file: fileParameter,
      content: t.String({ description: "The whole content of the new file" }),
    }),
    run: ({ file, content }, { workspace, signal }) =>
      answering(signal, async () => {
        const bytes = new TextEncoder().encode(content);
        if (bytes.length > CREATED_BYTES_MAX)
          throw new ToolFailure(
            `Content too large: ${bytes.length} bytes, the limit is ${CREATED_BYTES_MAX}`,
          );
        const path = await writableInWorkspace(areaOf(workspace), file);
        await createFile(path, bytes);
        return {
          ok: true,
          output: `✓ Created ${path} (${bytes.length} bytes)`,
          metadata: { file_path: path },
        };
      }),
  });

const fileEdit = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_edit",
    type: "file_edit",
    risk: "medium",
    description:
      "Replace text in a file of the workspace. Replaces every occurrence of find, so include enough " +
      "of the surrounding lines to match only what is meant. find is literal text, not a pattern, and " +
      "must match exactly, with its indentation and line breaks. The old file is kept as <file>.bak.",
    parameters: t.Object({
      file: fileParameter,
      find: t.String({ description: "The text to replace, exactly as it stands in the file" }),
      replace: t.String({ description: "The text to put in its place; may be empty" }),
    }),
    run: ({ file, find, replace }, { workspace, signal }) =>
      answering(signal, async () => {
        if (find === "") throw new ToolFailure("Parameter 'find' must not be empty");
        const path = await writableInWorkspace(areaOf(workspace), file);
        const { bytes, text, ownership } = await readText(path, "edit");
        const { count, lines } = findAll(text, find);
        if (count === 0)
          throw new ToolFailure(`Pattern not found in ${path}${similarLines(text, find)}`);
        if (text.length + count * (replace.length - find.length) > EDITED_CHARS_MAX)
          throw new ToolFailure(
            `The edited file would have more than ${EDITED_CHARS_MAX} characters`,
          );
        // A function, because `$` means something in a replacement that is a string.
        const edited = new TextEncoder().encode(text.replaceAll(find, () => replace));
        const backup = await keepBackup(path, bytes, ownership);
        await replaceFile(path, edited, ownership);
        return {
          ok: true,
          output: `✓ Replaced ${occurrences(count)} in ${path} (${places(count, lines)})\nBackup: ${backup}`,
          metadata: {
            file_path: path,
            diff_info: {
              find: find.slice(0, QUOTED_CHARS_MAX),
              replace: replace.slice(0, QUOTED_CHARS_MAX),
              count,
              lines,
            },
          },
        };
      }),
  });

async function readText(path: string, purpose: "read" | "edit") {
  const { bytes, ownership } = await readRegularFile(path, READ_BYTES_MAX);
  try {
    if (bytes.includes(0)) throw new TypeError("A text has no NUL byte");
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { bytes, text, ownership };
  } catch (error) {
    throw new ToolFailure(`Cannot ${purpose} binary file: ${path} (not UTF-8 text)`, {
      cause: error,
    });
  }
}

async function keepBackup(path: string, bytes: Uint8Array, ownership: Ownership): Promise<string> {
  const backup = `${path}.bak`;
  try {
    await replaceFile(backup, bytes, ownership);
  } catch (error) {
    throw new ToolFailure(`Nothing changed: the backup ${backup} cannot be written`, {
      cause: error,
    });
  }
  return backup;
}

/** At most `limit` lines. Where this tool's own limits cut more off, a note says how to go on. */
function showLines(path: string, text: string, offset: number, limit: number): string {
  const part = takeLines(text, offset, Math.min(limit, SHOWN_LINES_MAX));
  if (offset >= part.total)
    throw new ToolFailure(`Offset ${offset} is past the end: ${path} has ${part.total} lines`);
  const shown = fitting(part.text);
  const end = offset + countLines(shown);
  const lineIsCut = shown.length < part.text.length && part.text[shown.length] !== "\n";
  const notes = [
    lineIsCut ? `line ${end} is cut after ${SHOWN_CHARS_MAX} characters` : "",
    end < Math.min(offset + limit, part.total) ? `continue with offset ${end}` : "",
  ].filter((note) => note !== "");
  const count = end - offset === 1 ? "1 line" : `${end - offset} lines`;
  const header = `✓ Read ${count} from ${path} (lines ${offset + 1}-${end} of ${part.total}):`;
  const footer = notes.length === 0 ? "" : `\n\n[… ${notes.join("; ")} …]`;
  return `${header}\n\n${shown}${footer}`;
}

/** `count` lines after the first `offset`, and how many there are in all. */
function takeLines(text: string, offset: number, count: number) {
  let total = 1;
  let start = 0;
  let end = text.length;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
    if (total === offset) start = at + 1;
    if (total === offset + count) end = at;
    total += 1;
  }
  return { text: text.slice(start, end), total };
}

/** The whole lines that fit, or the beginning of the first one. */
function fitting(text: string): string {
  if (text.length <= SHOWN_CHARS_MAX) return text;
  const cut = text.slice(0, SHOWN_CHARS_MAX);
  const end = cut.lastIndexOf("\n");
  return end === -1 ? cut.toWellFormed() : cut.slice(0, end);
}

const countLines = (text: string): number => text.split("\n").length;

/** How often the text occurs, and in which lines the first of them begin. */
function findAll(text: string, find: string): { count: number; lines: number[] } {
  const lines: number[] = [];
  let count = 0;
  let line = 1;
  let counted = 0;
  for (let at = text.indexOf(find); at !== -1; at = text.indexOf(find, at + find.length)) {
    count += 1;
    if (lines.length === NAMED_LINES_MAX) continue;
    line += countLines(text.slice(counted, at)) - 1;
    counted = at;
    lines.push(line);
  }
  return { count, lines };
}

const occurrences = (count: number): string =>
  count === 1 ? "1 occurrence" : `${count} occurrences`;

function places(count: number, lines: number[]): string {
  if (count === 1) return `line ${lines[0]}`;
  return `lines ${lines.join(", ")}${count > lines.length ? ", …" : ""}`;
}

/** Where the first line of the text stands but for its spaces: the usual reason why it was not found. */
function similarLines(text: string, find: string): string {
  const wanted = squeeze(find.trimStart().split("\n", 1)[0] ?? "");
  if (wanted === "") return "";
  const similar: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (!squeeze(line).includes(wanted)) continue;
    similar.push(index + 1);
    if (similar.length === NAMED_LINES_MAX) break;
  }
  if (similar.length === 0) return "; nothing similar is in it, read the file first";
  return `; its first line is similar to line ${similar.join(", ")}: compare spaces and the lines after it`;
}

const squeeze = (line: string): string => line.trim().replace(/\s+/g, " ");
