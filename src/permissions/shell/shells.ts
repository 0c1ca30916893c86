/** Shells and interpreters: programs that are given a program. */
import { UNKNOWN } from "./braces.ts";
import type { CommandLine } from "./command-line.ts";
import { firstOperand, words } from "./options.ts";
import type { Word } from "./words.ts";

const SHELLS = words(
  "sh bash dash zsh ksh mksh ash csh tcsh fish pwsh powershell rbash elvish nu xonsh",
);
export const isShell = (program: string): boolean =>
  SHELLS.has(program.replace(/^-/, "")) || /^(?:ba|z|k|mk|da)?sh[-\d.]+$/.test(program);

const INTERPRETER =
  /^(?:python|pypy|perl|ruby|node|nodejs|bun|deno|php|lua|luajit|osascript|tclsh|wish|expect|rscript|r|julia|guile|irb|ipython|groovy|scala|ghci|runghc|elixir|swift|ocaml|sqlite|awk|ts-node|tsx)[\d.]*$/;
export const isInterpreter = (program: string): boolean => INTERPRETER.test(program);

const SHELL_OPTIONS = words("-o +o -O +O --rcfile --init-file");

type Text = { kind: "text"; text: string | null };

/** The shell commands that a shell is given as a text: in a word, or as its input. */
export function shellTexts(command: CommandLine): Text[] {
  const { words: line, input } = command;
  if (!isShell(command.program)) return [];
  const from = firstOperand(line, 1, SHELL_OPTIONS);
  const options = line.slice(1, from).map(({ visible }) => visible[0] ?? "");
  if (options.some((option) => /^(?:-[A-Za-z]*c|--command|-Command)$/i.test(option)))
    return [{ kind: "text", text: line[from]?.literal ?? null }];
  if (line.slice(1, from + 1).some(({ literal }) => literal === null))
    return scriptText(line[from]);
  const readsInput = from >= line.length || options.some((option) => /^-[A-Za-z]*s/.test(option));
  return readsInput && input.from === "text" ? [{ kind: "text", text: input.text }] : [];
}

/** A script or an option: of a word that cannot be seen at all it may be the one as well as the other. */
const scriptText = (word: Word | undefined): Text[] =>
  word?.visible[0] === UNKNOWN && !word.streamed ? [{ kind: "text", text: null }] : [];

/** With one of these an interpreter has its program in a word. */
const PROGRAM_FLAG = /^-(?:[A-Za-z]*[cmeEprn]|-eval|-print|-command)$/;

/** Whether the program of this command is what it reads. */
export function readsProgram(command: CommandLine): boolean {
  const { program } = command;
  const given = command.words.slice(1).map(({ visible }) => visible[0] ?? "");
  const input = given.some((word) =>
    /^(?:-|\/dev\/(?:stdin|fd\/\d+)|\/proc\/self\/fd\/\d+)$/.test(word),
  );
  if (isShell(program)) return !given.some((word) => /^-[A-Za-z]*c$/.test(word)) || input;
  if (program === "eval" || program === "source" || program === ".") return true;
  if (!isInterpreter(program) || /^(?:awk|sqlite)/.test(program)) return false;
  return input || !given.some((word) => PROGRAM_FLAG.test(word) || !word.startsWith("-"));
}

/** Editors and builders that run the commands in what they read. */
export function obeysInput({ program, words: line }: CommandLine): boolean {
  if (program === "ed" || program === "ex") return true;
  const given = line.slice(1).map(({ visible }) => visible[0] ?? "");
  if (!/^g?make$/.test(program)) return false;
  return given.some(
    (word, index) =>
      /^(?:-[a-zA-Z]*f|--(?:make)?file=)(?:-|\/dev\/stdin)$/.test(word) ||
      (/^(?:-[a-zA-Z]*f|--(?:make)?file)$/.test(word) &&
        /^(?:-|\/dev\/stdin)$/.test(given[index + 1] ?? "")),
  );
}

const TEXT_FLAG = /^(?:-[A-Za-z]*[ceEprn]|--eval|--print|--command|eval)(?:=|$)/;

/** The texts of a program that an interpreter is given; `null`: only known when it runs. */
export function programTexts(command: CommandLine): (string | null)[] {
  const { words: line, input } = command;
  const { program } = command;
  if (!isInterpreter(program)) return [];
  const texts = line.flatMap((word, index) =>
    TEXT_FLAG.test(line[index - 1]?.visible[0] ?? "") ? [word.literal] : [],
  );
  const attached = line.flatMap(({ visible, literal }) =>
    /^(?:-[ceEr].|--eval=)/.test(visible[0] ?? "") ? [literal] : [],
  );
  const read = readsProgram(command) && input.from === "text" ? [input.text] : [];
  return [...texts, ...attached, ...read];
}
