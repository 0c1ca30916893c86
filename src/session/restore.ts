/** Making a restore, and saying why it was not made. */
import { EngineError } from "../domain/errors.ts";
import type { FileChange } from "../domain/file-change.ts";
import { applyChanges, readState, sameState } from "../tools/file-changes.ts";
import type { Refusal } from "./restore-plan.ts";

const REFUSALS_NAMED_MAX = 5;
const NOTHING_DONE = "Nothing was restored.";

/** `isUntouched`: everything is as it was before. */
export type Made = { ok: true } | { ok: false; error: EngineError; isUntouched: boolean };

/** Makes all changes, or none. */
export async function makeRestore(changes: readonly FileChange[]): Promise<Made> {
  try {
    if (await applyChanges(changes)) return { ok: true };
    const error = conflict(`${NOTHING_DONE} Files changed meanwhile, or a directory is not empty`);
    return { ok: false, error, isUntouched: true };
  } catch (cause) {
    const isUntouched = await areUntouched(changes);
    const why = cause instanceof Error ? cause.message : String(cause);
    const error = conflict(isUntouched ? `${NOTHING_DONE} ${why}` : why, { cause });
    return { ok: false, error, isUntouched };
  }
}

export function refusalOf(
  refused: readonly Refusal[],
  shown: (path: string) => string,
): EngineError {
  const files = refused.map(({ path, ...why }) => ({ path: shown(path), ...why }));
  const named = files.slice(0, REFUSALS_NAMED_MAX).map((each) => `${each.path}: ${each.message}`);
  const more = files.length > named.length ? `; and ${files.length - named.length} more` : "";
  return conflict(`${NOTHING_DONE} ${named.join("; ")}${more}`, { files });
}

/** What failed half way may have failed to take itself back, too. */
async function areUntouched(changes: readonly FileChange[]): Promise<boolean> {
  try {
    for (const { path, before } of changes)
      if (!sameState(await readState(path), before)) return false;
    return true;
  } catch {
    // What cannot be looked at may be anything.
    return false;
  }
}

/** `files`: each that stands against it. */
const conflict = (
  message: string,
  { cause, files = [] }: { cause?: unknown; files?: readonly object[] } = {},
): EngineError => new EngineError("conflict", message, { cause, detail: { message, files } });
