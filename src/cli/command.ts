/** What a command of the executable is, and what all of them share. */
import { homedir } from "node:os";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { toEngineError } from "../domain/errors.ts";
import { printable } from "./output.ts";

export type Environment = Record<string, string | undefined>;

export type Command = {
  /** How to use it, for people. */
  help: string;
  /** `env` is what an engine and its tools get. Resolves with the exit code. */
  run(args: string[], env: Environment): Promise<number>;
};

/** The home folder as the shell has it: `$HOME` is the only way to move `~/.kollab`. */
export const homeFolder = (): string => process.env.HOME || homedir();

/** The command line as options; prints what is wrong with it and returns null. */
export function readOptions<T extends ParseArgsOptionsConfig>(
  args: string[],
  options: T,
  positionals: { allowed: boolean } = { allowed: false },
) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: positionals.allowed });
  } catch (error) {
    return fail(error);
  }
}

/** One line on stderr, for a person. */
export function fail(error: unknown): null {
  const [line = ""] = toEngineError(error).message.split("\n", 1);
  console.error(`kollab-engine: ${printable(line)}`);
  return null;
}

/** A whole number within bounds, or null after saying what is wrong. */
export function readNumber<Fallback extends number | undefined>(
  name: string,
  text: string | undefined,
  { fallback, min, max }: { fallback: Fallback; min: number; max: number },
): number | Fallback | null {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  return fail(new Error(`--${name} is a whole number from ${min} to ${max}, not '${text}'`));
}

export const EXIT_MISUSED = 2;

/** Says what is wrong with the command line; returns the exit code for that. */
export function misused(problem: string): number {
  fail(new Error(problem));
  return EXIT_MISUSED;
}
