/** The tools that change a part of a file, found by its text. */
import { Type as t } from "@sinclair/typebox";
import { defineTool, type Tool } from "../domain/tool.ts";
import { counted } from "../lib/counted.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { fileParameter, READ_BYTES_MAX, subjectFile } from "./file-content.ts";
import { DetailedFailure } from "./file-plan.ts";
import { notFound } from "./similar-text.ts";
import {
  countLineEnds,
  cutLine,
  findAll,
  hasCrlf,
  lineNumbered,
  type Occurrences,
  withLineEndsOf,
} from "./text.ts";
import { planTextChange, type TextChange, tooLong } from "./text-change.ts";
import type { AreaOf } from "./workspace.ts";

/** What the metadata of an edit quotes of each text. */
const QUOTED_CHARS_MAX = 10_000;
const NAMED_LINES_MAX = 5;
/** Where a text is that should be in one place only. */
const LISTED_PLACES_MAX = 10;
/** More take seconds, in which nothing else happens. */
const REPLACED_MAX = 500_000;
const BYTE_ORDER_MARK = "\ufeff";

export const fileEdit = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_edit",
    type: "file_edit",
    risk: "medium",
    description:
      "Replace text in a file of the workspace. Replaces every occurrence of find unless replace_all is " +
      "false; then find must match once, so include enough of the surrounding lines. find is literal " +
      "text, not a pattern, and must match exactly, with its indentation and line breaks. The old file " +
      "is kept as <file>.bak.",
    parameters: t.Object({
      file: fileParameter,
      find: t.String({ description: "The text to replace, exactly as it stands in the file" }),
      replace: t.String({ description: "The text to put in its place; may be empty" }),
      replace_all: t.Optional(
        t.Boolean({ description: "false: find must occur exactly once. Default true" }),
      ),
    }),
    subject: subjectFile,
    plan: ({ file, find, replace, replace_all: replaceAll = true }, context) =>
      planTextChange(areaOf, context, file, (text, path) => {
        if (find === "") throw new ToolFailure("Parameter 'find' must not be empty");
        if (find === replace)
          throw new ToolFailure("find and replace are the same text: nothing would change");
        return edited(path, text, find, replace, replaceAll);
      }),
  });

export const fileInsertAfter = (areaOf: AreaOf): Tool => insertion(areaOf, "after");
export const fileInsertBefore = (areaOf: AreaOf): Tool => insertion(areaOf, "before");

function insertion(areaOf: AreaOf, side: "after" | "before"): Tool {
  return defineTool({
    name: `file_insert_${side}`,
    type: `file_insert_${side}`,
    risk: "medium",
    description:
      `Insert lines into a file of the workspace, ${side} the line in which a text stands. pattern is ` +
      "literal text and must occur exactly once. The old file is kept as <file>.bak.",
    parameters: t.Object({
      file: fileParameter,
      pattern: t.String({ description: "Literal text that occurs once in the file" }),
      content: t.String({ description: "The lines to insert; they get lines of their own" }),
    }),
    subject: subjectFile,
    plan: ({ file, pattern, content }, context) =>
      planTextChange(areaOf, context, file, (text, path) => {
        if (pattern === "") throw new ToolFailure("Parameter 'pattern' must not be empty");
        return inserted(path, text, pattern, content, side);
      }),
  });
}

function edited(
  path: string,
  text: string,
  find: string,
  replace: string,
  replaceAll: boolean,
): TextChange {
  const wanted = asInFile(text, find);
  const { count, lines } = findAll(text, wanted, NAMED_LINES_MAX);
  if (count === 0) throw notFound(path, text, find, "find");
  if (count > 1 && !replaceAll)
    throw severalPlaces(path, text, wanted, "replace_all is false: add surrounding lines to find");
  if (count > REPLACED_MAX)
    throw new ToolFailure(
      `Pattern found ${count} times in ${quotedPath(path)}: at most ${REPLACED_MAX} are replaced at once`,
    );
  const replacement = withLineEndsOf(text, replace);
  if (text.length + count * (replacement.length - wanted.length) > READ_BYTES_MAX)
    throw tooLong(path);
  return {
    // `$` means something in a replacement, and `$$` means `$`.
    text: text.replaceAll(wanted, replacement.replaceAll("$", "$$$$")),
    note: `Replaced ${counted(count, "occurrence")} in ${path} (${places({ count, lines })})`,
    metadata: {
      diff_info: {
        find: find.slice(0, QUOTED_CHARS_MAX),
        replace: replace.slice(0, QUOTED_CHARS_MAX),
        count,
        lines,
      },
    },
  };
}

function inserted(
  path: string,
  text: string,
  pattern: string,
  content: string,
  side: "after" | "before",
): TextChange {
  const wanted = asInFile(text, pattern);
  const { count, lines } = findAll(text, wanted, 1);
  if (count === 0) throw notFound(path, text, pattern, "pattern");
  if (count > 1)
    throw severalPlaces(path, text, wanted, "it must occur once: add surrounding text to pattern");
  const lineEnd = hasCrlf(text) ? "\r\n" : "\n";
  const body = withLineEndsOf(text, content);
  const added = body.endsWith("\n") ? body : body + lineEnd;
  const at = text.indexOf(wanted);
  const line = (lines[0] ?? 1) + (side === "after" ? lineEndsWithin(wanted) : 0);
  const note = `Inserted ${side} line ${line} of ${path}`;
  if (side === "before") {
    const start = at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1;
    const place = start === 0 && text.startsWith(BYTE_ORDER_MARK) ? 1 : start;
    return { text: text.slice(0, place) + added + text.slice(place), note };
  }
  const end = text.indexOf("\n", at + wanted.length - 1);
  if (end !== -1) return { text: text.slice(0, end + 1) + added + text.slice(end + 1), note };
  // The last line has no end: what is inserted takes its place as the last one, without an end too.
  return { text: text + lineEnd + body, note };
}

/** A text as models write it, with the line ends of the file, where it is in the file that way. */
function asInFile(text: string, wanted: string): string {
  return text.includes(wanted) ? wanted : withLineEndsOf(text, wanted);
}

function severalPlaces(path: string, text: string, wanted: string, advice: string) {
  const { count, lines } = findAll(text, wanted, LISTED_PLACES_MAX);
  const listed = lines.map((line) => `${line}\t${cutLine(lineNumbered(text, line))}`);
  if (count > lines.length) listed.push(`… and ${count - lines.length} more`);
  return new DetailedFailure(
    `Pattern found ${count} times in ${quotedPath(path)}, and ${advice}`,
    `It begins in these lines:\n${listed.join("\n")}`,
  );
}

/** Not the one that a text ends with: what follows it is no part of it. */
const lineEndsWithin = (text: string): number => countLineEnds(text, 0, text.length - 1);

function places({ count, lines }: Occurrences): string {
  if (count === 1) return `line ${lines[0]}`;
  return `lines ${lines.join(", ")}${count > lines.length ? ", …" : ""}`;
}
