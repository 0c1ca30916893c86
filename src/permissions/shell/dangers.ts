/** Why a command is dangerous, by its program and what is said to it. */
import { UNKNOWN } from "./braces.ts";
import { type CommandLine, programWord } from "./command-line.ts";
import { programName, words } from "./options.ts";
import { dangerOfProgram } from "./program-dangers.ts";
import {
  dangerInAwk,
  dangerInProgram,
  dangerInSed,
  dangerInText,
  PRIVILEGED,
} from "./program-texts.ts";
import { type Base, harmOfReading, harmOfWriting } from "./sensitive-paths.ts";
import { mayBeSensitive } from "./sensitive-patterns.ts";
import { obeysInput, programTexts, readsProgram } from "./shells.ts";
import { dangerOfUnknownOptions } from "./unknown-options.ts";
import { harmOfSetting, settingsAmong } from "./variables.ts";
import { lossesOf, writesOf } from "./write-targets.ts";

const SETTERS = words("env export declare typeset readonly local sudo cross-env setenv set");
/** Look into the text of a word for what it stands for, and so run what is in it. */
const EXPANDING_BUILTINS = words(
  "let declare typeset export readonly local test [ [[ unset read printf mapfile wait",
);

/** `null`: nothing that is known here. */
export function dangerOf(command: CommandLine, base: Base): string | null {
  return (
    dangerOfName(command) ??
    dangerOfSettings(command) ??
    dangerOfRedirections(command, base) ??
    dangerOfPatterns(command, base) ??
    dangerOfArguments(command, base) ??
    dangerOfUnknownOptions(command) ??
    dangerOfTexts(command) ??
    dangerInText(command.source)
  );
}

function dangerOfName(command: CommandLine): string | null {
  const [first] = command.words;
  if (!first) return null;
  const program = programWord(command);
  if (program === "" && first.literal !== "")
    return "runs a program that is only known when it runs";
  if (PRIVILEGED.has(programName(program))) return "runs with another user's rights";
  if (/^(?:\/tmp|\/var\/tmp|\/dev\/shm|\/proc)\//.test(program))
    return "runs a file that anybody may have put there";
  return null;
}

function dangerOfSettings(command: CommandLine): string | null {
  const { program } = command;
  const among = SETTERS.has(program) ? settingsAmong(command.words.slice(1)) : [];
  for (const setting of [...command.sets, ...among]) {
    const harm = harmOfSetting(setting);
    if (harm !== null) return harm;
  }
  return null;
}

function dangerOfRedirections({ redirections }: CommandLine, base: Base): string | null {
  for (const { writes, target } of redirections)
    for (const path of target.visible) {
      const harm = (writes ? harmOfWriting(path, base) : null) ?? harmOfReading(path);
      if (harm !== null) return harm;
    }
  return null;
}

function dangerOfPatterns({ words: line, redirections }: CommandLine, base: Base): string | null {
  for (const { pattern, visible } of [...line, ...redirections.map(({ target }) => target)])
    if (pattern && visible.some((each) => mayBeSensitive(each, base)))
      return "may read keys or passwords";
  return null;
}

function dangerOfArguments(command: CommandLine, base: Base): string | null {
  const { program } = command;
  const given = command.words.slice(1).flatMap(({ visible }) => visible);
  const danger = dangerOfProgram({ program, given, repeated: command.repeated }, base);
  if (danger !== null) return danger;
  for (const path of writesOf(program, given)) {
    const harm = harmOfWriting(path, base);
    if (harm !== null) return harm;
  }
  for (const path of lossesOf(program, given)) {
    const harm = path === "" || path === UNKNOWN ? null : harmOfWriting(path, base);
    if (harm !== null) return harm;
  }
  for (const word of given) {
    const harm = harmOfReading(word);
    if (harm !== null) return harm;
  }
  const evaluated =
    EXPANDING_BUILTINS.has(program) && given.some((word) => /\[[^\]]{0,200}(?:\$\(|`)/.test(word));
  return evaluated ? "runs what stands in an index" : null;
}

/** Programs of other languages among its words, or in what it reads. */
function dangerOfTexts(command: CommandLine): string | null {
  const { program } = command;
  if (command.input.from === "pipe" && readsProgram(command)) return "pipes into an interpreter";
  if (command.input.from !== "nothing" && obeysInput(command)) return "is given commands to run";
  const given = command.words.slice(1).flatMap(({ visible }) => visible);
  for (const text of programTexts(command)) {
    const danger = text === null ? null : dangerInProgram(text, program);
    if (danger !== null) return danger;
  }
  // Of a text that is not known whole, what can be seen of it.
  if (programTexts(command).includes(null)) {
    const danger = dangerInProgram(given.join(" "), program);
    if (danger !== null) return danger;
  }
  if (/^[gmn]?awk$/.test(program)) return firstDanger(given, dangerInAwk);
  if (/^g?sed$/.test(program)) return firstDanger(given, dangerInSed);
  return null;
}

function firstDanger(
  given: readonly string[],
  judge: (word: string) => string | null,
): string | null {
  for (const word of given) {
    const danger = judge(word);
    if (danger !== null) return danger;
  }
  return null;
}
