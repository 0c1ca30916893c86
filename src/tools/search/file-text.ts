/** The text of a file that is searched. */

import { readFileWithin } from "./held-files.ts";
import { FILE_BYTES_MAX } from "./job.ts";
import type { Tally } from "./tally.ts";
import type { Entry } from "./tree.ts";

/**
 * The text of one file at a time. null: it is none that can be searched, and the tally tells why. What is
 * no UTF-8 in it is replaced.
 */
export function createTextReader(tally: Tally): (file: Entry) => string | null {
  const space = Buffer.allocUnsafe(FILE_BYTES_MAX);
  return ({ at }) => {
    const bytes = readQuietly(at, space);
    if (bytes === "too_large") tally.tooLarge += 1;
    else if (bytes === null) tally.unreadable += 1;
    else if (bytes.includes(0)) tally.binary += 1;
    else {
      tally.searched += 1;
      return bytes.toString("utf8");
    }
    return null;
  };
}

function readQuietly(path: string, space: Buffer): Buffer | "too_large" | null {
  try {
    return readFileWithin(path, FILE_BYTES_MAX, space);
  } catch {
    // Not for this user, gone meanwhile, or a link now: one file among many, which is counted.
    return null;
  }
}
