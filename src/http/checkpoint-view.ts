/** Checkpoints as clients see them. */
import type { CheckpointSummary } from "../session/checkpoint-summary.ts";

export const checkpointView = (summary: CheckpointSummary) => ({
  checkpoint_id: summary.id,
  kind: summary.kind,
  turn_id: summary.runId,
  restores: summary.restores,
  created_at: summary.createdAt,
  files: summary.files,
  files_left_out: summary.leftOut,
  commands: summary.commands,
  restored: summary.restored,
});
