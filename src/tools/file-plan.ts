/** How the tools that change files plan: from what they want to a plan that does exactly that. */
import { dirname } from "node:path";
import type { FileChange, FileState } from "../domain/file-change.ts";
import type { Planned, ToolContext, ToolResult } from "../domain/tool.ts";
import { isThere } from "../lib/paths.ts";
import { answering, systemFailure, ToolFailure } from "./failure.ts";
import { applyChanges, readState, unifiedDiff } from "./file-changes.ts";

/** What the result of an edit shows of it, for clients. */
const RESULT_DIFF_CHARS_MAX = 20_000;

/** What a tool wants to change, and what it answers when that is done. */
export type Intent = {
  changes: FileChange[];
  /** Backups and directories that come with it. */
  aside: FileChange[];
  output: string;
  metadata: Record<string, unknown>;
};

/** A failure that has more to say than its one line: what the model needs to do better. */
export class DetailedFailure extends ToolFailure {
  constructor(
    message: string,
    readonly details: string,
  ) {
    super(message);
  }
}

export async function planning(
  { signal, workspace }: ToolContext,
  decide: () => Promise<Intent>,
): Promise<Planned> {
  let intent: Intent | null = null;
  let diff = "";
  const result = await answering(signal, async () => {
    try {
      intent = await decide();
      diff = await unifiedDiff(intent.changes, workspace);
      return { ok: true, output: intent.output };
    } catch (error) {
      if (!(error instanceof DetailedFailure)) throw error;
      return { ok: false, output: error.details, error: error.message };
    }
  });
  return intent === null ? { ok: false, result } : { ok: true, plan: planOf(intent, diff) };
}

function planOf(intent: Intent, diff: string) {
  const { changes, aside, output } = intent;
  return {
    diff,
    paths: changes.map(({ path }) => path),
    async apply(context: ToolContext): Promise<ToolResult | null> {
      const all = [...aside.map((change) => ({ ...change, aside: true as const })), ...changes];
      let applied = true;
      const result = await answering(context.signal, async () => {
        await keepFirst(all, context);
        applied = await applyChanges(all);
        return { ok: true, output, metadata: await metadataOf(intent, diff, context.workspace) };
      });
      return applied ? result : null;
    },
  };
}

/** What cannot be kept is not changed; where that is for a reason of the system, it is not about the file. */
async function keepFirst(changes: readonly FileChange[], { session }: ToolContext): Promise<void> {
  try {
    await session.changing(changes);
  } catch (error) {
    const reason = systemFailure(error);
    if (reason === null) throw error;
    throw new ToolFailure(
      `Nothing changed: what is there now cannot be kept for an undo (${reason})`,
      { cause: error },
    );
  }
}

async function metadataOf({ changes, metadata }: Intent, diff: string, workspace: string) {
  if (!changes.some(({ before, after }) => before?.kind === "file" && after?.kind === "file"))
    return metadata;
  const short =
    diff.length > RESULT_DIFF_CHARS_MAX
      ? await unifiedDiff(changes, workspace, RESULT_DIFF_CHARS_MAX)
      : diff;
  return { ...metadata, diff: short };
}

/** The directories on the way to `path` that are not there yet, the outermost first. */
export async function missingDirectories(path: string): Promise<FileChange[]> {
  const missing: FileChange[] = [];
  for (let at = dirname(path); !(await isThere(at)); at = dirname(at))
    missing.unshift({ path: at, before: null, after: { kind: "directory" } });
  return missing;
}

export type FileThere = Extract<FileState, { kind: "file" }>;

/** Keeps what is about to go, under a name of its own beside it, in the place of an older one. */
export async function backup(
  path: string,
  ending: ".bak" | ".deleted",
  state: FileState,
): Promise<FileChange> {
  const kept = `${path}${ending}`;
  const before = await readState(kept);
  if (before?.kind === "directory")
    throw new ToolFailure(`Nothing changed: the backup ${kept} cannot be written`);
  return { path: kept, before, after: state };
}
