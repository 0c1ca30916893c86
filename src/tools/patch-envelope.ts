/** Patches in the envelope that many models were trained on: `*** Begin Patch` to `*** End Patch`. */
import { quotedPath } from "../lib/shown.ts";
import type { ToolFailure } from "./failure.ts";
import { type FilePatch, type Hunk, hunkLine, PatchLines } from "./patch-parts.ts";

const BEGIN = "*** Begin Patch";
const END = "*** End Patch";
const UPDATE = "*** Update File: ";
const ADD = "*** Add File: ";
const DELETE = "*** Delete File: ";
const MOVE = "*** Move to: ";
const END_OF_FILE = "*** End of File";

export function parseEnvelope(lines: readonly string[]): FilePatch[] {
  const reader = new PatchLines(lines);
  skipBlank(reader);
  if (reader.peek()?.trim() !== BEGIN) throw reader.failure(`expected '${BEGIN}'`);
  reader.next();
  const files: FilePatch[] = [];
  for (;;) {
    skipBlank(reader);
    const line = reader.peek();
    if (line === undefined) throw reader.failure(`it ends without '${END}'`);
    if (line.trim() === END) return files;
    files.push(parseFile(reader, line));
  }
}

function skipBlank(reader: PatchLines): void {
  while (reader.peek()?.trim() === "") reader.next();
}

function parseFile(reader: PatchLines, header: string): FilePatch {
  if (header.startsWith(ADD)) return parseAddition(reader, pathIn(reader, ADD));
  if (header.startsWith(DELETE)) {
    const path = pathIn(reader, DELETE);
    return { action: "delete", from: path, to: path, mode: null, hunks: [] };
  }
  if (!header.startsWith(UPDATE)) throw expectedHeader(reader);
  const from = pathIn(reader, UPDATE);
  const to = reader.peek()?.startsWith(MOVE) ? pathIn(reader, MOVE) : from;
  const hunks = parseHunks(reader);
  if (hunks.length === 0 && to === from) throw reader.failure(`no change of ${quotedPath(from)}`);
  return { action: to === from ? "update" : "rename", from, to, mode: null, hunks };
}

function pathIn(reader: PatchLines, header: string): string {
  const path = reader.peek()?.slice(header.length).trim() ?? "";
  if (path === "") throw reader.failure("the path is missing");
  reader.next();
  return path;
}

function parseAddition(reader: PatchLines, path: string): FilePatch {
  const hunk: Hunk = emptyHunk(1);
  for (let line = reader.peek(); line?.startsWith("+"); line = reader.peek()) {
    hunk.lines.push({ sign: "+", text: line.slice(1), endsFile: false });
    reader.next();
  }
  const next = reader.peek();
  if (next !== undefined && next.trim() !== "" && !next.startsWith("*** "))
    throw reader.failure("each line of a new file begins with '+'");
  const hunks = hunk.lines.length === 0 ? [] : [hunk];
  return { action: "create", from: path, to: path, mode: null, hunks };
}

function parseHunks(reader: PatchLines): Hunk[] {
  const hunks: Hunk[] = [];
  for (;;) {
    const hunk = emptyHunk(hunks.length + 1);
    const isMarked = readAnchors(reader, hunk);
    readBody(reader, hunk);
    if (hunk.lines.length === 0) {
      if (isMarked) throw reader.failure("the hunk has no lines");
      return hunks;
    }
    hunks.push(hunk);
  }
}

const emptyHunk = (number: number): Hunk => ({
  label: `hunk ${number}`,
  oldStart: null,
  anchors: [],
  atEnd: false,
  lines: [],
});

function readAnchors(reader: PatchLines, hunk: Hunk): boolean {
  let isMarked = false;
  for (let line = reader.peek(); line?.startsWith("@@"); line = reader.peek()) {
    isMarked = true;
    const anchor = line
      .slice(2)
      .replace(/ ?@@\s*$/, "")
      .trim();
    // Some models mix in the line numbers of the other format, mostly wrong ones.
    if (anchor !== "" && !/^-\d+(?:,\d+)? \+\d+(?:,\d+)?$/.test(anchor)) hunk.anchors.push(anchor);
    reader.next();
  }
  return isMarked;
}

function readBody(reader: PatchLines, hunk: Hunk): void {
  for (let line = reader.peek(); line !== undefined; line = reader.peek()) {
    if (line.trim() === END_OF_FILE) {
      hunk.atEnd = true;
      reader.next();
      break;
    }
    if (line.startsWith("*** ") || line.startsWith("@@")) break;
    const read = hunkLine(line);
    if (!read) throw reader.failure("expected a line that begins with ' ', '-', '+' or '@@'");
    hunk.lines.push(read);
    reader.next();
  }
  // Blank lines between the parts of a patch are none of the file.
  while (hunk.lines.at(-1)?.sign === " " && hunk.lines.at(-1)?.text === "") hunk.lines.pop();
}

const expectedHeader = (reader: PatchLines): ToolFailure =>
  reader.failure("expected '*** Update File: ', '*** Add File: ' or '*** Delete File: '");
