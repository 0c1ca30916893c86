/** What file tools take for content: how large, which kind, and what they say of anything else. */
import { type Static, Type as t } from "@sinclair/typebox";
import type { FileState } from "../domain/file-change.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { readState } from "./file-changes.ts";
import type { FileThere } from "./file-plan.ts";
import { textOf } from "./text.ts";

const MEGABYTE = 1024 * 1024;
export const READ_BYTES_MAX = 10 * MEGABYTE;
export const CREATED_BYTES_MAX = 5 * MEGABYTE;
const NEW_FILE_MODE = 0o644;

export const fileParameter = t.String({
  description: "Path of the file: relative to the workspace, or absolute inside it",
});

export type WithFile = { file: Static<typeof fileParameter> };
export const subjectFile = ({ file }: WithFile) => ({ paths: [file] });

/** A regular file at a path that was checked. Throws ToolFailure for anything else. */
export async function requireFile(path: string, bytesMax: number): Promise<FileThere> {
  const state = await readState(path);
  if (state === null) throw new ToolFailure(`File not found: ${quotedPath(path)}`);
  if (state.kind === "directory") throw new ToolFailure(`Is a directory: ${quotedPath(path)}`);
  if (state.kind === "link") throw new ToolFailure(`Is a symbolic link: ${quotedPath(path)}`);
  if (state.size > bytesMax)
    throw new ToolFailure(
      `File too large: ${quotedPath(path)} has ${state.size} bytes, the limit is ${bytesMax}`,
    );
  return state;
}

/** `purpose`: what the text is for, as the failure says it. */
export function requireText(state: FileThere, path: string, purpose: "read" | "edit"): string {
  const text = textOf(state.content ?? new Uint8Array());
  if (text === null)
    throw new ToolFailure(`Cannot ${purpose} binary file: ${quotedPath(path)} (not UTF-8 text)`);
  return text;
}

/** The content of a file that is written as a whole. */
export function newContent(content: string): Uint8Array {
  const bytes = new TextEncoder().encode(content);
  if (bytes.length > CREATED_BYTES_MAX)
    throw new ToolFailure(
      `Content too large: ${bytes.length} bytes, the limit is ${CREATED_BYTES_MAX}`,
    );
  return bytes;
}

/** Takes its mode from the file that it replaces. */
export function fileOf(content: Uint8Array, replaced: FileState = null): FileThere {
  const mode = replaced?.kind === "file" ? replaced.mode : NEW_FILE_MODE;
  return { kind: "file", mode, size: content.length, content };
}
