/** The files that a command changes, as far as its words say so. */
import { NONE, takesNext, words } from "./options.ts";

const ALL_OPERANDS = words(
  "tee touch rm rmdir unlink truncate chmod chown chgrp mkdir mknod mkfifo sponge setfacl ed patch rename srm trash",
);
const LAST_OPERAND = words("cp mv ln install rsync scp ditto rclone gcp gmv link");
const LOSERS = words("mv rsync rmdir unlink truncate srm");
const VALUES: Record<string, ReadonlySet<string>> = {
  cp: words("-t --target-directory -S --suffix"),
  mv: words("-t --target-directory -S --suffix"),
  ln: words("-t --target-directory -S --suffix"),
  install: words("-t --target-directory -m --mode -o --owner -g --group -S"),
  rsync: words("-e --rsh --exclude --include --filter -f"),
  truncate: words("-s --size -r --reference"),
  touch: words("-d --date -t -r --reference"),
  mkdir: words("-m --mode"),
};
/** Options of any program that name a file to write. */
const OUTPUT_OPTIONS: Record<string, RegExp> = {
  curl: /^(?:-[a-zA-Z]*o|--output|--output-dir|-D|--dump-header|-c|--cookie-jar|--trace|--trace-ascii)$/,
  wget: /^(?:-[a-zA-Z]*[OP]|--output-document|--directory-prefix|-o|--output-file)$/,
  tar: /^(?:-[a-zA-Z]*C|--directory)$/,
  unzip: /^-d$/,
  sort: /^(?:-o|--output)$/,
  gcc: /^-o$/,
  openssl: /^-out$/,
  git: /^--(?:output|separate-git-dir)$/,
  cp: /^(?:-t|--target-directory)$/,
  mv: /^(?:-t|--target-directory)$/,
  ln: /^(?:-t|--target-directory)$/,
  install: /^(?:-t|--target-directory|-D)$/,
};

export function writesOf(program: string, given: readonly string[]): string[] {
  const targets = outputsOf(program, given);
  const operands = operandsOf(program, given);
  if (program === "dd")
    return given.flatMap((word) => (word.startsWith("of=") ? [word.slice(3)] : []));
  if (/^(?:g?sed|perl|ruby)$/.test(program))
    return given.some((word) => /^(?:-[a-zA-Z]*i|--in-place)/.test(word)) ? operands : [];
  if (ALL_OPERANDS.has(program)) return [...targets, ...operands];
  const last = operands.at(-1);
  if (LAST_OPERAND.has(program) && last !== undefined && operands.length > 1)
    return [...targets, last];
  // `ln -s target` makes a link of the same name here.
  return targets;
}

/** What is gone afterwards. */
export const lossesOf = (program: string, given: readonly string[]): string[] =>
  LOSERS.has(program) && program !== "rsync" ? operandsOf(program, given) : [];

export function operandsOf(program: string, given: readonly string[]): string[] {
  const taking = (Object.hasOwn(VALUES, program) ? VALUES[program] : undefined) ?? NONE;
  const operands: string[] = [];
  let onlyOperands = false;
  for (let index = 0; index < given.length; index++) {
    const word = given[index] ?? "";
    if (!onlyOperands && word === "--") onlyOperands = true;
    else if (onlyOperands || !/^-./.test(word)) operands.push(word);
    else if (takesNext(word, taking)) index += 1;
  }
  return operands;
}

export function outputsOf(program: string, given: readonly string[]): string[] {
  const option = Object.hasOwn(OUTPUT_OPTIONS, program) ? OUTPUT_OPTIONS[program] : undefined;
  if (!option) return [];
  return given.flatMap((word, index) => {
    const [name = "", ...value] = word.split("=");
    if (option.test(word)) return [given[index + 1] ?? ""];
    if (word.startsWith("--") && option.test(name)) return [value.join("=")];
    return /^-[oOPC]./.test(word) && option.test(word.slice(0, 2)) ? [word.slice(2)] : [];
  });
}
