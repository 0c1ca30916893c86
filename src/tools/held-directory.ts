/**
 * Directories that are held open. Between the check of a path and its use a command may put a link in
 * the place of one of its directories; a name that is taken in a held one stays where the check was.
 */
import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";

export type HeldDirectory = {
  /** Leads to this very directory, whatever becomes of its own path, until it is released. */
  path: string;
  /** Of what has that name in it. */
  at(name: string): string;
  release(): void;
};

/** Something is no longer what it was a moment ago. */
export class ChangedMeanwhile extends ToolFailure {}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Only there the system names what a descriptor holds. */
const NAMES_DESCRIPTORS = process.platform === "linux";

/** `name`: in a directory that is held. Throws as the system does, also for a link. */
export function holdDirectory(name: string): HeldDirectory {
  const descriptor = openSync(name, DIRECTORY);
  const path = NAMES_DESCRIPTORS ? `/proc/self/fd/${descriptor}` : name;
  return { path, at: (each) => `${path}/${each}`, release: () => closeSync(descriptor) };
}

/**
 * `path`: real, that is without a link in it; `name`: where it is opened. Throws ChangedMeanwhile where
 * that leads somewhere else by now.
 */
export function holdResolved(path: string, name = path): HeldDirectory {
  const held = holdDirectory(name);
  if (!NAMES_DESCRIPTORS || readlinkSync(held.path) === path) return held;
  held.release();
  throw new ChangedMeanwhile(`The directory changed while it was used: ${quotedPath(path)}`);
}

/** Directories that are held for one piece of work, each once. */
export class HeldDirectories {
  private readonly held = new Map<string, HeldDirectory>();

  /** Holds the directory of `path`, and gives a name for `path` in it. */
  take(path: string): string {
    const directory = dirname(path);
    let held = this.held.get(directory);
    if (!held) {
      held = holdResolved(directory, this.within(directory));
      this.held.set(directory, held);
    }
    return held.at(basename(path));
  }

  release(): void {
    for (const held of this.held.values()) held.release();
    this.held.clear();
  }

  /** A directory that was made in a held one is opened there, not where its path may lead by now. */
  private within(directory: string): string {
    return this.held.get(dirname(directory))?.at(basename(directory)) ?? directory;
  }
}
