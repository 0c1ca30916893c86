/** What is answered about checkpoints. */
import { Type } from "@sinclair/typebox";
import type { CheckpointId, RunId, SessionId } from "../domain/ids.ts";
import type { Nothing, Unlike } from "../lib/same-type.ts";
import { CHANGES, type FileSummary } from "../session/checkpoint-summary.ts";
import type { checkpointView } from "./checkpoint-view.ts";
import { named } from "./components.ts";
import { choice, count, flag, idOf, text, time } from "./fields.ts";
import { nullable } from "./schemas.ts";

const SESSION_ID = idOf<SessionId>("the session");
const CHECKPOINT_ID = idOf<CheckpointId>("the checkpoint");
const paths = (description: string) => Type.Array(Type.String(), { description });

const FILE = named("CheckpointFile", "A path that a turn changed.", {
  path: text("relative to the workspace"),
  kind: choice(["file", "directory", "link"], "what it was before, or what it became"),
  change: choice(CHANGES, "none: it came and went within the turn"),
  kept: flag("whether it can be brought back; false: it was too large"),
  size: nullable(count("bytes before the turn; null: it was no file")),
  aside: flag("it only came along: a backup, or a directory on the way to a new file"),
});
const CHECKPOINT = named("Checkpoint", "What files were before something changed them.", {
  checkpoint_id: CHECKPOINT_ID,
  kind: choice(["turn", "restore"], "restore: somebody brought files back, which this undoes"),
  turn_id: nullable(idOf<RunId>("the run that changed them; null: a restore")),
  restores: nullable(idOf<CheckpointId>("of a restore: the checkpoint that it brought back")),
  created_at: time("when the first of them was kept"),
  files: Type.Array(FILE, { description: "in the order of their first change" }),
  files_left_out: count("files that the turn changed and that are not kept: there were too many"),
  commands: count("shell commands that ran in the turn; what they changed is not covered"),
  restored: flag("whether it was restored, whole or in part, and that was not undone since"),
});
export const CHECKPOINTS = Type.Object({
  session_id: SESSION_ID,
  checkpoints: Type.Array(CHECKPOINT, { description: "newest first" }),
});
export const CHECKPOINT_DIFF = Type.Object({
  session_id: SESSION_ID,
  checkpoint_id: CHECKPOINT_ID,
  diff: text(
    "unified, of what the turn changed, without what only came along (aside) unless it is asked for by " +
      "its path; bounded, and it says where it is cut",
  ),
});
export const RESTORED = Type.Object({
  ok: Type.Literal(true),
  session_id: SESSION_ID,
  restored: paths("what was brought back, created or removed; relative to the workspace"),
  left_out: paths("what could not be brought back, where that was forced"),
  unchanged: paths("what was as before the turn already, and directories that hold other files"),
  checkpoint_id: nullable(
    idOf<CheckpointId>("a new checkpoint, which undoes this; null: nothing had to be done"),
  ),
});

/** What the views and the schemas do not share: nothing. */
export type CheckpointsDescribed = Nothing<
  | Unlike<ReturnType<typeof checkpointView>, (typeof CHECKPOINT)["static"]>
  | Unlike<FileSummary, (typeof FILE)["static"]>
>;
