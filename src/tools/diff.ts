/** Unified diffs of file changes, for people: in git's format, bounded in length and time. */
import { relative } from "node:path";
import { structuredPatch } from "diff";
import type { FileChange, FileState } from "../domain/file-change.ts";
import { movedFrom } from "./moved-files.ts";
import { countLineEnds, textOf } from "./text.ts";

/** All files of a diff together; what is left then is shown as replaced as a whole. */
const COMPARED_MS_MAX = 200;
/** Of what differs in a file, each side. */
const COMPARED_CHARS_MAX = 1_000_000;
const EDIT_LINES_MAX = 4_000;
const CONTEXT_LINES = 3;
const NAMED_FILES_MAX = 50;

/** Of what does not fit into `charsMax`, the files are still named. */
export function diffOf(
  changes: readonly FileChange[],
  workspace: string,
  charsMax: number,
): string {
  const deadline = performance.now() + COMPARED_MS_MAX;
  const sections = sectionsOf(changes);
  let diff = "";
  for (const [index, section] of sections.entries()) {
    const text = sectionText(section, workspace, deadline, charsMax - diff.length);
    if (diff.length + text.length <= charsMax) {
      diff += text;
      continue;
    }
    const cut = diff + text.slice(0, charsMax - diff.length);
    const rest = sections.slice(index + 1).map(({ path }) => relative(workspace, path));
    return `${cut.slice(0, cut.lastIndexOf("\n") + 1)}${cutNote(rest)}`;
  }
  return diff;
}

/** `from`: where the file was, when it is moved. */
type Section = FileChange & { from: string | null };

function sectionsOf(changes: readonly FileChange[]): Section[] {
  const moves = movedFrom(changes);
  const moved = new Set(moves.values());
  return changes
    .filter((change) => !moved.has(change))
    .map((change) => ({ ...change, from: moves.get(change)?.path ?? null }));
}

function cutNote(rest: readonly string[]): string {
  if (rest.length === 0) return "[… cut: the diff is too long …]\n";
  const named = rest.slice(0, NAMED_FILES_MAX).map(quoted).join(", ");
  const more = rest.length > NAMED_FILES_MAX ? `, and ${rest.length - NAMED_FILES_MAX} more` : "";
  return `[… cut: the diff is too long. Not shown: ${named}${more} …]\n`;
}

function sectionText(
  { path, from, before, after }: Section,
  workspace: string,
  deadline: number,
  charsMax: number,
): string {
  const name = relative(workspace, path);
  if (after?.kind === "directory") return `New directory: ${quoted(name)}\n`;
  if (before?.kind === "directory") return `Directory removed: ${quoted(name)}\n`;
  const [a, b] = [
    quoted(`a/${from === null ? name : relative(workspace, from)}`),
    quoted(`b/${name}`),
  ];
  const head = `diff --git ${a} ${b}\n`;
  if (from !== null) {
    const replaced = before === null ? "" : "[… in the place of what is there …]\n";
    return `${head}rename from ${a.replace("a/", "")}\nrename to ${b.replace("b/", "")}\n${replaced}`;
  }
  return head + modeLines(before, after) + body(a, b, { before, after }, deadline, charsMax);
}

function modeLines(before: FileState, after: FileState): string {
  const [old, next] = [gitMode(before), gitMode(after)];
  if (old === "") return `new file mode ${next}\n`;
  if (next === "") return `deleted file mode ${old}\n`;
  return old === next ? "" : `old mode ${old}\nnew mode ${next}\n`;
}

function gitMode(state: FileState): string {
  if (state === null) return "";
  return state.kind === "file" ? `100${state.mode.toString(8).padStart(3, "0")}` : "120000";
}

function body(
  a: string,
  b: string,
  { before, after }: Pick<FileChange, "before" | "after">,
  deadline: number,
  charsMax: number,
): string {
  const [old, next] = [before === null ? "/dev/null" : a, after === null ? "/dev/null" : b];
  if (isTooLarge(before) || isTooLarge(after))
    return `Files ${old} and ${next} differ, too large to show\n`;
  const [from, to] = [shownText(before), shownText(after)];
  if (from === null || to === null) return `Binary files ${old} and ${next} differ\n`;
  const hunks = hunksOf(from, to, deadline, charsMax);
  return hunks === "" ? "" : `--- ${old}\n+++ ${next}\n${hunks}`;
}

const isTooLarge = (state: FileState): boolean => state?.kind === "file" && state.content === null;

/** null: no text. */
function shownText(state: FileState): string | null {
  if (state?.kind === "link") return state.target;
  return state?.kind === "file" && state.content !== null ? textOf(state.content) : "";
}

/** What would break the line or turn its direction. */
const MISLEADING = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

/** As git writes names with such characters. */
function quoted(name: string): string {
  if (name.search(MISLEADING) === -1 && !/["\\]/.test(name)) return name;
  return JSON.stringify(name).replace(MISLEADING, escaped);
}

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** What differs between two texts, with a few lines around it. */
function hunksOf(before: string, after: string, deadline: number, charsMax: number): string {
  if (before === after) return "";
  const { start, endBefore, endAfter } = differingPart(before, after);
  const from = linesBack(before, start, CONTEXT_LINES);
  const rest = before.slice(endBefore, linesForward(before, endBefore, CONTEXT_LINES));
  const old = before.slice(from, endBefore) + rest;
  const next = after.slice(from, endAfter) + rest;
  const skipped = countLineEnds(before, 0, from);
  const hunks = comparedHunks(old, next, deadline);
  if (!hunks) return coarseHunk(old, next, skipped, charsMax);
  return hunks
    .map(({ oldStart, oldLines, newStart, newLines, lines }) => {
      const head = hunkHead(skipped + oldStart, oldLines, skipped + newStart, newLines);
      return `${head}${lines.join("\n")}\n`;
    })
    .join("");
}

/** null: takes too long. */
function comparedHunks(old: string, next: string, deadline: number) {
  const timeout = deadline - performance.now();
  if (timeout <= 0 || Math.max(old.length, next.length) > COMPARED_CHARS_MAX) return null;
  const options = { context: CONTEXT_LINES, maxEditLength: EDIT_LINES_MAX, timeout };
  return structuredPatch("", "", old, next, "", "", options)?.hunks ?? null;
}

/** All of the old lines, then all of the new ones; no more than is shown. */
function coarseHunk(old: string, next: string, skipped: number, charsMax: number): string {
  const [oldLines, newLines] = [countLines(old), countLines(next)];
  const head = hunkHead(skipped + 1, oldLines, skipped + 1, newLines);
  const removed = signed("-", old, charsMax);
  return `${head}${removed}${removed.length > charsMax ? "" : signed("+", next, charsMax)}`;
}

function signed(sign: string, text: string, charsMax: number): string {
  if (text === "") return "";
  const shown = text.slice(0, charsMax + 1);
  const ends = shown.endsWith("\n");
  const lines = (ends ? shown.slice(0, -1) : shown).split("\n");
  const note = ends || shown.length < text.length ? "" : "\n\\ No newline at end of file";
  return `${lines.map((line) => sign + line).join("\n")}${note}\n`;
}

/** Of no lines, the number is that of the line before. */
function hunkHead(oldStart: number, oldLines: number, newStart: number, newLines: number): string {
  const [old, next] = [
    oldLines === 0 ? oldStart - 1 : oldStart,
    newLines === 0 ? newStart - 1 : newStart,
  ];
  return `@@ -${old},${oldLines} +${next},${newLines} @@\n`;
}

/** Without the lines that are the same at the beginning and at the end. */
function differingPart(before: string, after: string) {
  const shorter = Math.min(before.length, after.length);
  const same = sameLength(before, after, shorter);
  const start = same === 0 ? 0 : before.lastIndexOf("\n", same - 1) + 1;
  const tail = wholeLines(before, after, start, sameTail(before, after, shorter - start));
  return { start, endBefore: before.length - tail, endAfter: after.length - tail };
}

/** Compared at once before it is looked at one by one, which takes much longer. */
const BLOCK_CHARS = 4_096;

/** How much of the beginnings is the same; `max` at most. */
function sameLength(before: string, after: string, max: number): number {
  let same = 0;
  const isSameBlock = () =>
    before.slice(same, same + BLOCK_CHARS) === after.slice(same, same + BLOCK_CHARS);
  while (same + BLOCK_CHARS <= max && isSameBlock()) same += BLOCK_CHARS;
  while (same < max && before.charCodeAt(same) === after.charCodeAt(same)) same += 1;
  return same;
}

/** How much of the ends is the same; `max` at most. */
function sameTail(before: string, after: string, max: number): number {
  let same = 0;
  const block = (text: string) => text.slice(text.length - same - BLOCK_CHARS, text.length - same);
  while (same + BLOCK_CHARS <= max && block(before) === block(after)) same += BLOCK_CHARS;
  const [lastBefore, lastAfter] = [before.length - 1, after.length - 1];
  while (same < max && before.charCodeAt(lastBefore - same) === after.charCodeAt(lastAfter - same))
    same += 1;
  return same;
}

/** The part of a common tail that begins where a line does, in both texts. */
function wholeLines(before: string, after: string, start: number, tail: number): number {
  const begins = (text: string) =>
    text.length - tail === start || text[text.length - tail - 1] === "\n";
  if (begins(before) && begins(after)) return tail;
  const lineEnd = before.indexOf("\n", before.length - tail);
  return lineEnd === -1 ? 0 : before.length - lineEnd - 1;
}

function linesBack(text: string, from: number, count: number): number {
  let at = from;
  for (let line = 0; line < count && at > 0; line += 1)
    at = at < 2 ? 0 : text.lastIndexOf("\n", at - 2) + 1;
  return at;
}

function linesForward(text: string, from: number, count: number): number {
  let at = from;
  for (let line = 0; line < count && at < text.length; line += 1) {
    const end = text.indexOf("\n", at);
    at = end === -1 ? text.length : end + 1;
  }
  return at;
}

const countLines = (text: string): number =>
  countLineEnds(text, 0, text.length) + (text === "" || text.endsWith("\n") ? 0 : 1);
