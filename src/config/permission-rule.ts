/** One rule about tool calls: its form, and what can be wrong with it. */
import { isObject, type JsonObject } from "../lib/json-object.ts";
import { parsePathPattern } from "../lib/path-pattern.ts";

const RULE_ACTIONS = ["allow", "ask", "deny"] as const;

/** What every rule may say about a call; all that is given must fit. */
const RULE_MATCHERS = ["tool", "command", "path", "host", "mcp"] as const;
type Matcher = (typeof RULE_MATCHERS)[number];

export type PermissionRule = {
  action: (typeof RULE_ACTIONS)[number];
  /** A glob over the tool's name, with hyphens or underscores. */
  tool?: string;
  /** The first words of a shell command, as `git push`; `git push *` says the same, `*` any command. */
  command?: string;
  /** A glob as in `.gitignore`: relative to the workspace, absolute or from `~/`. */
  path?: string;
  /** A host name, or `*.example.com` for all below it. */
  host?: string;
  /** `server/tool`, each a glob. */
  mcp?: string;
  /** Shown where the rule decides. */
  reason?: string;
};

export type ParsedRule = { ok: true; rule: PermissionRule } | { ok: false; problem: string };

const TEXT_CHARS_MAX = 1_000;

/** `problem` begins with the field, where it is about one. */
export function parseRule(value: unknown): ParsedRule {
  if (!isObject(value)) return { ok: false, problem: "is not an object" };
  const problem = problemOf(value);
  // Every field was looked at, and there is no other.
  return problem === null ? { ok: true, rule: value as PermissionRule } : { ok: false, problem };
}

function problemOf(value: JsonObject): string | null {
  if (!RULE_ACTIONS.some((action) => action === value.action))
    return `action: must be one of ${RULE_ACTIONS.join(", ")}`;
  for (const [field, text] of Object.entries(value)) {
    if (field === "action") continue;
    const isMatcher = RULE_MATCHERS.some((matcher) => matcher === field);
    if (!isMatcher && field !== "reason") return `${field.slice(0, 100)}: there is no such field`;
    if (typeof text !== "string" || text.trim() === "" || text.length > TEXT_CHARS_MAX)
      return `${field}: must be a text of 1 to ${TEXT_CHARS_MAX} characters`;
    const wrong = isMatcher ? PROBLEMS[field as Matcher](text) : null;
    if (wrong !== null) return `${field}: ${wrong}`;
  }
  if (!RULE_MATCHERS.some((matcher) => matcher in value))
    return `says of no call that it is about it: give one of ${RULE_MATCHERS.join(", ")}`;
  if ("mcp" in value && ["command", "path", "host"].some((matcher) => matcher in value))
    return "mcp: tools of servers have no command, path or host that is known";
  return null;
}

/** What is wrong with a matcher, or null. */
const PROBLEMS: Record<Matcher, (text: string) => string | null> = {
  tool: (text) => (/\s/.test(text) ? "a tool's name has no blanks" : null),
  command: (text) =>
    /["'\\$`;&|<>(){}?[\]\n\r#]/.test(text) || /\*(?!\s*$)|\S\*/.test(text)
      ? "must be plain words, the first ones of a command; only the last may be *"
      : null,
  path(text) {
    if (text.includes("\0")) return "has a NUL byte";
    if (text.split("/").includes("..")) return "must not have '..' in it";
    if (parsePathPattern(text) === null)
      return "has a '[' that is not closed: write \\[ for the character";
    return text.startsWith("!") ? "must not begin with '!': use a rule that allows" : null;
  },
  host: (text) =>
    /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$|^\[?[0-9a-f:.]+\]?$|^\*$/i.test(text)
      ? null
      : "must be a host name without port, or *. and a domain",
  mcp: (text) => (/^[^/]+\/.+$/.test(text) ? null : "must be server/tool"),
};
