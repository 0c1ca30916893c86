/**
 * What a remembered approval covers. A key names a tool and, where it can, what it is used on. Each kind of
 * key begins with a word of its own, so that no path or command can look like another kind.
 */
import { posix } from "node:path";
import type { RiskLevel } from "../domain/permission.ts";

type Call = {
  tool_name: string;
  tool_type: string;
  input: Record<string, unknown>;
  risk_level: RiskLevel;
};

/** The key that an approval of this call is remembered under. */
export function approvalKey(call: Call): string {
  const { tool_type, input } = call;
  if (tool_type === "terminal") return commandKey(String(input.command ?? ""), input.cwd);
  if (tool_type.startsWith("file_") && typeof input.file === "string")
    return `file:${tool_type}:${samePath(input.file)}`;
  return toolKey(call);
}

/** What remembering an approval of this call covers, for people. */
export function coverageOf({ tool_name, tool_type, input }: Call): string {
  if (tool_type === "terminal") {
    const command = String(input.command ?? "");
    const [kind, program] = commandKey(command, input.cwd).split(":", 2);
    return kind === "program" ? `${program} …` : command;
  }
  if (tool_type.startsWith("file_") && typeof input.file === "string") return samePath(input.file);
  return tool_name;
}

/**
 * Whether the key covers the call. A terminal key covers simple commands only: an approved `ls` is no
 * approval of `ls && rm -rf /`.
 */
export function approves(key: string, call: Call): boolean {
  if (call.risk_level === "high" || call.risk_level === "unknown") return false;
  if (call.tool_type === "terminal" && !isSimple(String(call.input.command ?? ""))) return false;
  if (key === approvalKey(call)) return true;
  return call.tool_type !== "terminal" && key === toolKey(call);
}

/** The key that covers every use of a tool. */
export const toolKey = ({ tool_type, tool_name }: Call): string => `tool:${tool_type}:${tool_name}`;

/**
 * Programs whose arguments say what else is run: an approval of one use says nothing about the next. Those
 * that are missing here are approved with any arguments, as `ls` is.
 */
const OPEN_ENDED = new Set(
  [
    // Run the command that follows them, or the text.
    "builtin chroot command doas entr env eval exec flock ionice nice nohup noglob not and or if while",
    "parallel pkexec script setsid source ssh stdbuf strace su sudo time timeout watch xargs busybox",
    // Shells and interpreters.
    "ash bash csh dash fish ksh nu pwsh sh tcsh zsh",
    "bun deno lua node nodejs osascript perl php pypy python r rscript ruby tclsh",
    // Have programs in their arguments.
    "awk gawk mawk nawk sed gsed find fd git tar rsync ed ex vi vim nvim emacs",
    // Run what a file says, or what they fetch.
    "make gmake cmake ninja just cargo go npm npx pnpm pnpx yarn bunx uv uvx pip pipx poetry",
    "docker podman kubectl",
  ].flatMap((names) => names.split(" ")),
);

/** The program where it stands there plainly and its arguments are harmless; else the whole command. */
function commandKey(command: string, cwd: unknown): string {
  const directory = typeof cwd === "string" ? samePath(cwd) : ".";
  // The shell's own blanks: any other one is a part of a word.
  const [word = ""] = command.replace(/^[ \t]+/, "").split(/[ \t]/, 1);
  // No assignment, quote, variable or pattern, whose program only the shell knows.
  const isPlain = /^[\w/][\w./+-]*$|^\.{1,2}\/[\w./+-]+$/.test(word);
  if (!isPlain || !isSimple(command) || OPEN_ENDED.has(programName(word)))
    return `command:${directory}:${command}`;
  // A relative path is another program in another directory.
  return word.includes("/") ? `program:${posix.resolve("/", directory, word)}` : `program:${word}`;
}

/** Without directory and version, in lower case: some file systems take `BASH` for `bash`. */
const programName = (word: string): string =>
  word
    .slice(word.lastIndexOf("/") + 1)
    .replace(/[-.\d]+$/, "")
    .toLowerCase();

/** By its text alone: links, `~` and the workspace's own path are not known here, and ask once more. */
const samePath = (path: string): string => posix.normalize(path);

/** No chaining, no substitution, no redirection; neither what fish and zsh run in `(…)` and `{…}`. */
const isSimple = (command: string): boolean => !/[;&|`<>(){\n\r]/.test(command);
