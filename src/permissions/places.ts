/** Where the paths of a call lead to, links followed. */
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

export type Surroundings = {
  /** Absolute, without links. */
  workspace: string;
  /** What the workspace is in: absolute, without links. */
  project: string;
  home: string;
};

/** Absolute, both: as it is written, and where that leads. */
export type Place = { written: string; real: string };

/** More links than that on one way lead nowhere. */
const LINKS_MAX = 40;

/** Of a path as a tool or a shell takes it in this directory. */
export function placeOf(path: string, directory: string, home: string): Place {
  const written = resolve(directory, expandHome(path, home));
  return { written, real: realPathOf(written) };
}

export function expandHome(path: string, home: string): string {
  if (path === "~") return home;
  return path.startsWith("~/") ? join(home, path.slice(2)) : path;
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

export const isWithin = (directory: string, path: string): boolean =>
  path === directory || path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);

/** From the directory where it is below it, else absolute. Never empty. */
export const pathFrom = (directory: string, path: string): string =>
  isWithin(directory, path) ? relative(directory, path) || "." : path;
