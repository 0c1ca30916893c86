/** Names beside a path that is not there, which may be the one that was meant. */
import { opendir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { shown } from "./failure.ts";
import { holdDirectory } from "./held-directory.ts";

const NAMES_MAX = 3;
const ENTRIES_MAX = 5_000;
const NAME_CHARS_MAX = 100;
/** How many characters may be wrong: one in three. */
const WRONG_SHARE_MAX = 1 / 3;

/** At most three, the most similar first. Where the directory cannot be read, none. */
export async function similarNames(path: string): Promise<string[]> {
  const wanted = basename(path).slice(0, NAME_CHARS_MAX);
  const names = await namesIn(dirname(path)).catch(() => {
    // This is a hint in another failure, which matters more.
    return [];
  });
  return names
    .map((name) => ({ name, distance: distance(wanted, name.slice(0, NAME_CHARS_MAX)) }))
    .filter(({ distance }) => distance <= WRONG_SHARE_MAX)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, NAMES_MAX)
    .map(({ name }) => shown(name));
}

async function namesIn(directory: string): Promise<string[]> {
  const held = await holdDirectory(directory);
  try {
    const names: string[] = [];
    for await (const { name } of await opendir(held.at("."))) {
      names.push(name);
      if (names.length === ENTRIES_MAX) break;
    }
    return names;
  } finally {
    await held.release();
  }
}

/** 0: the same but for case; 1: nothing in common. */
function distance(a: string, b: string): number {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()];
  if (left === right) return 0;
  const longer = Math.max(left.length, right.length);
  // Another ending of the same name is likelier than another name.
  if (stem(left) === stem(right)) return (edits(left, right) / longer) * WRONG_SHARE_MAX;
  if (Math.abs(left.length - right.length) > longer * WRONG_SHARE_MAX) return 1;
  return edits(left, right) / longer;
}

const stem = (name: string): string => name.replace(/(?<=.)\.[^.]*$/, "");

/** How many characters to insert, remove or replace. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
