/** Options that are only known when it runs, of programs that do harm with some: `rm $options src`. */
import { UNKNOWN } from "./braces.ts";
import type { CommandLine } from "./command-line.ts";
import { firstOperand, words } from "./options.ts";
import type { Word } from "./words.ts";

/** `null`: it has none. */
export function dangerOfUnknownOptions({ program, words: line }: CommandLine): string | null {
  const end = line.findIndex(({ literal }) => literal === "--");
  const given = line.slice(1, end === -1 ? line.length : end);
  return mayHaveOptions(program, given)
    ? `gives ${program} options that are only known when it runs`
    : null;
}

function mayHaveOptions(program: string, given: readonly Word[]): boolean {
  switch (program) {
    case "rm":
    case "grm":
      // A single one in quotes is a file, or an option without any.
      return given.some(
        (word) => isUnknown(word) && (word.splits || isOption(word) || operands(given) > 1),
      );
    case "chmod":
      return given.slice(0, 1).some(isUnknown);
    case "find":
      // Places come first, and after an option its value.
      return given.some(
        (word, index) =>
          index > 0 &&
          isUnknown(word) &&
          (word.splits || isOption(word) || !isOption(given[index - 1])),
      );
    case "git":
      return mayHaveGitOptions(given);
    default:
      return false;
  }
}

function mayHaveGitOptions(given: readonly Word[]): boolean {
  const at = firstOperand(given, 0, words("-C -c --git-dir --work-tree"));
  const verb = given[at];
  if (verb && isUnknown(verb)) return true;
  const isClean = verb?.literal === "clean";
  if (!isClean && verb?.literal !== "push") return false;
  const rest = given.slice(at + 1);
  return rest.some(
    (word, index) =>
      isUnknown(word) &&
      (isClean || word.splits || isOption(word) || operands(rest.slice(0, index)) === 0),
  );
}

/** What it begins with cannot be seen, or which option it is; none has a `/` in its name. */
const isUnknown = ({ visible, streamed, splits }: Word): boolean =>
  !streamed && visible.some((each) => (splits || !each.includes("/")) && OPEN.test(each));

const OPEN = new RegExp(`^(?:-[A-Za-z-]{0,40})?${UNKNOWN}`);

const isOption = (word: Word | undefined): boolean => word?.visible[0]?.startsWith("-") === true;

const operands = (given: readonly Word[]): number => given.filter((word) => !isOption(word)).length;
