/** A small file that other programs may rewrite at any time: read again whenever it changed. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { errorCode } from "./error-code.ts";

/**
 * File times are coarse on some systems, so two writes in quick succession can look like one.
 * A file this young is read again, however unchanged it looks.
 */
const SETTLED_AFTER_MS = 2000;

type Cached<Value> = { version: string | null; text: string | null; value: Value };

export class CachedFile<Value> {
  private cached: Cached<Value> | null = null;

  /** `parse` gets null where there is no file. What it throws, `read` throws, every time. */
  constructor(
    private readonly path: string,
    private readonly bytesMax: number,
    private readonly parse: (text: string | null) => Value,
  ) {}

  /** The same object as last time while the content is the same. */
  read(): Value {
    const known = this.cached;
    // Looked at before it is opened, which takes several times as long.
    const seen = statOrNull(this.path);
    if (seen === null) return this.take(MISSING, null);
    if (known?.version && known.version === versionOf(seen)) return known.value;
    const file = openOrNull(this.path);
    if (file === null) return this.take(MISSING, null);
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw notAFile();
      if (stats.size > this.bytesMax) throw new Error(`it is larger than ${this.bytesMax} bytes`);
      // Before the content: if a write comes between, the next call sees another version.
      const version = versionOf(stats);
      return this.take(version, textIn(file, stats.size));
    } finally {
      closeSync(file);
    }
  }

  private take(version: string | null, text: string | null): Value {
    const value =
      this.cached !== null && text === this.cached.text ? this.cached.value : this.parse(text);
    this.cached = { version, text, value };
    return value;
  }
}

const MISSING = "missing";
/** Waits for nobody, whatever has taken the place of the file. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

function statOrNull(path: string): Stats | null {
  try {
    // A missing file is the usual case, and an exception dear.
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    if (errorCode(error) === "ENOTDIR") return null;
    throw error;
  }
}

function openOrNull(path: string): number | null {
  try {
    return openSync(path, READ);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    // A socket.
    throw code === "ENXIO" ? notAFile(error) : error;
  }
}

const notAFile = (cause?: unknown) => new Error("it is not a file", { cause });

/** Null: too young to be told from its successor. */
function versionOf({ mtimeMs, ctimeMs, size, ino }: Stats): string | null {
  const settled = Date.now() - Math.max(mtimeMs, ctimeMs) > SETTLED_AFTER_MS;
  return settled ? [mtimeMs, ctimeMs, size, ino].join() : null;
}

/** Of a file that grows meanwhile, what was there. */
function textIn(file: number, size: number): string {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const count = readSync(file, bytes, filled, size - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  // Also drops a byte order mark, which editors on Windows write.
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, filled));
}
