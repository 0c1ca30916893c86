/**
 * Unified diffs, as git and diff write them and as models do: line counts that are wrong or missing are
 * no reason to refuse, since each hunk has to match the file's text anyway.
 */
import { quoted, quotedPath, shown } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { type FilePatch, type Hunk, type HunkLine, hunkLine, PatchLines } from "./patch-parts.ts";

const NOTHING = "/dev/null";
const GIT_HEADER = "diff --git ";
const PERMISSION_BITS = 0o777;

export function parseUnified(lines: readonly string[]): FilePatch[] {
  const reader = new PatchLines(lines);
  const files: FilePatch[] = [];
  for (let line = reader.peek(); line !== undefined; line = reader.peek()) {
    if (line.startsWith(GIT_HEADER) || isFileHeader(reader)) files.push(parseFile(reader));
    else if (line.startsWith("@@ ")) throw reader.failure("a hunk without a file header before it");
    else if (files.length > 0 && /^[-+]/.test(line) && line !== MAIL_SIGNATURE)
      throw reader.failure("expected a file header or a hunk");
    // Anything else before a header is a message, an index line or the like.
    else reader.next();
  }
  return files;
}

const MAIL_SIGNATURE = "-- ";

const isFileHeader = (reader: PatchLines): boolean =>
  /^--- \S/.test(reader.peek() ?? "") && /^\+\+\+ \S/.test(reader.peek(1) ?? "");

/** What the headers of a file say; null: they do not. */
type Headers = {
  git: [string, string] | null;
  old: string | null;
  new: string | null;
  renameFrom: string | null;
  renameTo: string | null;
  isCopy: boolean;
  isNew: boolean;
  isDeleted: boolean;
  mode: number | null;
};

function parseFile(reader: PatchLines): FilePatch {
  const start = reader.position;
  const headers = readHeaders(reader);
  const file = fileOf(headers, () => {
    reader.back(start);
    return reader;
  });
  for (let line = reader.peek(); line?.startsWith("@@"); line = reader.peek())
    file.hunks.push(parseHunk(reader, file.hunks.length + 1));
  if (file.hunks.length === 0 && file.action === "update" && file.mode === null)
    throw reader.failure(`expected a hunk (@@) for ${quotedPath(file.to)}`);
  return file;
}

function readHeaders(reader: PatchLines): Headers {
  const headers: Headers = {
    git: null,
    old: null,
    new: null,
    renameFrom: null,
    renameTo: null,
    isCopy: false,
    isNew: false,
    isDeleted: false,
    mode: null,
  };
  const first = reader.peek() ?? "";
  if (first.startsWith(GIT_HEADER)) {
    headers.git = gitNames(first.slice(GIT_HEADER.length));
    reader.next();
  }
  for (let line = reader.peek(); line !== undefined; line = reader.peek()) {
    if (isFileHeader(reader)) {
      headers.old = headerPath(line.slice(4));
      headers.new = headerPath(reader.peek(1)?.slice(4) ?? "");
      reader.next();
      reader.next();
      break;
    }
    if (/^(?:GIT binary patch|Binary files .* differ)/.test(line))
      throw reader.failure("binary files cannot be patched");
    if (!readExtended(line, headers)) break;
    reader.next();
  }
  return headers;
}

/** false: no header line of git. */
function readExtended(line: string, headers: Headers): boolean {
  const [, key = "", value = ""] =
    /^(old mode|new mode|deleted file mode|new file mode|(?:rename|copy) (?:from|to)|similarity index|dissimilarity index|index) (.*)$/.exec(
      line,
    ) ?? [];
  switch (key) {
    case "":
      return false;
    case "new mode":
    case "new file mode":
      headers.mode = modeOf(value);
      headers.isNew ||= key === "new file mode";
      break;
    case "deleted file mode":
      headers.isDeleted = true;
      break;
    case "rename from":
    case "copy from":
      headers.renameFrom = unquoted(value);
      headers.isCopy = key === "copy from";
      break;
    case "rename to":
    case "copy to":
      headers.renameTo = unquoted(value);
      break;
  }
  return true;
}

function modeOf(value: string): number {
  const mode = Number.parseInt(value, 8);
  const isFile = mode >> 12 === 0o10 || mode >> 12 === 0;
  if (!isFile)
    throw new ToolFailure(
      `Patches change regular files only, not links or modules (mode ${quoted(value)})`,
    );
  // As git: executable or not.
  return (mode & PERMISSION_BITS & 0o111) === 0 ? 0o644 : 0o755;
}

/** `at`: the reader, at the beginning of the file's headers. */
function fileOf(headers: Headers, at: () => PatchLines): FilePatch {
  const { mode } = headers;
  if (headers.renameFrom !== null && headers.renameTo !== null) {
    const [from, to] = [headers.renameFrom, headers.renameTo];
    return { action: headers.isCopy ? "copy" : "rename", from, to, mode, hunks: [] };
  }
  const old = headers.old ?? headers.git?.[0];
  const next = headers.new ?? headers.git?.[1];
  if (old === undefined || next === undefined)
    throw at().failure("the paths of the file cannot be told from its header");
  const [from, to] = withoutPrefixes(old, next);
  if (from === NOTHING && to === NOTHING) throw at().failure("both paths are /dev/null");
  if (from === NOTHING || headers.isNew) return { action: "create", from: to, to, mode, hunks: [] };
  if (to === NOTHING || headers.isDeleted)
    return { action: "delete", from, to: from, mode: null, hunks: [] };
  if (from !== to && from !== `${to}.orig`)
    throw at().failure(
      "the two paths differ; a rename needs the lines 'rename from' and 'rename to'",
    );
  return { action: "update", from: to, to, mode, hunks: [] };
}

/** `a/` and `b/` are no directories, where they stand as git writes them. */
function withoutPrefixes(old: string, next: string): [string, string] {
  const isGit =
    (old === NOTHING || old.startsWith("a/")) && (next === NOTHING || next.startsWith("b/"));
  const strip = (path: string) => (path === NOTHING ? path : path.slice(2));
  return isGit ? [strip(old), strip(next)] : [old, next];
}

/** Without the time that diff writes after a tab. */
function headerPath(text: string): string {
  return text.startsWith('"') ? unquoted(text) : (text.split("\t", 1)[0] ?? "").trimEnd();
}

/** null: they are not told apart by this line alone. */
function gitNames(text: string): [string, string] | null {
  const quoted = /^("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)$/.exec(text);
  if (quoted?.[1] && quoted[2]) return [unquoted(quoted[1]), unquoted(quoted[2])];
  // Names with spaces: the same one twice, as where nothing is renamed.
  const half = (text.length - 1) / 2;
  const [old, next] = [text.slice(0, half), text.slice(half + 1)];
  return old.slice(2) === next.slice(2) ? [old, next] : null;
}

const ESCAPES: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** As git quotes names with unusual characters: as bytes, in C's way. */
function unquoted(text: string): string {
  const trimmed = text.trimEnd();
  if (!trimmed.startsWith('"')) return trimmed;
  const bytes: number[] = [];
  const body = trimmed.slice(1, closingQuote(trimmed));
  for (const [, octal, letter, plain] of body.matchAll(/\\([0-7]{1,3})|\\(.)|([^\\])/gsu)) {
    if (octal) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else if (letter) bytes.push(ESCAPES[letter] ?? letter.charCodeAt(0));
    else bytes.push(...new TextEncoder().encode(plain));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

function closingQuote(text: string): number {
  let at = 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

const HUNK_HEADER = /^@@(?:.*?-(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))?)?/;

function parseHunk(reader: PatchLines, number: number): Hunk {
  const header = reader.peek() ?? "";
  const [, oldStart, oldCount = "1", , newCount = "1"] = HUNK_HEADER.exec(header) ?? [];
  reader.next();
  const start = reader.position;
  const lines =
    (oldStart === undefined ? null : readCounted(reader, Number(oldCount), Number(newCount))) ??
    readUntilHeader(reader, start);
  if (!lines.some(({ sign }) => sign !== " ")) {
    reader.back(start - 1);
    throw reader.failure("the hunk changes nothing");
  }
  return {
    label: `hunk ${number}${oldStart === undefined ? "" : ` (${shown(header.slice(0, HEADER_CHARS_MAX))})`}`,
    oldStart: oldStart === undefined ? null : insertionAware(Number(oldStart), lines),
    anchors: [],
    atEnd: false,
    lines,
  };
}

const HEADER_CHARS_MAX = 60;

/** Of a hunk without old lines, the number is that of the line before. */
function insertionAware(oldStart: number, lines: readonly HunkLine[]): number {
  return lines.every(({ sign }) => sign === "+") ? oldStart + 1 : oldStart;
}

/** As many lines as the header says; null: the header is wrong. */
function readCounted(reader: PatchLines, oldCount: number, newCount: number): HunkLine[] | null {
  const lines: HunkLine[] = [];
  let [old, next] = [oldCount, newCount];
  while (old > 0 || next > 0) {
    const line = readLine(reader, lines);
    if (!line) return null;
    if (line.sign !== "+") old -= 1;
    if (line.sign !== "-") next -= 1;
    if (old < 0 || next < 0) return null;
  }
  const following = reader.peek();
  const ends =
    following === undefined || following === "" || following === MAIL_SIGNATURE || endsHunk(reader);
  return ends ? lines : null;
}

function readUntilHeader(reader: PatchLines, start: number): HunkLine[] {
  const lines: HunkLine[] = [];
  reader.back(start);
  while (reader.peek() !== undefined && !endsHunk(reader)) {
    if (readLine(reader, lines)) continue;
    throw reader.failure("expected a line that begins with ' ', '-', '+' or '@@'");
  }
  // Blank lines between the parts of a patch are none of the file.
  while (lines.at(-1)?.sign === " " && lines.at(-1)?.text === "") lines.pop();
  return lines;
}

const endsHunk = (reader: PatchLines): boolean =>
  /^(?:@@|diff --git |Index: )/.test(reader.peek() ?? "") || isFileHeader(reader);

/** null: no line of a hunk. Takes the note about the file's end along with the line that it is about. */
function readLine(reader: PatchLines, lines: HunkLine[]): HunkLine | null {
  const line = hunkLine(reader.peek() ?? "@");
  if (!line) return null;
  reader.next();
  if (reader.peek()?.startsWith("\\ ")) {
    line.endsFile = true;
    reader.next();
  }
  lines.push(line);
  return line;
}
