/** The tools that move, copy and delete files. Directories stay where they are. */
import { Type as t } from "@sinclair/typebox";
import type { FileState } from "../domain/file-change.ts";
import { defineTool, type Tool, type ToolContext } from "../domain/tool.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { KEPT_BYTES_MAX, readState } from "./file-changes.ts";
import { fileParameter, requireFile, subjectFile } from "./file-content.ts";
import { backup, type Intent, missingDirectories, planning } from "./file-plan.ts";
import { refuseProtected } from "./protected-files.ts";
import {
  type AreaOf,
  insideWorkspace,
  placeInWorkspace,
  writableInWorkspace,
} from "./workspace.ts";

const parameters = t.Object({
  from: t.String({ description: "Path of the file as it is now" }),
  to: t.String({ description: "Path that it is to have, with its file name" }),
});

const subject = ({ from, to }: { from: string; to: string }) => ({ paths: [from, to] });

export const fileMove = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_move",
    type: "file_move",
    risk: "medium",
    description:
      "Move or rename a file of the workspace. Makes the directories of the new path. Fails if " +
      "something is there. Does not move directories.",
    parameters,
    subject,
    plan: ({ from, to }, context) =>
      planning(context, async () => {
        const source = await placeInWorkspace(areaOf(context.workspace), from);
        const before = await requireMovable(source, "move");
        refuseProtected(source, context.workspace);
        const target = await newPath(areaOf, context, to);
        return {
          changes: [
            { path: source, before, after: null },
            { path: target, before: null, after: before },
          ],
          aside: await missingDirectories(target),
          output: `✓ Moved ${source} to ${target}`,
          metadata: { file_path: source, to_path: target },
        };
      }),
  });

export const fileCopy = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_copy",
    type: "file_copy",
    risk: "low",
    description:
      "Copy a file of the workspace. Makes the directories of the new path. Fails if something is " +
      "there; use file_copy_overwrite to replace it. Does not copy directories.",
    parameters,
    subject,
    plan: ({ from, to }, context) =>
      planning(context, async () => {
        const { source, copied } = await copySource(areaOf, context, from);
        return copyTo(source, await newPath(areaOf, context, to), copied);
      }),
  });

export const fileCopyOverwrite = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_copy_overwrite",
    type: "file_copy_overwrite",
    risk: "medium",
    description:
      "Copy a file of the workspace, in the place of one that exists. What was there is kept as " +
      "<file>.bak. Does not copy directories.",
    parameters,
    subject,
    plan: ({ from, to }, context) =>
      planning(context, async () => {
        const { source, copied } = await copySource(areaOf, context, from);
        const target = await writableInWorkspace(areaOf(context.workspace), to);
        if (source === target)
          throw new ToolFailure(`from and to are the same file: ${quotedPath(source)}`);
        if ((await readState(target)) === null) return copyTo(source, target, copied);
        const before = await requireFile(target, KEPT_BYTES_MAX);
        const kept = await backup(target, ".bak", before);
        return {
          changes: [{ path: target, before, after: copied }],
          aside: [kept],
          output: `✓ Copied ${source} to ${target} (${copied.size} bytes)\nBackup: ${kept.path}`,
          metadata: { file_path: source, to_path: target },
        };
      }),
  });

export const fileDelete = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_delete",
    type: "file_delete",
    risk: "high",
    description:
      "Delete a file of the workspace. It is kept as <file>.deleted, in the place of an older one. Does " +
      "not delete directories; use file_rmdir for an empty one.",
    parameters: t.Object({ file: fileParameter }),
    subject: subjectFile,
    plan: ({ file }, context) =>
      planning(context, async () => {
        const path = await placeInWorkspace(areaOf(context.workspace), file);
        const before = await requireMovable(path, "delete");
        refuseProtected(path, context.workspace);
        const kept = await backup(path, ".deleted", before);
        return {
          changes: [{ path, before, after: null }],
          aside: [kept],
          output: `✓ Deleted ${path}\nBackup: ${kept.path}`,
          metadata: { file_path: path },
        };
      }),
  });

async function requireMovable(path: string, verb: "move" | "delete"): Promise<FileState> {
  const state = await readState(path);
  if (state === null) throw new ToolFailure(`File not found: ${quotedPath(path)}`);
  if (state.kind !== "directory") return state;
  const advice =
    verb === "delete" ? "file_rmdir removes an empty one" : "move its files one by one";
  throw new ToolFailure(`Is a directory: ${quotedPath(path)}; ${advice}`);
}

async function newPath(areaOf: AreaOf, { workspace }: ToolContext, to: string): Promise<string> {
  const path = await writableInWorkspace(areaOf(workspace), to);
  const there = await readState(path);
  if (there?.kind === "directory")
    throw new ToolFailure(
      `Is a directory: ${quotedPath(path)}; give the whole new path, with the file name`,
    );
  if (there !== null) throw new ToolFailure(`File already exists: ${quotedPath(path)}`);
  return path;
}

async function copySource(areaOf: AreaOf, { workspace }: ToolContext, from: string) {
  const source = await insideWorkspace(areaOf(workspace), from);
  return { source, copied: await requireFile(source, KEPT_BYTES_MAX) };
}

const copyTo = async (
  source: string,
  target: string,
  copied: Extract<FileState, { kind: "file" }>,
): Promise<Intent> => ({
  changes: [{ path: target, before: null, after: copied }],
  aside: await missingDirectories(target),
  output: `✓ Copied ${source} to ${target} (${copied.size} bytes)`,
  metadata: { file_path: source, to_path: target },
});
