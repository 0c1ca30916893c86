/** What a patch says, in either of the two ways in which models write one. */
import { ToolFailure } from "./failure.ts";
import { parseEnvelope } from "./patch-envelope.ts";
import type { FilePatch } from "./patch-parts.ts";
import { parseUnified } from "./patch-unified.ts";

const PATCH_CHARS_MAX = 5 * 1024 * 1024;
const FILES_MAX = 200;
const HUNKS_MAX = 500;

/** Throws ToolFailure, with the line of the patch, where it is not one. */
export function parsePatch(patch: string): FilePatch[] {
  if (patch.length > PATCH_CHARS_MAX)
    throw new ToolFailure(
      `Patch too large: ${patch.length} characters, the limit is ${PATCH_CHARS_MAX}`,
    );
  const lines = linesOf(patch);
  const start = lines.findIndex((line) => line.trim() !== "");
  const files = lines[start]?.startsWith("*** ") ? parseEnvelope(lines) : parseUnified(lines);
  if (files.length === 0)
    throw new ToolFailure(
      "The patch changes nothing: it has no file header (--- a/path, +++ b/path) or no hunk (@@)",
    );
  const hunks = files.reduce((sum, file) => sum + file.hunks.length, 0);
  if (files.length > FILES_MAX || hunks > HUNKS_MAX)
    throw new ToolFailure(
      `Too much in one patch: at most ${FILES_MAX} files and ${HUNKS_MAX} hunks`,
    );
  return files;
}

const FENCE = /^```[\w-]*\s*$/;

/** Without the fence that some models put around it. A patch whose own lines end in CRLF is meant as LF. */
function linesOf(patch: string): string[] {
  const lines = patch.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const isCrlf = lines.length > 1 && lines.slice(0, -1).every((line) => line.endsWith("\r"));
  const plain = isCrlf
    ? lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line))
    : lines;
  if (!FENCE.test(plain[0] ?? "")) return plain;
  const end = plain.findLastIndex((line) => FENCE.test(line));
  // Blank lines in its place, so that the numbers of the others stay.
  return ["", ...plain.slice(1, end > 0 ? end : undefined)];
}
