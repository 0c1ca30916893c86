/** Changing the text of one file: what edits, insertions and appended text have in common. */
import type { ToolContext } from "../domain/tool.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { fileOf, READ_BYTES_MAX, requireFile, requireText } from "./file-content.ts";
import { backup, type Intent, planning } from "./file-plan.ts";
import { type AreaOf, writableInWorkspace } from "./workspace.ts";

/** `note`: what the first line of the result says. */
export type TextChange = { text: string; note: string; metadata?: Record<string, unknown> };

/** Plans the change that `change` makes of the file's text; the old file is kept as `<file>.bak`. */
export const planTextChange = (
  areaOf: AreaOf,
  context: ToolContext,
  file: string,
  change: (text: string, path: string) => TextChange,
) =>
  planning(context, async (): Promise<Intent> => {
    const path = await writableInWorkspace(areaOf(context.workspace), file);
    const before = await requireFile(path, READ_BYTES_MAX);
    const { text, note, metadata } = change(requireText(before, path, "edit"), path);
    const content = new TextEncoder().encode(text);
    if (content.length > READ_BYTES_MAX) throw tooLong(path);
    const kept = await backup(path, ".bak", before);
    return {
      changes: [{ path, before, after: fileOf(content, before) }],
      aside: [kept],
      output: `✓ ${note}\nBackup: ${kept.path}`,
      metadata: { file_path: path, ...metadata },
    };
  });

export const tooLong = (path: string) =>
  new ToolFailure(
    `Nothing changed: ${quotedPath(path)} would have more than ${READ_BYTES_MAX} bytes`,
  );
