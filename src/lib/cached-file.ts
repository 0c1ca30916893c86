/** A small file that other programs may rewrite at any time: read again whenever it changed. */
import { readFileSync, statSync } from "node:fs";
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
    // Before the content: if a write comes between, the next call sees another version.
    const version = this.version();
    if (this.cached !== null && version !== null && version === this.cached.version) {
      return this.cached.value;
    }
    const text = version === MISSING ? null : this.text();
    const value =
      this.cached !== null && text === this.cached.text ? this.cached.value : this.parse(text);
    this.cached = { version, text, value };
    return value;
  }

  /** Null: too young to be told from its successor. */
  private version(): string | null {
    const stats = statOrNull(this.path);
    if (stats === null) return MISSING;
    if (!stats.isFile()) throw new Error("it is not a file");
    if (stats.size > this.bytesMax) throw new Error(`it is larger than ${this.bytesMax} bytes`);
    const { mtimeMs, ctimeMs, size, ino } = stats;
    const settled = Date.now() - Math.max(mtimeMs, ctimeMs) > SETTLED_AFTER_MS;
    return settled ? [mtimeMs, ctimeMs, size, ino].join() : null;
  }

  private text(): string | null {
    const bytes = readOrNull(this.path);
    // Also drops a byte order mark, which editors on Windows write.
    return bytes === null ? null : new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  }
}

const MISSING = "missing";

const statOrNull = (path: string) =>
  unlessMissing(() => statSync(path, { throwIfNoEntry: false }) ?? null);
const readOrNull = (path: string) => unlessMissing(() => readFileSync(path));

function unlessMissing<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}
