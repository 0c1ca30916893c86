/**
 * Changing a JSON file that other programs read and write too: nothing of theirs is lost, and nobody
 * ever sees half of it.
 */
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { withFileLock } from "./file-lock.ts";
import { findJsonFault } from "./json-fault.ts";
import { isObject, type JsonObject } from "./json-object.ts";
import { randomHex } from "./random.ts";

const FILE_BYTES_MAX = 4 * 1024 * 1024;
const NEW_FILE_MODE = 0o600;

/**
 * Reads the file, changes its content and writes it, alone among all who change it through this function.
 * `change` must not touch what it gets; it gets an empty object where there is no file. A file that is
 * no JSON object is refused with an error that says where it breaks, and stays as it is.
 */
export async function changeJsonFile(
  path: string,
  change: (content: JsonObject) => JsonObject,
  signal: AbortSignal,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = withoutLinks(path);
  await withFileLock(
    `${file}.lock`,
    async () => {
      const before = readFile(file);
      const text = `${JSON.stringify(change(parse(path, before?.text ?? "")), null, 2)}\n`;
      if (text === before?.text) return;
      if (Buffer.byteLength(text) > FILE_BYTES_MAX) throw tooLarge(path);
      await replaceFile(file, text, before?.mode ?? NEW_FILE_MODE);
    },
    signal,
  );
}

/** The object with the value at this place, and all else as it was. What is no object there is replaced. */
export function withValueAt(
  content: JsonObject,
  [key, ...inner]: readonly string[],
  value: unknown,
): JsonObject {
  if (key === undefined) return content;
  if (inner.length === 0) return { ...content, [key]: value };
  const child = content[key];
  return { ...content, [key]: withValueAt(isObject(child) ? child : {}, inner, value) };
}

/** A link stays one: what it points to is changed. */
function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there yet.
    return join(realpathSync(dirname(path)), basename(path));
  }
}

function readFile(path: string): { text: string; mode: number } | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  if (!stats.isFile()) throw new Error(`${path} is not a file`);
  if (stats.size > FILE_BYTES_MAX) throw tooLarge(path);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  return { text, mode: stats.mode & 0o777 };
}

const tooLarge = (path: string): Error =>
  new Error(`${path} would be larger than ${FILE_BYTES_MAX} bytes`);

function parse(path: string, text: string): JsonObject {
  if (text.trim() === "") return {};
  const fault = findJsonFault(text);
  if (fault !== null)
    throw new Error(`${path} line ${fault.line} column ${fault.column}: ${fault.problem}`);
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new Error(`${path} line 1 column 1: expected an object`);
  return value;
}

/** On the disk before it takes the old one's place. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomHex(6)}`);
  try {
    const file = await open(temporary, "wx", NEW_FILE_MODE);
    try {
      await file.writeFile(text);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
