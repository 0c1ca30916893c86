/** Which calls a mode asks about. */
import type { ApprovalMode, RiskLevel } from "../domain/permission.ts";

/** The types whose changes `auto_approve_edits` is about. */
const EDITS = ["file_edit", "file_write"];

export function asks(mode: ApprovalMode, type: string, risk: RiskLevel): boolean {
  const risky = risk === "high" || risk === "unknown";
  switch (mode) {
    case "trust_all":
      return false;
    case "confirm_all":
      return true;
    case "auto_approve_edits":
      return type === "terminal" || (risky && !EDITS.includes(type));
    case "default":
      return risky;
    default:
      return mode satisfies never;
  }
}
