/** Options and operands of a command line. */
import { literalWord, unknownWord, type Word } from "./words.ts";

export const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));

/** A program's name as it is looked up: without directory, in lower case, as some file systems do. */
export const programName = (word: string): string =>
  word
    .slice(word.lastIndexOf("/") + 1)
    .toLowerCase()
    .replace(/\.exe$/, "");

/** Where the first word stands that is no option. `taking`: the options that take the next word, or two. */
export function firstOperand(
  line: readonly Word[],
  from: number,
  taking: ReadonlySet<string> = NONE,
  takingTwo: ReadonlySet<string> = NONE,
): number {
  let at = from;
  while (at < line.length) {
    const option = line[at]?.literal ?? "";
    if (option === "--") return at + 1;
    if (!/^[-+]./.test(option)) return at;
    at += takesNext(option, taking) ? 2 : 1;
    if (takingTwo.has(option)) at += 2;
  }
  return line.length;
}

export const NONE: ReadonlySet<string> = new Set();

/** In `-ab` the one that takes a value is the last, or has it in the same word. */
export function takesNext(option: string, taking: ReadonlySet<string>): boolean {
  if (taking.has(option)) return true;
  if (option.startsWith("--")) return false;
  const sign = option[0] ?? "";
  const at = [...option.slice(1)].findIndex((letter) => taking.has(sign + letter));
  return at !== -1 && at === option.length - 2;
}

/** The value of the first option of these names: in the next word, or in the same one after `=`. */
export function optionValue(line: readonly Word[], names: ReadonlySet<string>): Word | null {
  for (const [index, { visible, literal }] of line.entries()) {
    const option = visible[0] ?? "";
    if (names.has(option)) return line[index + 1] ?? null;
    const name = option.split("=", 1)[0] ?? "";
    if (!names.has(name)) continue;
    const value = option.slice(name.length + 1);
    return literal === null ? unknownWord(value) : literalWord(value);
  }
  return null;
}
