/** The tool that applies a patch to several files: all of it, or nothing. */
import { Type as t } from "@sinclair/typebox";
import type { FileChange, FileState } from "../domain/file-change.ts";
import { defineTool, type Tool, type ToolContext } from "../domain/tool.ts";
import { counted } from "../lib/counted.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { readState } from "./file-changes.ts";
import { CREATED_BYTES_MAX, fileOf, READ_BYTES_MAX, requireText } from "./file-content.ts";
import { backup, type FileThere, type Intent, missingDirectories, planning } from "./file-plan.ts";
import { parsePatch } from "./patch.ts";
import { applyHunks } from "./patch-hunks.ts";
import type { FilePatch } from "./patch-parts.ts";
import { refuseProtected } from "./protected-files.ts";
import { tooLong } from "./text-change.ts";
import { type Area, type AreaOf, placeInWorkspace, writableInWorkspace } from "./workspace.ts";

/** All files of a patch together. */
const TOTAL_BYTES_MAX = 64 * 1024 * 1024;

export const applyPatch = (areaOf: AreaOf): Tool =>
  defineTool({
    name: "apply_patch",
    type: "apply_patch",
    risk: "medium",
    description:
      "Apply a patch to one or more files of the workspace, all of it or nothing: a unified diff with " +
      "--- a/path and +++ b/path headers (/dev/null for new and deleted files, rename from/to lines for " +
      "renames), or a '*** Begin Patch' envelope. Context and removed lines must be exactly as in the " +
      "file; line numbers may be off where the context is in one place only. Old files are kept as " +
      "<file>.bak or <file>.deleted.",
    parameters: t.Object({ patch: t.String({ description: "The patch" }) }),
    subject: ({ patch }) => ({ paths: pathsIn(patch) }),
    plan: ({ patch }, context) =>
      planning(context, async () => {
        const files = new PatchedFiles(areaOf(context.workspace));
        for (const file of parsePatch(patch)) await applyFile(files, file);
        return intentOf(files.changes(), context);
      }),
  });

/** None where it is no patch: then nothing is changed. */
function pathsIn(patch: string): string[] {
  try {
    return [...new Set(parsePatch(patch).flatMap(({ from, to }) => [from, to]))];
  } catch (error) {
    if (error instanceof ToolFailure) return [];
    throw error;
  }
}

/** What is at the paths of a patch: before it, and after as much of it as was worked out. */
class PatchedFiles {
  private readonly before = new Map<string, FileState>();
  private readonly after = new Map<string, FileState>();
  private bytes = 0;

  constructor(readonly area: Area) {}

  async state(path: string): Promise<FileState> {
    const known = this.after.get(path);
    if (known !== undefined) return known;
    const state = await readState(path);
    this.bytes += state?.kind === "file" ? state.size : 0;
    if (this.bytes > TOTAL_BYTES_MAX)
      throw new ToolFailure(
        `The files of the patch have more than ${TOTAL_BYTES_MAX} bytes together: apply it in parts`,
      );
    this.before.set(path, state);
    this.after.set(path, state);
    return state;
  }

  set(path: string, state: FileState): void {
    this.after.set(path, state);
  }

  changes(): FileChange[] {
    return [...this.after].flatMap(([path, after]) => {
      const before = this.before.get(path) ?? null;
      return before === after ? [] : [{ path, before, after }];
    });
  }
}

async function applyFile(files: PatchedFiles, file: FilePatch): Promise<void> {
  switch (file.action) {
    case "create":
      return create(files, file);
    case "update": {
      const path = await writableInWorkspace(files.area, file.to);
      files.set(path, await patched(files, path, path, file));
      return;
    }
    case "delete":
      return remove(files, file);
    case "rename":
    case "copy":
      return transfer(files, file);
    default:
      file.action satisfies never;
  }
}

async function create(files: PatchedFiles, { to, mode, hunks }: FilePatch): Promise<void> {
  const path = await writableInWorkspace(files.area, to);
  if ((await files.state(path)) !== null)
    throw new ToolFailure(
      `Nothing changed: the patch makes ${quotedPath(path)}, which already exists`,
    );
  const content = new TextEncoder().encode(await applyHunks(path, "", hunks));
  if (content.length > CREATED_BYTES_MAX)
    throw new ToolFailure(
      `Content too large: ${quotedPath(path)} would have ${content.length} bytes, the limit is ${CREATED_BYTES_MAX}`,
    );
  files.set(path, withMode(fileOf(content), mode));
}

async function remove(files: PatchedFiles, file: FilePatch): Promise<void> {
  const path = await placeInWorkspace(files.area, file.from);
  refuseProtected(path, files.area.workspace);
  const state = await fileAt(files, path);
  // With hunks, they say what is deleted; it must be all of the file.
  if (file.hunks.length > 0) {
    const rest = await applyHunks(path, requireText(state, path, "edit"), file.hunks);
    if (rest !== "")
      throw new ToolFailure(
        `Nothing changed: the patch deletes ${quotedPath(path)}, but there is more in it than the patch says`,
      );
  }
  files.set(path, null);
}

async function transfer(files: PatchedFiles, file: FilePatch): Promise<void> {
  const isRename = file.action === "rename";
  const from = await (isRename ? placeInWorkspace : writableInWorkspace)(files.area, file.from);
  if (isRename) refuseProtected(from, files.area.workspace);
  const to = await writableInWorkspace(files.area, file.to);
  const made = await patched(files, from, to, file);
  if (isRename) files.set(from, null);
  if ((await files.state(to)) !== null)
    throw new ToolFailure(
      `Nothing changed: the patch makes ${quotedPath(to)}, which already exists`,
    );
  files.set(to, made);
}

/** The file at `from` with the hunks in it; `to`: where it is to be. */
async function patched(
  files: PatchedFiles,
  from: string,
  to: string,
  { hunks, mode }: FilePatch,
): Promise<FileThere> {
  const state = await fileAt(files, from);
  if (hunks.length === 0) return withMode(state, mode);
  const text = await applyHunks(from, requireText(state, from, "edit"), hunks);
  const content = new TextEncoder().encode(text);
  if (content.length > READ_BYTES_MAX) throw tooLong(to);
  return withMode(fileOf(content, state), mode);
}

async function fileAt(files: PatchedFiles, path: string): Promise<FileThere> {
  const state = await files.state(path);
  if (state === null) throw new ToolFailure(`File not found: ${quotedPath(path)}`);
  if (state.kind !== "file")
    throw new ToolFailure(
      state.kind === "link"
        ? `Is a symbolic link: ${quotedPath(path)}`
        : `Is a directory: ${quotedPath(path)}`,
    );
  if (state.size > READ_BYTES_MAX)
    throw new ToolFailure(
      `File too large: ${quotedPath(path)} has ${state.size} bytes, the limit is ${READ_BYTES_MAX}`,
    );
  return state;
}

/** The very same state where nothing changes: then the file is moved, not written. */
const withMode = (state: FileThere, mode: number | null): FileThere =>
  mode === null || mode === state.mode ? state : { ...state, mode };

async function intentOf(changes: FileChange[], { workspace }: ToolContext): Promise<Intent> {
  if (changes.length === 0) throw new ToolFailure("The files are already as the patch makes them");
  const backups = await backupsOf(changes);
  const listed = changes.map((change) => `${verbOf(change)} ${change.path}`);
  const kept = backups.map(({ path }) => `Backup: ${path}`);
  return {
    changes,
    aside: [...(await directoriesOf(changes)), ...backups],
    output: [
      `✓ Patched ${counted(changes.length, "file")} in ${workspace}`,
      ...listed,
      ...kept,
    ].join("\n"),
    metadata: {
      file_path: changes[0]?.path,
      files: changes.map((change) => ({ file_path: change.path, change: verbOf(change) })),
    },
  };
}

function verbOf({ before, after }: FileChange): "created" | "deleted" | "changed" {
  if (before === null) return "created";
  return after === null ? "deleted" : "changed";
}

/** Of what changes or goes for good; of what is moved there is nothing to keep. */
async function backupsOf(changes: readonly FileChange[]): Promise<FileChange[]> {
  const paths = new Set(changes.map(({ path }) => path));
  const made = new Set(changes.map(({ after }) => after));
  const backups: FileChange[] = [];
  for (const { path, before, after } of changes) {
    if (before === null || made.has(before)) continue;
    const kept = await backup(path, after === null ? ".deleted" : ".bak", before);
    // The patch may say itself what is to be in that place.
    if (!paths.has(kept.path)) backups.push(kept);
  }
  return backups;
}

async function directoriesOf(changes: readonly FileChange[]): Promise<FileChange[]> {
  const missing = new Map<string, FileChange>();
  for (const { path, after } of changes)
    if (after !== null)
      for (const change of await missingDirectories(path)) missing.set(change.path, change);
  const both = changes.find(({ path }) => missing.has(path));
  if (both)
    throw new ToolFailure(
      `The patch has ${quotedPath(both.path)} both as a file and as a directory`,
    );
  return [...missing.values()];
}
