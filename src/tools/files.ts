/** The file tools: whatever they change, they change whole or not at all, and inside the workspace only. */
import type { Tool } from "../domain/tool.ts";
import { applyPatch } from "./apply-patch.ts";
import { fileMkdir, fileRmdir } from "./file-directory.ts";
import { fileEdit, fileInsertAfter, fileInsertBefore } from "./file-edit.ts";
import { fileCopy, fileCopyOverwrite, fileDelete, fileMove } from "./file-move.ts";
import { fileRead } from "./file-read.ts";
import { fileAppend, fileCreate, fileCreateOverwrite } from "./file-write.ts";
import type { AreaOf } from "./workspace.ts";

export const fileTools = (areaOf: AreaOf): Tool[] => [
  applyPatch(areaOf),
  fileAppend(areaOf),
  fileCopy(areaOf),
  fileCopyOverwrite(areaOf),
  fileCreate(areaOf),
  fileCreateOverwrite(areaOf),
  fileDelete(areaOf),
  fileEdit(areaOf),
  fileInsertAfter(areaOf),
  fileInsertBefore(areaOf),
  fileMkdir(areaOf),
  fileMove(areaOf),
  fileRead(areaOf),
  fileRmdir(areaOf),
];
