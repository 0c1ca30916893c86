/** The tools that are built in, and which of them a model means. */
import { accessSync, constants } from "node:fs";
import { isAbsolute } from "node:path";
import type { Tool } from "../domain/tool.ts";
import type { ProcessGuard } from "../lib/process-guard.ts";
import type { BackgroundCommands } from "./background-commands.ts";
import { toolEnvironment, withGuardedGit } from "./environment.ts";
import { fileTools } from "./files.ts";
import { noteTools } from "./notes.ts";
import { searchTools } from "./search.ts";
import { subagent } from "./subagent.ts";
import { terminalTools } from "./terminal.ts";
import { webTools } from "./web-fetch.ts";
import { areaOf } from "./workspace.ts";

const SHELL = "/bin/sh";
/** What accounts have as a shell that are not meant to run any. */
const NO_SHELL = /\/(?:nologin|false|true)$/;

export type BuiltInOptions = {
  /** The engine's own environment; commands get it without its secrets. */
  env: Record<string, string | undefined>;
  /** Ends commands that the engine can no longer end itself. */
  guard: ProcessGuard;
  background: BackgroundCommands;
  /** Of this program, for servers that it asks. */
  version: string;
  /** What `~` means, and where the engine's `.kollab` is. */
  home: string;
  /** Directories of the engine that no tool reaches, besides that one. */
  closed?: readonly string[];
};

/** Sorted by canonical name, the order in which models get them. */
export function builtInTools(options: BuiltInOptions): Tool[] {
  const { env, guard, background, home, closed, version } = options;
  const area = areaOf({ home, closed });
  const terminal = { areaOf: area, guard, background, shell: usableShell(env.SHELL) };
  const tools = [
    ...fileTools(area),
    ...noteTools(),
    ...searchTools({ areaOf: area, guard }),
    ...terminalTools({ ...terminal, env: withGuardedGit(toolEnvironment(env)) }),
    ...webTools({ version, env }),
    subagent,
  ];
  return tools.sort((a, b) => (canonicalName(a.name) < canonicalName(b.name) ? -1 : 1));
}

/** Of tools whose two names are not the same with hyphens and with underscores. */
const CANONICAL_NAMES: Record<string, string> = {
  file_mkdir: "directory",
  file_rmdir: "directory-remove",
};

/** The name that agents and people write for the tool that models know under `name`. */
const canonicalName = (name: string): string => CANONICAL_NAMES[name] ?? name.replaceAll("_", "-");

/** The other way round; a native name stays as it is. */
export function nativeName(name: string): string {
  const irregular = Object.entries(CANONICAL_NAMES).find(([, canonical]) => canonical === name);
  return irregular?.[0] ?? name.replaceAll("-", "_");
}

function usableShell(shell: string | undefined): string {
  if (!shell || !isAbsolute(shell) || NO_SHELL.test(shell)) return SHELL;
  try {
    accessSync(shell, constants.X_OK);
    return shell;
  } catch {
    // Named in the environment, but not installed here.
    return SHELL;
  }
}

/** `functions.terminal`, `Terminal` and `file-read` are what models make of names now and then. */
function variantOf(name: string, known: readonly string[]): string | undefined {
  if (known.includes(name)) return name;
  const bare = nativeName(name.slice(name.lastIndexOf(".") + 1).toLowerCase());
  return known.find((each) => each === bare);
}

const TAGGED_NAME = /<tool_call>([^<]+)/;

/**
 * The name that a model meant. Some models wrap it in the tags that they were trained on; then the name
 * in the tag counts, or else a known one inside. The longest, where several are.
 */
export function cleanToolName(name: string, known: Iterable<string>): string {
  if (!/[<>]/.test(name)) return variantOf(name, [...known]) ?? name;
  const tagged = TAGGED_NAME.exec(name)?.[1]?.trim();
  if (tagged) return tagged;
  const inside = [...known].filter((candidate) => name.includes(candidate));
  return inside.sort((a, b) => b.length - a.length)[0] ?? name;
}
