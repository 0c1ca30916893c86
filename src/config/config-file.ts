/** One JSON config file, shared with other programs: read, never written here. */
import { EngineError } from "../domain/errors.ts";
import { CachedFile } from "../lib/cached-file.ts";
import { findJsonFault, type JsonFault } from "../lib/json-fault.ts";
import { isObject, type JsonObject } from "../lib/json-object.ts";
import { sha256 } from "../lib/sha256.ts";

const CONFIG_BYTES_MAX = 4 * 1024 * 1024;

/** `sha256`: of the very text that `content` was read from. */
export type LoadedConfig = { content: JsonObject; sha256: string };

export type ConfigFile = {
  path: string;
  /**
   * What is in the file now; empty where there is none, the same object while it is unchanged.
   * Throws `config_invalid` with the file, the line and the column.
   */
  read(): JsonObject;
  /** The same, and what tells this content from any other. */
  load(): LoadedConfig;
};

export function openConfigFile(path: string): ConfigFile {
  const file = new CachedFile(path, CONFIG_BYTES_MAX, (text) => ({
    content: parseConfig(path, text),
    sha256: sha256(text ?? ""),
  }));
  const load = (): LoadedConfig => {
    try {
      return file.read();
    } catch (error) {
      throw error instanceof EngineError ? error : unreadable(path, error);
    }
  };
  return { path, load, read: () => load().content };
}

function parseConfig(path: string, text: string | null): JsonObject {
  // Other programs create the file before they fill it.
  if (text === null || text.trim() === "") return {};
  const parsed = parseJson(text);
  if (parsed === null) {
    const { line, column, problem } = findJsonFault(text) ?? START_OF_FILE;
    throw invalid(path, line, column, problem);
  }
  if (!isObject(parsed.value)) throw invalid(path, 1, 1, "expected an object");
  return parsed.value;
}

const START_OF_FILE: JsonFault = { line: 1, column: 1, problem: "this is no JSON" };

function parseJson(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    // The parser's own words lack the place and may quote a key.
    return null;
  }
}

const invalid = (path: string, line: number, column: number, problem: string): EngineError =>
  new EngineError("config_invalid", `${path} line ${line} column ${column}: ${problem}`);

function unreadable(path: string, cause: unknown): EngineError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EngineError("config_invalid", `${path} cannot be read: ${reason}`, { cause });
}
