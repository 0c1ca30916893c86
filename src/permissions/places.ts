/** Where the paths of a call lead to, links followed. */
import { relative, resolve } from "node:path";
import { expandHome, isWithin, realPathOf } from "../lib/paths.ts";

export type Surroundings = {
  /** Absolute, without links. */
  workspace: string;
  /** What the workspace is in: absolute, without links. */
  project: string;
  home: string;
};

/** Absolute, both: as it is written, and where that leads. */
export type Place = { written: string; real: string };

/** Of a path as a tool or a shell takes it in this directory. */
export function placeOf(path: string, directory: string, home: string): Place {
  const written = resolve(directory, expandHome(path, home));
  return { written, real: realPathOf(written) };
}

/** From the directory where it is below it, else absolute. Never empty. */
export const pathFrom = (directory: string, path: string): string =>
  isWithin(directory, path) ? relative(directory, path) || "." : path;
