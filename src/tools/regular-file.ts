/** Reading a regular file at a path that was checked: nothing else is ever opened. */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errorCode } from "../lib/error-code.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { type HeldDirectory, holdResolved } from "./held-directory.ts";

/** `mode`: the permission bits. */
export type RegularFile = { bytes: Uint8Array; mode: number };

const PERMISSION_BITS = 0o777;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Throws ToolFailure where there is no regular file or it is larger than `bytesMax`. */
export async function readRegularFile(path: string, bytesMax: number): Promise<RegularFile> {
  const directory = holdDirectoryOf(path);
  try {
    const name = directory.at(basename(path));
    // Before it is opened, since opening a device or a FIFO does something already.
    requireRegular(await lstat(name).catch((error) => refuseMissing(path, error)), path);
    const file = await openRegular(name, bytesMax, path);
    if (file.bytes === null)
      throw new ToolFailure(
        `File too large: ${quotedPath(path)} has ${file.status.size} bytes, the limit is ${bytesMax}`,
      );
    return { bytes: file.bytes, mode: permissions(file.status) };
  } finally {
    directory.release();
  }
}

/**
 * `name`: where it is opened; `path`: what failures call it. `bytes` null: larger than `bytesMax`.
 * To be called where `lstat` found a regular file.
 */
export async function openRegular(
  name: string,
  bytesMax: number,
  path: string,
): Promise<{ bytes: Uint8Array | null; status: Stats }> {
  const file = await open(name, READ);
  try {
    const status = await file.stat();
    requireRegular(status, path);
    return { bytes: status.size > bytesMax ? null : await readBytes(file, status.size), status };
  } finally {
    await file.close();
  }
}

export const permissions = ({ mode }: Stats): number => mode & PERMISSION_BITS;

function requireRegular(status: Stats, path: string): void {
  if (status.isDirectory()) throw new ToolFailure(`Is a directory: ${quotedPath(path)}`);
  if (!status.isFile()) throw new ToolFailure(`Not a regular file: ${quotedPath(path)}`);
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

function holdDirectoryOf(path: string): HeldDirectory {
  try {
    return holdResolved(dirname(path));
  } catch (error) {
    return refuseMissing(path, error);
  }
}

function refuseMissing(path: string, error: unknown): never {
  if (errorCode(error) === "ENOENT") throw new ToolFailure(`File not found: ${quotedPath(path)}`);
  throw error;
}
