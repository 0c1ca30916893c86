/** Whether a rule is about a call, or about one program of a command. */
import { isAbsolute, relative, resolve } from "node:path";
import type { PermissionRule } from "../config/permission-rule.ts";
import {
  type CheckedCall,
  changesOf,
  commandText,
  directoryOf,
  isCommand,
  placesOf,
} from "./call.ts";
import type { CommandPart } from "./command.ts";
import {
  beginsExactly,
  beginsLoosely,
  type Certainty,
  occursIn,
  weaker,
  wordsOfRule,
} from "./command-words.ts";
import { coversPath, matchesText, pathPattern } from "./glob.ts";
import {
  expandHome,
  isWithin,
  type Place,
  placeOf,
  realPathOf,
  type Surroundings,
} from "./places.ts";

/** What is judged on its own: a call, or a program that its command would run. */
export type Unit = {
  call: CheckedCall;
  where: Surroundings;
  /** Null: it is no command, or one that was not understood. */
  part: CommandPart | null;
};

/** Paths and hosts are searched for in so many words of a command. */
const WORDS_MAX = 1_000;

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

const yesOrNo = (found: boolean): Certainty => (found ? "yes" : "no");

function isTool(rule: PermissionRule, pattern: string, { tool_name, mcp }: CheckedCall): boolean {
  // A server may give its tool the name of one that is allowed: those are allowed with their server.
  if (rule.action === "allow" && mcp !== undefined && rule.mcp === undefined) return false;
  const spellings = [tool_name, tool_name.replaceAll("-", "_"), tool_name.replaceAll("_", "-")];
  return spellings.some((name) => matchesText(pattern, name));
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

function isAbout(pattern: string, unit: Unit, lenient: boolean): boolean {
  const { call, where } = unit;
  if (lenient) {
    if (isCommand(call)) return false;
    // The way that it is written may lead elsewhere.
    const places = [...placesOf(unit), ...changesOf(call)];
    return (
      places.length > 0 && places.every(({ real }) => pathMatches(pattern, real, where, false))
    );
  }
  const places = isCommand(call) ? placesInCommand(unit) : [...placesOf(unit), ...changesOf(call)];
  return places.some(({ written, real }) =>
    [written, real].some((path) => pathMatches(pattern, path, where, true)),
  );
}

/** `strict`: in doubt it matches, as some file systems take two spellings for one name. */
function pathMatches(
  pattern: string,
  path: string,
  { workspace, home }: Surroundings,
  strict: boolean,
): boolean {
  const fold = (text: string) => (strict ? text.toLowerCase() : text);
  const expanded = expandHome(pattern, home);
  const isRooted = isAbsolute(expanded);
  const patterns = isRooted ? [expanded, withoutLinks(expanded)] : [expanded];
  if (!isRooted && !isWithin(workspace, path)) return false;
  const names = (isRooted ? path.slice(1) : relative(workspace, path)).split("/");
  return patterns.some((each) => {
    // Whoever may not touch what is in a folder may not move the folder.
    const texts =
      strict && each.endsWith("/**") ? [each, `/${each.slice(0, -3)}`.replace("//", "/")] : [each];
    return texts.some((text) => coversPath(pathPattern(fold(text)), names.map(fold)));
  });
}

/** The folders of a pattern are followed as far as they are named. */
function withoutLinks(pattern: string): string {
  const names = pattern.split("/");
  const wild = names.findIndex((name) => /[*?[\\]/.test(name));
  const named = wild === -1 ? names.length : wild;
  const real = realPathOf(resolve(`/${names.slice(0, named).join("/")}`));
  return [real === "/" ? "" : real, ...names.slice(named)].join("/");
}

function connectsTo(pattern: string, unit: Unit, lenient: boolean): boolean {
  const { call } = unit;
  if (isCommand(call)) return !lenient && wordsIn(unit).flatMap(hostsIn).some(isIt);
  return call.subject.host !== null && isIt(call.subject.host);

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

/** Whatever in a command may be a path: its words and what stands behind an option's `=`. */
function placesInCommand(unit: Unit): Place[] {
  const directory = directoryOf(unit);
  const paths = wordsIn(unit).flatMap((word) => [word, word.slice(word.indexOf("=") + 1)]);
  const places = [...new Set(paths)]
    .filter((path) => path !== "" && !path.startsWith("-") && !path.includes("\0"))
    .map((path) => placeOf(path, directory, unit.where.home));
  return [...places, ...placesOf(unit)];
}

function wordsIn({ call, part }: Unit): string[] {
  if (part === null)
    return commandText(call)
      .replace(/["'\\]/g, "")
      .split(/[\s;&|()<>`]+/, WORDS_MAX);
  const targets = part.redirections.map(({ path }) => path);
  return [...part.words, ...targets].slice(0, WORDS_MAX).filter((word) => word !== null);
}

/** The host of an address in it, with or without a scheme. */
function hostsIn(word: string): string[] {
  return [word, word.slice(word.indexOf("=") + 1)].flatMap((text) => {
    const host = text.includes("://")
      ? URL.parse(text)?.hostname
      : /^(?:[^@/\s]{1,256}@)?(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?:[:/]|$)/i.exec(text)?.[1];
    return host ? [host] : [];
  });
}
