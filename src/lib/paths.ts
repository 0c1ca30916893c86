/** What paths say and where they lead. */
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errorCode } from "./error-code.ts";

/** More links than that on one way lead nowhere. */
const LINKS_MAX = 40;

/** Both absolute and without `..`. */
export const isWithin = (directory: string, path: string): boolean =>
  path === directory || path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);

export function expandHome(path: string, home: string): string {
  if (path === "~") return home;
  return path.startsWith("~/") ? join(home, path.slice(2)) : path;
}

/** Whether anything is there, be it a link to nothing. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Of the part that is there; a link to nothing leads where something would be made through it. */
export function realPathOf(path: string, links = LINKS_MAX): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there to its end, or not ours to look into.
    const parent = dirname(path);
    if (parent === path || links === 0) return path;
    const entry = join(realPathOf(parent, links - 1), basename(path));
    const target = linkTarget(entry);
    return target === null ? entry : realPathOf(resolve(dirname(entry), target), links - 1);
  }
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    // Nothing there.
    return null;
  }
}
