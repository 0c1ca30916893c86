/**
 * What is in directories that are held open. Names are taken in what is held, step by step and no link
 * followed, so that nobody can lead a walk elsewhere by swapping a directory on its way for a link.
 */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
} from "node:fs";
import { type HeldDirectory, holdDirectory } from "../held-directory.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
/** Neither waits for a FIFO nor takes a terminal. */
const FILE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/** In the order of names. Throws as the system does. */
export const entriesOf = (held: HeldDirectory): Dirent[] =>
  readdirSync(held.path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));

/** Goes down step by step from `held`, which stays held, and releases what it held on the way. */
export function holdBelow(held: HeldDirectory, segments: readonly string[]): HeldDirectory {
  let current = holdDirectory(held.at("."));
  for (const segment of segments) {
    const above = current;
    try {
      current = holdDirectory(above.at(segment));
    } finally {
      above.release();
    }
  }
  return current;
}

/**
 * The bytes of a regular file; null: it is none. What is in `space` is good until that is used again.
 * Throws as the system does.
 */
export function readFileWithin(
  path: string,
  bytesMax: number,
  space?: Buffer,
): Buffer | "too_large" | null {
  const descriptor = openSync(path, FILE);
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) return null;
    if (status.size > bytesMax) return "too_large";
    const bytes = (space ?? Buffer.allocUnsafe(status.size)).subarray(0, status.size);
    return bytes.subarray(0, fill(bytes, descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** How many bytes there were. A file that grows meanwhile is read as it was. */
function fill(bytes: Buffer, descriptor: number): number {
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(descriptor, bytes, filled, bytes.length - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
