/**
 * `kollabor.permissions.rules`: what the user's file and the project's file say about tool calls. Whatever
 * is not understood in them makes the engine stricter, never looser.
 */
import { isDeepStrictEqual } from "node:util";
import { EngineError } from "../domain/errors.ts";
import { withValueAt } from "../lib/json-file.ts";
import { isObject, type JsonObject } from "../lib/json-object.ts";
import type { Log } from "../lib/log.ts";
import { changeConfigFile } from "./config-change.ts";
import { type ConfigFile, openConfigFile } from "./config-file.ts";
import { kollabPaths, projectConfigPath } from "./paths.ts";
import { type PermissionRule, parseRule } from "./permission-rule.ts";
import type { TrustedProjects } from "./trusted-projects.ts";

/** What counts now, in the order of the files. */
export type PermissionRules = {
  global: readonly PermissionRule[];
  /** Until the user trusts the file, those that allow something are not in here … */
  project: readonly PermissionRule[];
  /** … but here. */
  untrusted: readonly PermissionRule[];
  projectFile: string;
  trusted: boolean;
  /** SHA-256 of what is in the project's file, in hex; null: there is none to trust. */
  sha256: string | null;
  /** What is not understood, for people. */
  problems: readonly string[];
  /** A problem for which every call is asked about, in every mode; null: none. */
  doubt: string | null;
};

export type PermissionRulesFiles = {
  /** What the files say now. Never throws. */
  read(project: string): PermissionRules;
  /**
   * Writes the user's rules and leaves all else in the file as it is. Throws `invalid_request` that names
   * the rule and the field, before anything is written.
   */
  replaceGlobal(rules: unknown, signal: AbortSignal): Promise<readonly PermissionRule[]>;
};

const PLACE = ["kollabor", "permissions", "rules"];
const RULES_MAX = 500;
/** Projects whose file is kept in memory. */
const FILES_MAX = 64;

export function openPermissionRules(options: {
  home: string;
  log: Log;
  trusted: TrustedProjects;
}): PermissionRulesFiles {
  const { home, log, trusted } = options;
  const globalFile = openConfigFile(kollabPaths(home).config);
  const projectFiles = new Map<string, ConfigFile>();
  let warned: readonly string[] = [];

  function fileOf(project: string): ConfigFile {
    const path = projectConfigPath(project);
    const known = projectFiles.get(path);
    if (known !== undefined) return known;
    if (projectFiles.size >= FILES_MAX) projectFiles.clear();
    const file = openConfigFile(path);
    projectFiles.set(path, file);
    return file;
  }

  function warn(problems: readonly string[]): void {
    // Read before every call of a tool: said when it changes.
    if (problems.length > 0 && !isDeepStrictEqual(problems, warned))
      log.warn("Rules for permissions are not understood", { problems });
    warned = problems;
  }

  return {
    read(project) {
      const projectFile = fileOf(project);
      const global = readRules(globalFile);
      // In the home folder both are one.
      const isOwn = projectFile.path !== globalFile.path;
      const local = isOwn ? readRules(projectFile) : NO_RULES;
      const isTrusted = local.sha256 !== null && trusted.includes(projectFile.path, local.sha256);
      const problems = [...global.problems, ...local.problems];
      warn(problems);
      return {
        global: global.rules,
        project: local.rules.filter(({ action }) => isTrusted || action !== "allow"),
        untrusted: local.rules.filter(({ action }) => !isTrusted && action === "allow"),
        projectFile: projectFile.path,
        trusted: isTrusted,
        sha256: local.sha256,
        problems,
        doubt: global.doubt ?? local.doubt,
      };
    },
    async replaceGlobal(rules, signal) {
      const checked = checkRules(rules);
      const write = (content: JsonObject) => withValueAt(content, PLACE, checked);
      await changeConfigFile(globalFile.path, write, signal);
      return checked;
    },
  };
}

type ReadRules = {
  rules: readonly PermissionRule[];
  problems: readonly string[];
  doubt: string | null;
  /** Null: there is nothing to trust. */
  sha256: string | null;
};

const NO_RULES: ReadRules = { rules: [], problems: [], doubt: null, sha256: null };

function readRules(file: ConfigFile): ReadRules {
  try {
    const { content, sha256 } = file.load();
    return { ...rulesIn(file.path, content), sha256 };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { ...NO_RULES, problems: [problem], doubt: problem };
  }
}

function rulesIn(path: string, content: JsonObject): Omit<ReadRules, "sha256"> {
  let section: unknown = content;
  for (const key of PLACE) {
    if (section === undefined) return NO_RULES;
    if (!isObject(section)) return doubtful(`${path}: what holds '${key}' is not an object`);
    section = section[key];
  }
  if (section === undefined) return NO_RULES;
  const where = `${path}: ${PLACE.join(".")}`;
  if (!Array.isArray(section)) return doubtful(`${where} is not a list`);
  if (section.length > RULES_MAX) return doubtful(`${where} has more than ${RULES_MAX} rules`);

  const rules: PermissionRule[] = [];
  const problems: string[] = [];
  let doubt: string | null = null;
  for (const [index, value] of section.entries()) {
    const parsed = parseRule(value);
    if (parsed.ok) {
      rules.push(parsed.rule);
      continue;
    }
    const problem = `${where}[${index}]: ${parsed.problem}`;
    problems.push(problem);
    // What it would have forbidden nobody knows; what it would have allowed is asked about anyway.
    if (!isObject(value) || value.action !== "allow") doubt ??= problem;
  }
  return { rules, problems, doubt };
}

const doubtful = (problem: string): ReadRules => ({
  ...NO_RULES,
  problems: [problem],
  doubt: problem,
});

function checkRules(rules: unknown): PermissionRule[] {
  if (!Array.isArray(rules)) throw new EngineError("invalid_request", "rules: must be a list");
  if (rules.length > RULES_MAX)
    throw new EngineError("invalid_request", `rules: at most ${RULES_MAX} rules`);
  return rules.map((value, index) => {
    const parsed = parseRule(value);
    if (parsed.ok) return parsed.rule;
    throw new EngineError("invalid_request", `rules[${index}]: ${parsed.problem}`);
  });
}
