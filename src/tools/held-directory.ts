/**
 * Directories that are held open. Between the check of a path and its use a command may put a link in
 * the place of one of its directories; a name that is taken in a held one stays where the check was.
 */
import { constants } from "node:fs";
import { open, readlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ToolFailure } from "./failure.ts";

export type HeldDirectory = {
  /** A path that stays in this very directory, whatever becomes of the directory's own path. */
  at(name: string): string;
  release(): Promise<void>;
};

/** Something is no longer what it was a moment ago. */
export class ChangedMeanwhile extends ToolFailure {}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** `path`: real, that is without a link in it. Throws the system's error where there is none. */
export async function holdDirectory(path: string): Promise<HeldDirectory> {
  return hold(path, path);
}

/** Directories that are held for one piece of work, each once. */
export class HeldDirectories {
  private readonly held = new Map<string, HeldDirectory>();

  /** Holds the directory of `path`, and gives a name for `path` in it. */
  async take(path: string): Promise<string> {
    const directory = dirname(path);
    let held = this.held.get(directory);
    if (!held) {
      held = await hold(this.within(directory), directory);
      this.held.set(directory, held);
    }
    return held.at(basename(path));
  }

  async release(): Promise<void> {
    for (const held of this.held.values()) await held.release();
    this.held.clear();
  }

  /** A directory that was made in a held one is opened there, not where its path may lead by now. */
  private within(directory: string): string {
    return this.held.get(dirname(directory))?.at(basename(directory)) ?? directory;
  }
}

/** Opens `name`, which must turn out to be the directory at `path`. */
async function hold(name: string, path: string): Promise<HeldDirectory> {
  const handle = await open(name, DIRECTORY);
  const release = () => handle.close();
  // Only Linux names what a descriptor holds.
  if (process.platform !== "linux") return { at: (each) => join(path, each), release };
  const held = `/proc/self/fd/${handle.fd}`;
  if ((await readlink(held)) !== path) {
    await release();
    throw new ChangedMeanwhile(`The directory changed while it was used: ${path}`);
  }
  return { at: (each) => `${held}/${each}`, release };
}
