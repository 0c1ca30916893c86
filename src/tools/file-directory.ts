/** The tools that make and remove directories. */
import { readdir } from "node:fs/promises";
import { Type as t } from "@sinclair/typebox";
import { defineTool, type Tool } from "../domain/tool.ts";
import { counted } from "../lib/counted.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { readState } from "./file-changes.ts";
import { missingDirectories, planning } from "./file-plan.ts";
import { refuseProtected } from "./protected-files.ts";
import { type AreaOf, placeInWorkspace, writableInWorkspace } from "./workspace.ts";

const parameters = t.Object({
  path: t.String({
    description: "Path of the directory: relative to the workspace, or absolute inside it",
  }),
});

export const fileMkdir = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_mkdir",
    type: "file_mkdir",
    risk: "low",
    description:
      "Make a directory in the workspace, with those that lead to it. Fails if something is there. " +
      "Not needed before file_create, which makes directories itself.",
    parameters,
    subject: ({ path }) => ({ paths: [path] }),
    plan: (input, context) =>
      planning(context, async () => {
        const path = await writableInWorkspace(areaOf(context.workspace), input.path);
        const before = await readState(path);
        if (before !== null)
          throw new ToolFailure(`${whatIs(before.kind)} already exists: ${quotedPath(path)}`);
        return {
          changes: [{ path, before, after: { kind: "directory" } }],
          aside: await missingDirectories(path),
          output: `✓ Created directory ${path}`,
          metadata: { file_path: path },
        };
      }),
  });

export const fileRmdir = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_rmdir",
    type: "file_rmdir",
    risk: "medium",
    description: "Remove an empty directory of the workspace. Fails if anything is in it.",
    parameters,
    subject: ({ path }) => ({ paths: [path] }),
    plan: (input, context) =>
      planning(context, async () => {
        const path = await placeInWorkspace(areaOf(context.workspace), input.path);
        const before = await readState(path);
        if (before === null) throw new ToolFailure(`Directory not found: ${quotedPath(path)}`);
        if (before.kind !== "directory")
          throw new ToolFailure(`Not a directory: ${quotedPath(path)}; use file_delete`);
        refuseProtected(path, context.workspace);
        const count = (await readdir(path)).length;
        if (count > 0)
          throw new ToolFailure(
            `Directory not empty: ${quotedPath(path)} has ${counted(count, "entry", "entries")}; remove those first`,
          );
        return {
          changes: [{ path, before, after: null }],
          aside: [],
          output: `✓ Removed directory ${path}`,
          metadata: { file_path: path },
        };
      }),
  });

const whatIs = (kind: "file" | "directory" | "link"): string =>
  kind === "directory" ? "Directory" : "File";
