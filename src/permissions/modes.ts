/** Which calls a mode asks about. */
import type { ApprovalMode, RiskLevel } from "../domain/permission.ts";
import { isRisky } from "./call.ts";

/** Types that change files, and no more than that. */
const EDITS = new Set([
  "apply_patch",
  "file_append",
  "file_copy",
  "file_copy_overwrite",
  "file_create",
  "file_create_overwrite",
  "file_edit",
  "file_insert_after",
  "file_insert_before",
  "file_mkdir",
  "file_move",
  "file_rmdir",
  "file_write",
]);

/** What `auto_approve_edits` is about. */
export const isEdit = (type: string): boolean => EDITS.has(type);

export function asks(mode: ApprovalMode, type: string, risk: RiskLevel): boolean {
  switch (mode) {
    case "trust_all":
      return false;
    case "confirm_all":
      return true;
    // No edit is asked about that `default` would not ask about as well.
    case "auto_approve_edits":
      return isRisky(risk) || type === "web_fetch" || type === "terminal";
    case "default":
      return isRisky(risk) || type === "web_fetch";
    default:
      return mode satisfies never;
  }
}
