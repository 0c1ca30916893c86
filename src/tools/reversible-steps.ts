/**
 * The steps by which files change, each with its way back. They are synchronous, so that nothing of this
 * process comes between one and the next. Names are paths in held directories.
 */
import {
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { FileState } from "../domain/file-change.ts";
import { errorCode } from "../lib/error-code.ts";
import { randomHex } from "../lib/random.ts";
import { ToolFailure } from "./failure.ts";

/** Something stands there that was not there when the changes were worked out. */
export class Overtaken extends Error {}

/** Of file systems without hard links, and of files that may not be linked to. */
const NO_HARD_LINK = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"]);

export const temporaryBeside = (name: string): string =>
  join(dirname(name), `.kollab-${randomHex(8)}.tmp`);

/** What root makes in a person's directory is that person's. */
export const isRoot = (): boolean => process.getuid?.() === 0;

export class ReversibleSteps {
  private readonly undo: (() => void)[] = [];
  /** What was there before, under names of our own, until all is done. */
  private readonly kept: string[] = [];

  /** Will be gone after a rollback. */
  temporary(name: string): void {
    this.undo.push(() => unlinkIfThere(name));
  }

  makeDirectory(name: string, before: FileState): void {
    this.clear(name, before);
    try {
      mkdirSync(name);
    } catch (error) {
      throw errorCode(error) === "EEXIST" ? new Overtaken(name, { cause: error }) : error;
    }
    this.undo.push(() => rmdirSync(name));
    const { uid, gid } = lstatSync(dirname(name));
    if (isRoot()) chownSync(name, uid, gid);
  }

  /** Gives the file at `temporary` this name; of a file that has it, readers see the old or the new one. */
  publish(temporary: string, name: string, before: FileState): void {
    if (before?.kind === "file") {
      this.keep(name);
      renameSync(temporary, name);
      return;
    }
    this.clear(name, before);
    renameToNew(temporary, name);
    this.undo.push(() => unlinkSync(name));
  }

  makeLink(target: string, name: string, before: FileState): void {
    this.clear(name, before);
    symlinkSync(target, name);
    this.undo.push(() => unlinkSync(name));
  }

  move(from: string, to: string, before: FileState): void {
    this.clear(to, before);
    renameToNew(from, to);
    this.undo.push(() => renameSync(to, from));
  }

  /** Takes away what is there; `aside`: where it is kept until all is done. */
  clear(name: string, before: FileState, aside = temporaryBeside(name)): void {
    if (before === null) return;
    if (before.kind === "directory") this.removeDirectory(name);
    else this.putAside(name, aside);
  }

  /** Nothing is taken back any more. */
  commit(): void {
    this.undo.length = 0;
    // One that stays is a stray file of ours; the changes are made all the same.
    for (const name of this.kept) attempt(() => unlinkIfThere(name));
  }

  /** Throws where not everything is as it was. */
  rollback(cause: unknown): void {
    const failures = this.undo.reverse().flatMap((step) => attempt(step) ?? []);
    this.undo.length = 0;
    if (failures.length > 0)
      throw new ToolFailure("Failed half way, and what was done could not be taken back", {
        cause: new AggregateError([cause, ...failures]),
      });
  }

  private removeDirectory(name: string): void {
    const { mode } = lstatSync(name);
    try {
      rmdirSync(name);
    } catch (error) {
      throw errorCode(error) === "ENOTEMPTY" ? new Overtaken(name, { cause: error }) : error;
    }
    this.undo.push(() => mkdirSync(name, { mode: mode & 0o777 }));
  }

  private putAside(name: string, aside: string): void {
    renameSync(name, aside);
    this.undo.push(() => renameSync(aside, name));
    this.kept.push(aside);
  }

  /** A second name for the file, which stays under its own. */
  private keep(name: string): void {
    const second = temporaryBeside(name);
    if (!linked(name, second)) {
      this.putAside(name, second);
      return;
    }
    this.undo.push(() => {
      renameSync(second, name);
      // Renaming one name of a file to another name of it does nothing.
      unlinkIfThere(second);
    });
    this.kept.push(second);
  }
}

/** Never replaces what has that name. */
function renameToNew(from: string, to: string): void {
  if (lstatSync(from).isFile() && linked(from, to)) {
    try {
      unlinkSync(from);
    } catch (error) {
      unlinkSync(to);
      throw error;
    }
    return;
  }
  if (lstatSync(to, { throwIfNoEntry: false })) throw new Overtaken(to);
  renameOnFileSystem(from, to);
}

/** false: there are no hard links here. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw new Overtaken(to, { cause: error });
    if (NO_HARD_LINK.has(errorCode(error))) return false;
    throw error;
  }
}

function renameOnFileSystem(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errorCode(error) !== "EXDEV") throw error;
    throw new ToolFailure("The two paths are on different file systems: copy, then delete", {
      cause: error,
    });
  }
}

function unlinkIfThere(name: string): void {
  try {
    unlinkSync(name);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

/** The error, where there is one. */
function attempt(step: () => void): Error | null {
  try {
    step();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
