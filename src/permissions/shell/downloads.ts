/** Files that a command fetches or unpacks from a text, and runs afterwards. */
import { type CommandLine, programWord } from "./command-line.ts";
import { words } from "./options.ts";
import { absolute, type Base } from "./sensitive-paths.ts";
import { isInterpreter, isShell } from "./shells.ts";
import { operandsOf, outputsOf } from "./write-targets.ts";

export type Downloads = {
  /** To be asked of every command in order; `null`: it runs nothing that was fetched before. */
  dangerOf(command: CommandLine, base: Base): string | null;
};

const FETCHERS = words("curl wget fetch aria2c http https xh base64 xxd openssl uudecode");
const FILES_MAX = 200;

export function openDownloads(): Downloads {
  const files = new Set<string>();
  let fetches = false;
  return {
    dangerOf(command, base) {
      const { program } = command;
      const given = command.words.slice(1).flatMap(({ visible }) => visible);
      const script = scriptOf(program, programWord(command), given);
      if (script !== null && files.has(absolute(script, base))) return "runs what it downloads";
      const isFetcher = FETCHERS.has(program);
      fetches ||= isFetcher;
      const writes = command.redirections.flatMap(({ writes, target }) =>
        writes ? target.visible : [],
      );
      const saved = isFetcher ? [...outputsOf(program, given), ...named(program, given)] : [];
      // A pipe may carry it on into a file.
      if (program === "tee" || program === "cp" || program === "mv")
        saved.push(...operandsOf(program, given));
      if (!isFetcher && !fetches) return null;
      for (const path of [...writes, ...saved])
        if (files.size < FILES_MAX) files.add(absolute(path, base));
      return null;
    },
  };
}

/** The file that is run. */
function scriptOf(program: string, word: string, given: readonly string[]): string | null {
  const runsFile =
    isShell(program) || isInterpreter(program) || program === "source" || program === ".";
  if (runsFile) return given.find((each) => !each.startsWith("-")) ?? null;
  return word.includes("/") ? word : null;
}

/** Saved under the name that it has in its address. */
function named(program: string, given: readonly string[]): string[] {
  const keepsName =
    program === "wget" || given.some((word) => /^-[a-zA-Z]*O|^--remote-name/.test(word));
  if (!keepsName) return [];
  return given.flatMap((word) => {
    const name = /^[a-z]+:\/\/[^?#]*\/([^/?#]+)/.exec(word)?.[1];
    return name === undefined ? [] : [name];
  });
}
