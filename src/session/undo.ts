/** Undoing a turn's changes, where nothing else is at work on the files. */
import { EngineError } from "../domain/errors.ts";
import type { CheckpointId } from "../domain/ids.ts";
import type { Restored, RestoreWish } from "./checkpoints.ts";
import type { Session } from "./session.ts";

/** As `Checkpoints.restore`; also throws `conflict` while a turn is under way. */
export async function restoreCheckpoint(
  { active, checkpoints }: Session,
  id: CheckpointId,
  wish: RestoreWish,
): Promise<Restored> {
  if (active)
    throw new EngineError("conflict", "A turn is under way: cancel it, or wait for its end");
  return checkpoints.restore(id, wish);
}
