/**
 * Outputs that are too long for the model: kept whole in files of the session, which it reads by parts.
 * A folder of them has a bound; the oldest files go first.
 */
import { appendFile, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TEXT_CHARS_MAX } from "../lib/captured-text.ts";
import { errorCode } from "../lib/error-code.ts";
import type { OutputName } from "../lib/process.ts";
import { randomHex } from "../lib/random.ts";

const MEGABYTE = 1024 * 1024;
/** Of one output. Tools that read files refuse larger ones. */
const FILE_BYTES_MAX = 10 * MEGABYTE;
const FOLDER_BYTES_MAX = 200 * MEGABYTE;
const FOLDER_FILES_MAX = 1_000;
const NAME_CHARS_MAX = 100;
/** Of a line that waits for its end before it is written. */
const LINE_CHARS_MAX = 64 * 1024;
const PRIVATE = { mode: 0o600 };

/** What became of an output: in a file, the first `bytes` of it if it is not whole; or not kept, and why. */
export type Kept = { path: string; bytes: number; whole: boolean } | { path: null; reason: string };

/** Returns the path. A text over the limit of a file loses its end. Rejects where nothing can be written. */
export function keepOutput(directory: string, callId: string, text: string): Promise<string> {
  const { bytes } = encode(text, FILE_BYTES_MAX);
  return createFile(directory, callId, bytes, bytes.length);
}

/** For the note that stands where the middle of an output was left out. */
export function keptNote(kept: Kept): string {
  if (kept.path === null) return `; it could not be kept (${kept.reason})`;
  const what = kept.whole
    ? `the whole output (${kept.bytes} bytes)`
    : `its first ${kept.bytes} bytes`;
  return `; ${what} can be read by parts, with file_read and its offset and limit: ${kept.path}`;
}

/** Collects an output while it comes. A short one never touches the disk. */
export class OutputFile {
  /** What came before a file was needed. */
  private waiting = "";
  private characters = 0;
  private readonly unfinished: Record<OutputName, string> = { stdout: "", stderr: "" };
  private path: string | null = null;
  private bytes = 0;
  private whole = true;
  private failure: string | null = null;
  private done = false;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly directory: string,
    private readonly callId: string,
  ) {}

  /** Whole lines, so that those of the two outputs do not mix. Never rejects: `finish` tells. */
  add(from: OutputName, text: string): Promise<void> {
    if (this.done || !this.whole || this.failure !== null) return Promise.resolve();
    this.characters += text.length;
    const lines = this.unfinished[from] + text;
    const lastBreak = lines.lastIndexOf("\n") + 1;
    const end = lines.length - lastBreak > LINE_CHARS_MAX ? lines.length : lastBreak;
    this.unfinished[from] = lines.slice(end);
    this.waiting += lines.slice(0, end);
    return this.characters > TEXT_CHARS_MAX ? this.flush() : Promise.resolve();
  }

  /** `needed`: whether the model does not get all of it. null: it does. */
  async finish(needed: boolean): Promise<Kept | null> {
    const { stdout, stderr } = this.unfinished;
    this.waiting += stdout + (stdout !== "" && stderr !== "" ? "\n" : "") + stderr;
    this.done = true;
    if (needed) await this.flush();
    await this.writing;
    if (this.failure !== null) return { path: null, reason: this.failure };
    return this.path === null ? null : { path: this.path, bytes: this.bytes, whole: this.whole };
  }

  private flush(): Promise<void> {
    this.writing = this.writing.then(() => this.write());
    return this.writing;
  }

  private async write(): Promise<void> {
    const text = this.waiting;
    this.waiting = "";
    if (!this.whole || this.failure !== null || text === "") return;
    const { bytes, whole } = encode(text, FILE_BYTES_MAX - this.bytes);
    try {
      if (this.path === null)
        this.path = await createFile(this.directory, this.callId, bytes, FILE_BYTES_MAX);
      else await appendFile(this.path, bytes, PRIVATE);
      this.bytes += bytes.length;
      this.whole = whole;
    } catch (error) {
      // The command has not failed, and the model gets what it would get without a file.
      this.failure = errorCode(error) || String(error);
    }
  }
}

/** A new file, with room for this many bytes: another call may have had the same id. Returns its path. */
async function createFile(
  directory: string,
  callId: string,
  content: Uint8Array,
  room: number,
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await makeRoom(directory, room);
  const name = callId.replace(/[^\w-]/g, "_").slice(0, NAME_CHARS_MAX) || "output";
  const create = async (path: string) => {
    await writeFile(path, content, { ...PRIVATE, flag: "wx" });
    return path;
  };
  return create(join(directory, `${name}.txt`)).catch((error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw error;
    return create(join(directory, `${name}-${randomHex(4)}.txt`));
  });
}

/** Removes the oldest files until one more of this size fits in. */
async function makeRoom(directory: string, bytes: number): Promise<void> {
  const files = await filesOf(directory);
  let count = files.length + 1;
  let total = files.reduce((sum, file) => sum + file.size, bytes);
  for (const file of files.sort((a, b) => a.changedAt - b.changedAt)) {
    if (count <= FOLDER_FILES_MAX && total <= FOLDER_BYTES_MAX) return;
    await rm(file.path, { force: true });
    count -= 1;
    total -= file.size;
  }
}

async function filesOf(directory: string) {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".txt"));
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      // null: another call has removed it meanwhile.
      const status = await stat(path).catch(() => null);
      return status && { path, size: status.size, changedAt: status.mtimeMs };
    }),
  );
  return files.filter((file) => file !== null);
}

/** At most `bytesMax`, with characters whole. Without NUL, which would make it no text. */
function encode(text: string, bytesMax: number): { bytes: Uint8Array; whole: boolean } {
  const bytes = new TextEncoder().encode(text.replaceAll("\0", "\ufffd"));
  if (bytes.length <= bytesMax) return { bytes, whole: true };
  let end = bytesMax;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return { bytes: bytes.subarray(0, end), whole: false };
}
