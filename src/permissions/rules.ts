/**
 * What the user's and the project's rules say about a call. One that denies wins wherever it stands, over
 * every mode; of the others the first that matches counts, the project's before the user's.
 */
import type { PermissionRule } from "../config/permission-rule.ts";
import type { PermissionRules } from "../config/permission-rules.ts";
import type { ApprovalMode } from "../domain/permission.ts";
import { isWithin } from "../lib/paths.ts";
import { type CheckedCall, isCommand, isRisky } from "./call.ts";
import type { CommandPart } from "./command.ts";
import { type CommandScope, isContained, isPlainMove, scopeOf } from "./command-scope.ts";
import { type Words, wordsOfRule } from "./command-words.ts";
import { saysMore } from "./first-words.ts";
import type { Surroundings } from "./places.ts";
import { matchesTool, matchRule } from "./rule-match.ts";
import { type Unit, unitsOf } from "./units.ts";

export type RuleDecision =
  | { action: "deny"; reason: string }
  /** `always`: in every mode, since what might be denied is not known well enough. */
  | { action: "ask"; reason: string; always: boolean }
  | { action: "allow"; reason: string };

/** `approved`: whether an approval covers this program of the command. Null: no rule is about the call. */
export function judgeByRules(
  rules: PermissionRules,
  call: CheckedCall,
  where: Surroundings,
  approved: (part: CommandPart) => boolean = () => false,
): RuleDecision | null {
  const all = [...rules.project, ...rules.global];
  const units = unitsOf(call, where);
  const denied = judgeDenials(all, units);
  if (denied?.action === "deny") return denied;
  if (rules.doubt !== null)
    return { action: "ask", reason: `Rules are not understood: ${rules.doubt}`, always: true };
  if (denied !== null) return denied;

  const others = all.filter(({ action }) => action !== "deny");
  if (others.length === 0) return null;
  if (isCommand(call)) return judgeCommand(others, units, approved);
  const [whole] = units;
  return whole === undefined ? null : judgeUnit(others, whole, () => true);
}

/** Whether a rule may deny the call at all, before anything is read for it; the reason, or null. */
export function denialByRules(
  rules: PermissionRules,
  call: CheckedCall,
  where: Surroundings,
): string | null {
  const denied = judgeDenials([...rules.project, ...rules.global], unitsOf(call, where));
  return denied?.action === "deny" ? denied.reason : null;
}

/**
 * The paths of rules that deny, or ask about, what this tool would come across unasked while it looks
 * through a folder.
 */
export function closedPaths(rules: PermissionRules, tool: string, mode: ApprovalMode): string[] {
  const closing = [...rules.project, ...rules.global].filter(
    ({ action, tool: pattern, command, host, mcp }) =>
      (action === "deny" || (action === "ask" && mode !== "trust_all")) &&
      (pattern === undefined || matchesTool(pattern, tool)) &&
      // About other tools than those that look through folders.
      [command, host, mcp].every((matcher) => matcher === undefined),
  );
  return [...new Set(closing.flatMap(({ path }) => path ?? []))];
}

function judgeDenials(
  rules: readonly PermissionRule[],
  units: readonly Unit[],
): Exclude<RuleDecision, { action: "allow" }> | null {
  let doubt: PermissionRule | null = null;
  for (const rule of rules) {
    if (rule.action !== "deny") continue;
    for (const unit of units) {
      const certainty = matchRule(rule, unit);
      if (certainty === "yes")
        return { action: "deny", reason: `Denied by a rule: ${shown(rule)}` };
      if (certainty === "maybe") doubt ??= rule;
    }
  }
  if (doubt === null) return null;
  return { action: "ask", reason: `A rule may deny it: ${shown(doubt)}`, always: true };
}

type Milder = Exclude<RuleDecision, { action: "deny" }>;

function judgeUnit(
  rules: readonly PermissionRule[],
  unit: Unit,
  mayAllow: (rule: PermissionRule) => boolean,
): Milder | null {
  for (const rule of rules) {
    const certainty = matchRule(rule, unit);
    if (rule.action === "ask" && certainty !== "no")
      return { action: "ask", reason: `Asked because of a rule: ${shown(rule)}`, always: false };
    if (rule.action === "allow" && certainty === "yes" && mayAllow(rule))
      return { action: "allow", reason: `Allowed by a rule: ${shown(rule)}` };
  }
  return null;
}

/** Asked about if one of its programs is; allowed only if each is, or was approved. */
function judgeCommand(
  rules: readonly PermissionRule[],
  units: readonly Unit[],
  approved: (part: CommandPart) => boolean,
): Milder | null {
  const parts = units.flatMap(({ part }) => part ?? []);
  const [first] = units;
  if (first === undefined) return null;
  const scope = scopeOf(first, parts);
  let allowed: Milder | null = null;
  let spelled: Spelled | null = null;
  let isOpen = isWorseThanItsParts(first.call, parts);
  for (const unit of units) {
    const { part } = unit;
    const judged = judgeUnit(rules, unit, (rule) => {
      if (part === null || !mayAllow(rule, part, scope)) return false;
      spelled = { words: part.words, count: wordsOfRule(rule.command ?? "").length };
      return true;
    });
    if (judged?.action === "ask") return judged;
    if (judged !== null) allowed ??= judged;
    else if (part === null) isOpen = true;
    else isOpen ||= !(isPlainMove(part, scope) || approved(part) || isSpelledOut(part, spelled));
  }
  return isOpen ? null : allowed;
}

/** The words of a program that a rule allows, and how many of them the rule has. */
type Spelled = { words: Words; count: number };

/** The program that the allowed one runs, where the rule says so: `uv run pytest`, not `uv run`. */
function isSpelledOut(part: CommandPart, spelled: Spelled | null): boolean {
  if (spelled === null || part.direct || part.sets.length > 0) return false;
  const start = spelled.words.length - part.words.length;
  const own = spelled.count - start;
  if (start < 1 || own < 1 || saysMore(part.words, own)) return false;
  if (isRisky(part.level) && own !== part.words.length) return false;
  return part.words.every((word, index) => word === spelled.words[start + index]);
}

/** What is dangerous about the whole, no rule about its parts has meant. */
const isWorseThanItsParts = ({ assessment }: CheckedCall, parts: readonly CommandPart[]): boolean =>
  isRisky(assessment.level) && !parts.some(({ level }) => isRisky(level));

function mayAllow(rule: PermissionRule, part: CommandPart, scope: CommandScope): boolean {
  if (!isContained(part, scope) || !isWithin(scope.workspace, scope.directory)) return false;
  const program = part.words[0] ?? "";
  // The rule means the program of the workspace.
  const isElsewhere = scope.directory !== scope.workspace || scope.moves;
  if (program.includes("/") && !program.startsWith("/") && isElsewhere) return false;
  const spelled = wordsOfRule(rule.command ?? "").length;
  // `npm run test` is no permission for another shell to run it with.
  if (spelled > 0 && saysMore(part.words, spelled)) return false;
  if (!isRisky(part.level)) return true;
  // `rm` is no permission to remove whatever follows it: what is dangerous is spelled out to its last word.
  const isWhole = spelled === part.words.length;
  return rule.command !== undefined && isWhole && !scope.moves;
}

function shown({ action: _, reason, ...matchers }: PermissionRule): string {
  if (reason !== undefined) return reason;
  return Object.entries(matchers)
    .map(([matcher, text]) => `${matcher} ${text}`)
    .join(", ");
}
