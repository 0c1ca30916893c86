/** Checkpoints and what became of them, as people read it. */
import { meantFirst } from "../domain/checkpoint.ts";
import type { checkpointView } from "../http/checkpoint-view.ts";
import { counted } from "../lib/counted.ts";
import { type Screen, styled } from "./screen.ts";
import { aligned, localTime } from "./session-view.ts";

export type CheckpointJson = ReturnType<typeof checkpointView>;
type FileJson = CheckpointJson["files"][number];

const FILES_SHOWN_MAX = 5;

export async function showCheckpoints(
  screen: Screen,
  checkpoints: readonly CheckpointJson[],
): Promise<void> {
  if (checkpoints.length === 0) return screen.line("No turn has changed files yet.");
  const rows = checkpoints.map((checkpoint) => [
    checkpoint.checkpoint_id,
    localTime(new Date(checkpoint.created_at)),
    checkpoint.restored ? `${checkpoint.kind}, undone` : checkpoint.kind,
    filesOf(checkpoint),
  ]);
  for (const [at, line] of aligned([["ID", "CREATED", "KIND", "FILES"], ...rows]).entries())
    await screen.line(at === 0 ? styled("dim", line) : line);
}

function filesOf({ files, files_left_out, commands }: CheckpointJson): string {
  const meant = meantFirst(files);
  const named = meant.slice(0, FILES_SHOWN_MAX).map(fileText);
  const more = meant.length - named.length + files_left_out;
  if (more > 0) named.push(`${more} more`);
  if (commands > 0) named.push(`and what ${counted(commands, "command")} did`);
  return named.join(", ");
}

const MARKS: Record<FileJson["change"], string> = {
  created: "+",
  modified: "~",
  deleted: "-",
  none: "·",
};

const fileText = ({ change, path, kept }: FileJson): string =>
  `${MARKS[change]}${path}${kept ? "" : " (not kept)"}`;

export type RestoredJson = {
  restored: string[];
  unchanged: string[];
  left_out: string[];
  checkpoint_id: string | null;
};

export async function showRestored(
  screen: Screen,
  { restored, unchanged, left_out, checkpoint_id }: RestoredJson,
  session: string,
): Promise<void> {
  for (const path of restored) await screen.line(styled("green", "✓ "), path);
  for (const path of unchanged) await screen.line(styled("dim", `· ${path} is as it was before`));
  for (const path of left_out)
    await screen.line(styled("yellow", `✗ ${path} could not be brought back`));
  if (checkpoint_id === null) return;
  const undo = `kollab-engine checkpoints ${session} restore ${checkpoint_id}`;
  await screen.line(styled("dim", `to undo this: ${undo}`));
}

/** `detail`: what an engine said of it. False: that is no list of files, and nothing is shown. */
export async function showRefusals(screen: Screen, detail: object | null): Promise<boolean> {
  if (detail === null || !("files" in detail) || !Array.isArray(detail.files)) return false;
  for (const { path, message } of detail.files)
    await screen.line(styled("red", "✗ "), `${path}: ${message}`);
  if (detail.files.some(({ reason }) => FORCED.includes(reason)))
    await screen.line("With --force also what has changed since is brought back.");
  return true;
}

/** The reasons that `--force` overrides. */
const FORCED = ["changed_since", "not_undoable"];
