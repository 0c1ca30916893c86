/** Whether a command begins with the words of a rule, however it is spelled. */

/** As a part of a command has them; null: only the shell knows it. */
export type Words = readonly (string | null)[];

/** `maybe`: it may, when it runs. */
export type Certainty = "yes" | "maybe" | "no";

export const wordsOfRule = (command: string): string[] =>
  command.split(/\s+/).filter((word) => word !== "" && word !== "*");

/** Word for word, for rules that allow. */
export const beginsExactly = (words: Words, wanted: readonly string[]): boolean =>
  words.length > 0 && words[0] !== null && wanted.every((word, index) => words[index] === word);

/**
 * For rules that forbid: the program may be called by its path, options with or without a value may stand
 * between the words, and the options of the rule anywhere after them.
 */
export function beginsLoosely(words: Words, wanted: readonly string[]): Certainty {
  const [program, ...rest] = wanted;
  if (program === undefined) return "yes";
  const first = words[0];
  if (first === undefined) return "no";
  // It may expand to several words.
  if (first === null || isUnknown(first)) return "maybe";
  if (programName(first) !== programName(program)) return runsUnknownText(words) ? "maybe" : "no";

  let reached: Reached = new Map([[1, "yes"]]);
  let hasOptions: Certainty = "yes";
  for (const word of rest) {
    if (word.startsWith("-")) {
      hasOptions = weaker(hasOptions, hasOption(words, word));
      continue;
    }
    const next: Reached = new Map();
    for (const [at, certainty] of withoutOptions(words, reached)) {
      if (words[at] === word) reach(next, at + 1, certainty);
      if (!isUnknown(words[at])) continue;
      // It may be this word, and the next ones too.
      reach(next, at, "maybe");
      reach(next, at + 1, "maybe");
    }
    reached = next;
  }
  if (reached.size === 0) return "no";
  return weaker(hasOptions, [...reached.values()].includes("yes") ? "yes" : "maybe");
}

/** For rules that forbid, about a text that is not understood: all the words are in it, in their order. */
export function occursIn(text: string, wanted: readonly string[]): boolean {
  const words = text.replace(/["'\\]/g, "").split(/[\s;&|()<>`{}$,]+/);
  let at = 0;
  for (const word of words) {
    const expected = wanted[at];
    if (expected === undefined) break;
    if (word === expected || (at === 0 && programName(word) === programName(expected))) at += 1;
  }
  return at === wanted.length;
}

/** Without its folder, in lower case: some file systems take `GIT` for `git`. */
export const programName = (word: string): string =>
  word.slice(word.lastIndexOf("/") + 1).toLowerCase();

/** A pattern or a list in braces can become any word, where files are named for it. */
export const isUnknown = (word: string | null | undefined): boolean =>
  word === null || (word !== undefined && /[*?[{]/.test(word));

const EVALUATORS = new Set(["eval", "source", "."]);
const SHELLS = new Set(["ash", "bash", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"]);

/** Commands in a text that is only known when it runs: from a variable, or through a pipe. */
function runsUnknownText([first, ...rest]: Words): boolean {
  const name = programName(first ?? "");
  if (EVALUATORS.has(name)) return rest.includes(null);
  if (!SHELLS.has(name)) return false;
  const hasText = rest.some((word) => word !== null && /^-[A-Za-z]*c/.test(word));
  return hasText ? rest.includes(null) : rest.every((word) => word?.startsWith("-"));
}

/** Up to which word the rule's words were found. */
type Reached = Map<number, "yes" | "maybe">;

function reach(reached: Reached, at: number, certainty: "yes" | "maybe"): void {
  if (certainty === "yes" || !reached.has(at)) reached.set(at, certainty);
}

export function weaker(one: Certainty, other: Certainty): Certainty {
  if (one === "no" || other === "no") return "no";
  return one === "maybe" ? one : other;
}

/** These places, and those that options and their values lead to from there. */
function* withoutOptions(words: Words, starts: Reached): Generator<[number, "yes" | "maybe"]> {
  const reached: Reached = new Map(starts);
  for (let at = Math.min(...starts.keys()); at < words.length; at++) {
    const certainty = reached.get(at);
    const word = words[at];
    if (certainty === undefined || word === undefined) continue;
    yield [at, certainty];
    if (word === null || isUnknown(word)) {
      // It may be an option, or nothing.
      reach(reached, at + 1, "maybe");
      reach(reached, at + 2, "maybe");
    } else if (word.startsWith("-")) {
      reach(reached, at + 1, certainty);
      // Whether an option has a value, its program alone knows.
      if (!word.includes("=")) reach(reached, at + 2, certainty);
    }
  }
}

function hasOption(words: Words, option: string): Certainty {
  const letter = /^-[A-Za-z]$/.test(option) ? option.slice(1) : null;
  const isIt = (word: string | null) =>
    word === option ||
    word?.startsWith(`${option}=`) ||
    (letter !== null && word !== null && /^-[A-Za-z]+$/.test(word) && word.includes(letter));
  if (words.some(isIt)) return "yes";
  return words.some(isUnknown) ? "maybe" : "no";
}
