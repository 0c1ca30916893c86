/**
 * How much harm a call may do. For a command it is read off its text: a guess that saves people questions,
 * and no wall, since a text can hide what it does. In doubt it is high, and somebody is asked.
 */
import type { RiskLevel } from "../domain/permission.ts";

export type Call = { name: string; type: string; input: Record<string, unknown> };
export type Assessment = { level: RiskLevel; reason: string };

/** Nobody reads a longer one before approving it; it is not looked at here either. */
const COMMAND_CHARS_MAX = 64 * 1024;

/** `tool`: null where the engine does not have it. */
export function assessRisk(call: Call, tool: { type: string; risk: RiskLevel } | null): Assessment {
  if (call.type === "terminal") return assessCommand(call.input.command);
  // By its type only: a server may give its tool the name of a harmless one. What is missing never runs.
  if (!tool || call.type === "mcp_tool") return ofType(call.type, "medium");
  const name = call.name.replaceAll("_", "-");
  return { level: tool.risk, reason: `Tool definition risk for '${name}'` };
}

const ofType = (type: string, level: RiskLevel): Assessment => ({
  level,
  reason: `Default risk for tool type '${type}'`,
});

function assessCommand(command: unknown): Assessment {
  if (typeof command !== "string") return { level: "unknown", reason: "The command is not a text" };
  if (command.length > COMMAND_CHARS_MAX)
    return { level: "high", reason: `The command has more than ${COMMAND_CHARS_MAX} characters` };
  const danger = dangerIn(command);
  if (danger === null) return ofType("terminal", "medium");
  return { level: "high", reason: `Command matches high-risk pattern: ${danger}` };
}

/** What is dangerous in it, for people; null: nothing that is known here. Takes linear time. */
function dangerIn(command: string): string | null {
  for (const [danger, pattern] of DANGEROUS_TEXTS) if (pattern.test(command)) return danger;
  if (command.split("\n").some(runsDownload)) return "runs what it downloads";
  let before: Step | null = null;
  let downloads = false;
  for (const step of stepsOf(command)) {
    downloads ||= step.words.some((word) => DOWNLOADERS.has(program(word)));
    const danger = dangerOfWords(step.words) ?? dangerOfInput(step, before, downloads);
    if (danger !== null) return danger;
    before = step;
  }
  return null;
}

/** Texts that are dangerous wherever they stand, in quotes as well. None of them searches twice over a gap. */
const DANGEROUS_TEXTS: [danger: string, pattern: RegExp][] = [
  ["removes below / or ~", /rm\s+(?:-[rf]+\s+)*[/~]/],
  ["removes below /", /--no-preserve-root/],
  ["makes a file system", /mkfs\./],
  ["writes to a device", /of=\/dev|>\s*\/dev\/(?:sd|hd|vd|xvd|nvme|mmcblk|disk|mapper)/],
  ["lets everybody write", /chmod\s+(?:-R\s+)*0?777/],
  ["runs with another user's rights", /sudo\s+rm/],
  ["forks without end", /:\(\)\s*\{/],
];

/** A pattern with a gap in two parts, because as one it would start over at every `curl`. */
function runsDownload(line: string): boolean {
  const at = line.search(/curl|wget/);
  return at !== -1 && /\|\s*(?:ba)?sh/.test(line.slice(at));
}

const DOWNLOADERS = new Set(["curl", "wget", "fetch"]);
const PRIVILEGED = new Set(["sudo", "doas", "pkexec", "su"]);
const ERASERS = new Set(["shred", "wipefs", "mkfs"]);
const SHELLS = new Set(["sh", "bash", "dash", "zsh", "ksh", "ash", "csh", "tcsh", "fish", "pwsh"]);
const EVALUATORS = new Set(["eval", "source", "."]);
const INTERPRETER = /^(?:python|pypy|perl|ruby|node|nodejs|bun|deno|php|lua|osascript)[\d.]*$/;
/** With one of these, or a file, an interpreter reads its program there and not from its input. */
const PROGRAM_FLAG = /^-(?:[A-Za-z]*[cmepr]|-eval|-print)$/;
/** What runs the command that follows it. */
const PREFIXES = new Set(["env", "command", "exec", "nohup", "nice", "time", "xargs", "builtin"]);

/** One program of a command and what joins it to the one before. */
type Step = { joint: string; words: string[] };

const JOINT = /\|\||\|&?|&&?|;|\n|<\(|>\(|\$\(|[()`]/g;

/**
 * The programs of a command. Quotes do not hold them together: what stands in them is run often enough,
 * and where it is not, a question too many is asked.
 */
function* stepsOf(command: string): Generator<Step> {
  const text = command.replaceAll("\\\n", " ");
  let joint = "";
  let start = 0;
  for (const match of text.matchAll(JOINT)) {
    const words = wordsOf(text.slice(start, match.index));
    if (words.length > 0) yield { joint, words };
    // In `| (sh)` it is the pipe that counts.
    if (words.length > 0 || match[0] !== "(") joint = match[0];
    start = match.index + match[0].length;
  }
  yield { joint, words: wordsOf(text.slice(start)) };
}

const wordsOf = (text: string): string[] =>
  text
    .replace(/["'\\{}]/g, "")
    .replace(/[<>]+/g, " $& ")
    .split(/\s+/)
    .filter((word) => word !== "");

/** A program's name without its directory. */
const program = (word: string): string => word.slice(word.lastIndexOf("/") + 1);

function dangerOfWords(words: string[]): string | null {
  const programs = words.map(program);
  /** Whether the program is called and a flag of this kind comes after it. */
  const calls = (name: string, flag: RegExp, verb = name) => {
    const at = programs.indexOf(name);
    const after = at === -1 ? -1 : programs.indexOf(verb, at);
    return after !== -1 && words.slice(after + 1).some((word) => flag.test(word));
  };
  if (calls("rm", /^-[A-Za-z]*[rRf]|^--[rf]/)) return "removes recursively or by force";
  if (calls("find", /^-delete$|^(?:.*\/)?rm$/)) return "removes what it finds";
  if (calls("xargs", /^(?:.*\/)?rm$/)) return "removes what it is given";
  if (programs.some((name) => PRIVILEGED.has(name))) return "runs with another user's rights";
  if (programs.some((name) => ERASERS.has(name))) return "erases data";
  if (calls("git", /^-[A-Za-z]*f|^--force/, "clean")) return "removes untracked files";
  if (calls("git", /^-[A-Za-z]*f|^--force|^--mirror$|^\+/, "push"))
    return "overwrites a remote branch";
  if (calls("chmod", /^(?:a|ugo)\+[rwx]*w|^0?777$/)) return "lets everybody write";
  if (words.some((word) => /(?:^|\/)\.(?:ssh|kollab)(?:\/|$)/.test(word)))
    return "touches keys or settings in .ssh or .kollab";
  return null;
}

/** A program text from somewhere else that is run: through a pipe, or in place of an argument. */
function dangerOfInput(step: Step, before: Step | null, downloads: boolean): string | null {
  const piped = step.joint === "|" || step.joint === "|&";
  if (piped && readsProgram(step.words)) return "pipes into an interpreter";
  const inserted = step.joint === "<(" || step.joint === "$(" || step.joint === "`";
  if (!inserted || !downloads || !before) return null;
  const runs = before.words.map(program).some((name) => SHELLS.has(name) || EVALUATORS.has(name));
  return runs ? "runs what it downloads" : null;
}

/** Whether this program takes its input for a program. */
function readsProgram(words: string[]): boolean {
  const at = words.findIndex((word) => !PREFIXES.has(program(word)) && !/^-|=/.test(word));
  const name = program(words[at] ?? "");
  if (SHELLS.has(name) || EVALUATORS.has(name)) return true;
  if (!INTERPRETER.test(name)) return false;
  const given = words.slice(at + 1);
  return (
    given.includes("-") || !given.some((word) => PROGRAM_FLAG.test(word) || !word.startsWith("-"))
  );
}
