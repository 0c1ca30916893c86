/**
 * What a remembered approval covers, and what it would be stored as. A key names a tool and what it is used
 * on: no more than the person saw when deciding.
 */
import type { ApprovalScope, StoredApproval, SuggestedScope } from "../domain/permission.ts";
import { isWithin, realPathOf } from "../lib/paths.ts";
import { type CheckedCall, isAtMost, isCommand, isRisky, type Judging, placesOf } from "./call.ts";
import { type Approval, commandKey, coveringKey } from "./command-keys.ts";
import { isGitIgnored } from "./git-ignored.ts";
import { isEdit } from "./modes.ts";
import { pathFrom } from "./places.ts";
import { isPattern, literalPattern, matchesText } from "./text-pattern.ts";

export type { Approval } from "./command-keys.ts";

/** The program that shares the file stores no level: its users are asked about dangerous calls anyway. */
export const sharedApprovals = (keys: readonly string[]): Approval[] =>
  keys.map((key) => ({ key, level: "medium", shared: true }));

export const ownApprovals = (approvals: readonly StoredApproval[]): Approval[] =>
  approvals.map((approval) => ({ ...approval, shared: false }));

type Lasting = { approvals: StoredApproval[]; covers: string };

/** What an answer with this scope stores; null: it counts for this call alone. */
export function lastingApproval(scope: ApprovalScope, judging: Judging): Lasting | null {
  const { call } = judging;
  const { level } = call.assessment;
  if (isRisky(level)) return null;
  if (scope === "trust_tool") {
    const covers = `every use of ${call.tool_name} that is not dangerous`;
    return isCommand(call) ? null : { approvals: [{ key: toolKey(call), level }], covers };
  }
  if (scope !== "session" && scope !== "project") return null;
  if (isCommand(call)) {
    const key = commandKey(judging);
    return key && { approvals: [{ key: key.key, level: key.level }], covers: key.covers };
  }
  if (scope === "project" && call.tool_type === "file_read")
    return { approvals: [{ key: "file_read:*", level }], covers: READS };
  if (!hasTargets(call))
    return { approvals: [{ key: toolKey(call), level }], covers: `every use of ${call.tool_name}` };
  const targets = targetsOf(judging);
  if (targets.length === 0 || targets.length > TARGETS_MAX) return null;
  const approvals = targets.map((target) => ({ key: keyOf(call, target), level }));
  return { approvals, covers: `${call.tool_name} of ${targets.join(", ")}` };
}

const EDITS = "file edits, and what mode default does not ask about; commands still ask";
const READS = "file_read: every file that Git does not ignore";
/** More than anybody reads before saying always. */
const TARGETS_MAX = 50;

/** The scopes that make sense for the call. `once`: whatever is answered, the next one is asked about too. */
export function suggestedScopes(judging: Judging, onlyOnce: boolean): SuggestedScope[] {
  const { call } = judging;
  const scopes: SuggestedScope[] = [{ scope: "once", keys: [], covers: "this call only" }];
  if (onlyOnce || isRisky(call.assessment.level)) return scopes;
  for (const scope of ["session", "project"] as const) add(scope);
  if (isEdit(call.tool_type)) scopes.push({ scope: "always_edits", keys: [], covers: EDITS });
  add("trust_tool");
  return scopes;

  function add(scope: ApprovalScope): void {
    const lasting = lastingApproval(scope, judging);
    if (lasting === null) return;
    const keys = lasting.approvals.map(({ key }) => key);
    const span = scope === "project" ? "in this project" : "in this session";
    scopes.push({ scope, keys, covers: `${lasting.covers}, ${span}` });
  }
}

/** The key that covers the call; null: none does. */
export function approvedBy(approvals: readonly Approval[], judging: Judging): string | null {
  const { call } = judging;
  const { level } = call.assessment;
  if (isRisky(level)) return null;
  if (isCommand(call)) return coveringKey(approvals, judging);
  const fitting = approvals.filter((approval) => isAtMost(level, approval.level));
  const targets = targetsOf(judging);
  const trusted = fitting.find(({ key, shared }) =>
    // In the shared file the same text is a file of that name.
    shared && hasTargets(call) ? false : matchesText(key, `${call.tool_type}:${call.tool_name}`),
  );
  if (trusted !== undefined) return trusted.key;
  const keys = targets.map((target) => fitting.find(({ key }) => covers(key, target, judging)));
  return keys.every((found) => found !== undefined) ? (keys[0]?.key ?? null) : null;
}

const toolKey = ({ tool_type, tool_name }: CheckedCall): string =>
  `${tool_type}:${literalPattern(tool_name)}`;

const keyOf = ({ tool_type }: CheckedCall, target: string): string =>
  `${tool_type}:${literalPattern(target)}`;

/** Whether an approval is about files or a host, not about the tool as a whole. */
const hasTargets = ({ tool_type }: CheckedCall): boolean =>
  tool_type === "web_fetch" || tool_type === "apply_patch" || tool_type.startsWith("file_");

/** Files, from the project on, or a host. */
function targetsOf(judging: Judging): string[] {
  const { call, where } = judging;
  const { tool_type, tool_name, subject } = call;
  // Spelled so that no file and no host can pass for the tool of that name.
  const spelled = (target: string) => (target === tool_name ? `./${target}` : target);
  if (!hasTargets(call)) return [];
  if (tool_type === "web_fetch") return subject.host === null ? [] : [spelled(subject.host)];
  return [...new Set(placesOf(judging).map(({ real }) => spelled(pathFrom(where.project, real))))];
}

/** Exactly, or by a pattern, which is never about what Git ignores: that is where secrets are. */
function covers(key: string, target: string, judging: Judging): boolean {
  const { call, where } = judging;
  const colon = key.indexOf(":");
  if (colon === -1 || !matchesText(key.slice(0, colon), call.tool_type)) return false;
  const pattern = key.slice(colon + 1);
  if (matchesText(pattern, target)) return !isPattern(key) || !reachesIgnored(judging);
  if (call.tool_type === "web_fetch" || isPattern(key)) return false;
  // However it was spelled when it was approved.
  const named = pattern.replace(/\[([*?[])\]/g, "$1");
  const real = realPathOf(named.startsWith("/") ? named : `${where.project}/${named}`);
  return pathFrom(where.project, real) === target;
}

const reachesIgnored = (judging: Judging): boolean =>
  placesOf(judging).some(
    ({ real }) =>
      !isWithin(judging.where.project, real) ||
      isGitIgnored(real, judging.where.project, judging.where.home),
  );
