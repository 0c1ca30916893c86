/** Names beside a path that is not there, which may be the one that was meant. */
import { opendir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { shown } from "../lib/shown.ts";
import { similarNames } from "../lib/similar-names.ts";
import { holdResolved } from "./held-directory.ts";

const NAMES_MAX = 3;
const ENTRIES_MAX = 5_000;

/** At most three, the most similar first. Where the directory cannot be read, none. */
export async function namesBeside(path: string): Promise<string[]> {
  const names = await namesIn(dirname(path)).catch(() => {
    // This is a hint in another failure, which matters more.
    return [];
  });
  return similarNames(basename(path), names).slice(0, NAMES_MAX).map(shown);
}

async function namesIn(directory: string): Promise<string[]> {
  const held = holdResolved(directory);
  try {
    const names: string[] = [];
    for await (const { name } of await opendir(held.path)) {
      names.push(name);
      if (names.length === ENTRIES_MAX) break;
    }
    return names;
  } finally {
    held.release();
  }
}
