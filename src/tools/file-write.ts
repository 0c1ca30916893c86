/** The tools that write whole files, or add to their end. */
import { Type as t } from "@sinclair/typebox";
import { defineTool, type Tool } from "../domain/tool.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { KEPT_BYTES_MAX, readState } from "./file-changes.ts";
import { fileOf, fileParameter, newContent, requireFile, subjectFile } from "./file-content.ts";
import { backup, type Intent, missingDirectories, planning } from "./file-plan.ts";
import { withLineEndsOf } from "./text.ts";
import { planTextChange } from "./text-change.ts";
import { type AreaOf, writableInWorkspace } from "./workspace.ts";

export const fileCreate = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_create",
    type: "file_create",
    risk: "medium",
    description:
      "Create a new text file in the workspace, with its directories. Fails if the file exists; use " +
      "file_edit to change one, file_create_overwrite to replace it.",
    parameters: t.Object({
      file: fileParameter,
      content: t.String({ description: "The whole content of the new file" }),
    }),
    subject: subjectFile,
    plan: ({ file, content }, context) =>
      planning(context, async () => {
        const bytes = newContent(content);
        const path = await writableInWorkspace(areaOf(context.workspace), file);
        const before = await readState(path);
        if (before !== null) throw new ToolFailure(`File already exists: ${quotedPath(path)}`);
        return creation(path, bytes);
      }),
  });

export const fileCreateOverwrite = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_create_overwrite",
    type: "file_create_overwrite",
    risk: "medium",
    description:
      "Write a text file in the workspace as a whole, with its directories, in the place of one that " +
      "exists. The old file is kept as <file>.bak. To change a part of a file, use file_edit.",
    parameters: t.Object({
      file: fileParameter,
      content: t.String({ description: "The whole new content of the file" }),
    }),
    subject: subjectFile,
    plan: ({ file, content }, context) =>
      planning(context, async () => {
        const bytes = newContent(content);
        const path = await writableInWorkspace(areaOf(context.workspace), file);
        if ((await readState(path)) === null) return creation(path, bytes);
        const before = await requireFile(path, KEPT_BYTES_MAX);
        const kept = await backup(path, ".bak", before);
        return {
          changes: [{ path, before, after: fileOf(bytes, before) }],
          aside: [kept],
          output: `✓ Overwrote ${path} (${bytes.length} bytes)\nBackup: ${kept.path}`,
          metadata: { file_path: path },
        };
      }),
  });

export const fileAppend = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "file_append",
    type: "file_append",
    risk: "low",
    description:
      "Add text to the end of a file of the workspace, exactly as it is given: begin content with a " +
      "line break if the file does not end with one. The old file is kept as <file>.bak.",
    parameters: t.Object({
      file: fileParameter,
      content: t.String({ description: "The text to add" }),
    }),
    subject: subjectFile,
    plan: ({ file, content }, context) =>
      planTextChange(areaOf, context, file, (text, path) => {
        if (content === "") throw new ToolFailure("Parameter 'content' must not be empty");
        const added = withLineEndsOf(text, content);
        const size = Buffer.byteLength(added);
        return { text: text + added, note: `Appended ${size} bytes to ${path}` };
      }),
  });

const creation = async (path: string, bytes: Uint8Array): Promise<Intent> => ({
  changes: [{ path, before: null, after: fileOf(bytes) }],
  aside: await missingDirectories(path),
  output: `✓ Created ${path} (${bytes.length} bytes)`,
  metadata: { file_path: path },
});
