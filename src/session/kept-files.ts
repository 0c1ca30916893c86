/**
 * The contents that a session's checkpoints keep: one private folder, in it a file for each content, named
 * by its SHA-256. What is written survives the end of this process, however that comes.
 */
import { mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckpointRecord, KeptState } from "../domain/checkpoint.ts";
import type { FileState } from "../domain/file-change.ts";
import { errorCode } from "../lib/error-code.ts";
import { randomHex } from "../lib/random.ts";
import { sha256 } from "../lib/sha256.ts";

type Content = { hash: string; size: number };

/** The state with its content's name in place of the content, as one that is not kept. */
export function describe(state: FileState): KeptState {
  if (state?.kind !== "file") return state;
  const { kind, mode, size, content } = state;
  return { kind, mode, size, hash: content && sha256(content), kept: false };
}

export class KeptFiles {
  private readonly uses = new Map<string, { count: number; size: number }>();
  private total = 0;

  /** `directory`: absolute, for nothing else; made when it is first needed. */
  constructor(private readonly directory: string) {}

  /** Of what checkpoints refer to, each content counted once. */
  get bytes(): number {
    return this.total;
  }

  /** What no checkpoint claims after that is gone with the next `sweep`. */
  async keep(hash: string, content: Uint8Array): Promise<void> {
    const path = join(this.directory, hash);
    // One that is shorter was cut by a loss of power.
    if ((await sizeOf(path)) === content.length) return;
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const temporary = join(this.directory, `.${randomHex(8)}`);
    try {
      await writeFile(temporary, content, { flag: "wx", mode: 0o600 });
      await rename(temporary, path);
    } catch (error) {
      // It may not have come to be, and why counts for more than how the cleaning goes.
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
  }

  /** The state with its content, null where that was not kept, is gone, or is not any more what it was. */
  async load(state: KeptState): Promise<FileState> {
    if (state?.kind !== "file") return state;
    const { kind, mode, size, hash, kept } = state;
    return { kind, mode, size, content: kept && hash !== null ? await this.read(hash) : null };
  }

  private async read(hash: string): Promise<Uint8Array | null> {
    try {
      const content = await readFile(join(this.directory, hash));
      return sha256(content) === hash ? content : null;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return null;
      throw error;
    }
  }

  /** The checkpoint refers to its contents from now on. */
  claim(record: CheckpointRecord): void {
    for (const { hash, size } of contentsOf(record)) {
      const use = this.uses.get(hash) ?? { count: 0, size };
      if (use.count === 0) this.total += size;
      this.uses.set(hash, { count: use.count + 1, size });
    }
  }

  /** The checkpoint does not any more; contents that none is left for are removed. */
  async release(record: CheckpointRecord): Promise<void> {
    const unused: string[] = [];
    for (const { hash, size } of contentsOf(record)) {
      const count = (this.uses.get(hash)?.count ?? 1) - 1;
      if (count > 0) this.uses.set(hash, { count, size });
      else if (this.uses.delete(hash)) {
        this.total -= size;
        unused.push(hash);
      }
    }
    for (const hash of unused) await this.discard(hash);
  }

  /** Removes what no checkpoint refers to. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(this.directory))
      if (!this.uses.has(name)) await this.discard(name);
  }

  private async discard(name: string): Promise<void> {
    try {
      await unlink(join(this.directory, name));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
}

/** Each content once. */
function contentsOf({ files }: CheckpointRecord): Content[] {
  const states = files.flatMap(({ before, after }) => [before, after]);
  const contents = states.flatMap(contentOf).map((each) => [each.hash, each] as const);
  return [...new Map(contents).values()];
}

const contentOf = (state: KeptState): Content[] =>
  state?.kind === "file" && state.kept && state.hash !== null
    ? [{ hash: state.hash, size: state.size }]
    : [];

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
