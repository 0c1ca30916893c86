/**
 * Reading and replacing a regular file at a path that was checked. Between the check and the use a
 * command may put a link in the path's place, so names are taken in a directory that is held open.
 */
import { constants, type Stats } from "node:fs";
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readlink,
  rename,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { randomHex } from "../lib/random.ts";
import { errorCode, ToolFailure } from "./failure.ts";

/** What lets a file's successor take its place. */
export type Ownership = { mode: number; uid: number; gid: number };
export type RegularFile = { bytes: Uint8Array; ownership: Ownership };

const PERMISSION_BITS = 0o777;
const NEW_FILE_MODE = 0o644;
const UNFINISHED_FILE_MODE = 0o600;

const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Throws ToolFailure where there is no regular file or it is larger than `bytesMax`. */
export async function readRegularFile(path: string, bytesMax: number): Promise<RegularFile> {
  const directory = await holdDirectory(dirname(path)).catch(refuseMissing(path));
  try {
    const name = directory.at(basename(path));
    // Before it is opened, since opening a device or a FIFO does something already.
    requireRegular(await lstat(name).catch(refuseMissing(path)), path);
    const file = await open(name, READ);
    try {
      const status = await file.stat();
      requireRegular(status, path);
      if (status.size > bytesMax)
        throw new ToolFailure(
          `File too large: ${path} has ${status.size} bytes, the limit is ${bytesMax}`,
        );
      const { mode, uid, gid } = status;
      return {
        bytes: await readBytes(file, status.size),
        ownership: { mode: mode & PERMISSION_BITS, uid, gid },
      };
    } finally {
      await file.close();
    }
  } finally {
    await directory.release();
  }
}

/** Puts a new file there, with its directories. Throws ToolFailure where something has that name. */
export async function createFile(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeBeside(path, bytes, null, async (temporary, target) => {
    try {
      await link(temporary, target);
    } catch (error) {
      if (errorCode(error) === "EEXIST")
        throw new ToolFailure(`File already exists: ${path}`, { cause: error });
      // A file system without hard links.
      await rename(temporary, target);
      return;
    }
    await unlink(temporary);
  });
}

/** Puts a file of these bytes in the place of what has that name: whole, or not at all. */
export async function replaceFile(
  path: string,
  bytes: Uint8Array,
  ownership: Ownership,
): Promise<void> {
  await writeBeside(path, bytes, ownership, rename);
}

/** Writes a temporary file in the same directory, then lets `publish` give it its name. */
async function writeBeside(
  path: string,
  bytes: Uint8Array,
  ownership: Ownership | null,
  publish: (temporary: string, target: string) => Promise<void>,
): Promise<void> {
  const directory = await holdDirectory(dirname(path));
  const temporary = directory.at(`.kollab-${randomHex(8)}.tmp`);
  try {
    const file = await open(temporary, CREATE, UNFINISHED_FILE_MODE);
    try {
      await file.writeFile(bytes);
      if (ownership) await keepOwner(file, ownership);
      await file.chmod(ownership?.mode ?? NEW_FILE_MODE);
    } finally {
      await file.close();
    }
    await publish(temporary, directory.at(basename(path)));
  } catch (error) {
    // It may not exist, and what happened before is worth more than how the cleaning went.
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await directory.release();
  }
}

/** Matters to an engine that runs as root in somebody's directory; nobody else can do it. */
async function keepOwner(file: FileHandle, { uid, gid }: Ownership): Promise<void> {
  const own = await file.stat();
  if (own.uid === uid && own.gid === gid) return;
  await file.chown(uid, gid).catch((error) => {
    if (errorCode(error) !== "EPERM") throw error;
  });
}

/** `at` gives a path that stays in this very directory, whatever becomes of the directory's own path. */
async function holdDirectory(path: string) {
  const handle = await open(path, DIRECTORY);
  const release = () => handle.close();
  // Only Linux names what a descriptor holds.
  if (process.platform !== "linux") return { at: (name: string) => join(path, name), release };
  const held = `/proc/self/fd/${handle.fd}`;
  if ((await readlink(held)) !== path) {
    await release();
    throw new ToolFailure(`The directory changed while it was used: ${path}`);
  }
  return { at: (name: string) => `${held}/${name}`, release };
}

function requireRegular(status: Stats, path: string): void {
  if (status.isDirectory()) throw new ToolFailure(`Is a directory: ${path}`);
  if (!status.isFile()) throw new ToolFailure(`Not a regular file: ${path}`);
}

/** A file that grows meanwhile is read as it was. */
async function readBytes(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

const refuseMissing =
  (path: string) =>
  (error: unknown): never => {
    if (errorCode(error) === "ENOENT") throw new ToolFailure(`File not found: ${path}`);
    throw error;
  };
