/** Whether a rule is about a call, or about one program of a command. */
import type { PermissionRule } from "../config/permission-rule.ts";
import { type CheckedCall, commandText, isCommand } from "./call.ts";
import {
  beginsExactly,
  beginsLoosely,
  type Certainty,
  occursIn,
  weaker,
  wordsOfRule,
} from "./command-words.ts";
import { matchesText } from "./text-pattern.ts";
import { ALWAYS_SEEN, type Unit } from "./units.ts";

export function matchRule(rule: PermissionRule, unit: Unit): Certainty {
  const lenient = rule.action === "allow";
  let certainty: Certainty = "yes";
  const also = (found: Certainty | boolean) => {
    const next = typeof found === "boolean" ? yesOrNo(found) : found;
    certainty = weaker(certainty, next);
  };
  if (rule.tool !== undefined) also(isTool(rule, rule.tool, unit.call));
  if (rule.mcp !== undefined) also(isServerTool(rule.mcp, unit.call));
  if (rule.command !== undefined) also(isCommandOf(rule.command, unit, lenient));
  if (rule.path !== undefined) also(isAbout(rule.path, unit, lenient));
  if (rule.host !== undefined) also(connectsTo(rule.host, unit, lenient));
  return certainty;
}

/** Of a tool's name, spelled with hyphens or underscores. */
export const matchesTool = (pattern: string, name: string): boolean =>
  [name, name.replaceAll("-", "_"), name.replaceAll("_", "-")].some((spelled) =>
    matchesText(pattern, spelled),
  );

const yesOrNo = (found: boolean): Certainty => (found ? "yes" : "no");

function isTool(rule: PermissionRule, pattern: string, { tool_name, mcp }: CheckedCall): boolean {
  // A server may give its tool the name of one that is allowed: those are allowed with their server.
  if (rule.action === "allow" && mcp !== undefined && rule.mcp === undefined) return false;
  return matchesTool(pattern, tool_name);
}

function isServerTool(pattern: string, { mcp }: CheckedCall): boolean {
  if (mcp === undefined) return false;
  const slash = pattern.indexOf("/");
  return (
    matchesText(pattern.slice(0, slash), mcp.server) &&
    matchesText(pattern.slice(slash + 1), mcp.tool)
  );
}

function isCommandOf(command: string, { call, part }: Unit, lenient: boolean): Certainty {
  if (!isCommand(call)) return "no";
  const wanted = wordsOfRule(command);
  if (lenient) return yesOrNo(part !== null && beginsExactly(part.words, wanted));
  return part ? beginsLoosely(part.words, wanted) : yesOrNo(occursIn(commandText(call), wanted));
}

function isAbout(pattern: string, unit: Unit, lenient: boolean): Certainty {
  if (lenient && isCommand(unit.call)) return "no";
  const rule = unit.pathRule(pattern, !lenient);
  const { items, whole } = unit.places();
  // The way that it is written may lead elsewhere.
  if (lenient) return yesOrNo(items.length > 0 && items.every(({ real }) => rule.covers(real)));
  for (const [at, { written, real }] of items.entries()) {
    if (at >= ALWAYS_SEEN && unit.isLate()) return "maybe";
    if (rule.covers(written) || rule.covers(real)) return "yes";
  }
  return whole ? "no" : "maybe";
}

function connectsTo(pattern: string, unit: Unit, lenient: boolean): Certainty {
  const { call } = unit;
  if (!isCommand(call)) return yesOrNo(call.subject.host !== null && isIt(call.subject.host));
  if (lenient) return "no";
  const { items, whole } = unit.words();
  if (items.flatMap(hostsIn).some(isIt)) return "yes";
  return whole ? "no" : "maybe";

  function isIt(host: string): boolean {
    const [wanted, found] = [plainHost(pattern), plainHost(host)];
    if (wanted === "*" || wanted === found) return true;
    return wanted.startsWith("*.") && found.endsWith(wanted.slice(1));
  }
}

const plainHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");

/** The host of an address in it, with or without a scheme. */
function hostsIn(word: string): string[] {
  return [word, word.slice(word.indexOf("=") + 1)].flatMap((text) => {
    const host = text.includes("://")
      ? URL.parse(text)?.hostname
      : /^(?:[^@/\s]{1,256}@)?(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?:[:/]|$)/i.exec(text)?.[1];
    return host ? [host] : [];
  });
}
