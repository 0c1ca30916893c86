/** Changing a config file that other programs write too. */
import { EngineError } from "../domain/errors.ts";
import { changeJsonFile } from "../lib/json-file.ts";
import type { JsonObject } from "../lib/json-object.ts";

/** As `changeJsonFile`. Throws `config_invalid` where the file is broken or cannot be written. */
export async function changeConfigFile(
  path: string,
  change: (content: JsonObject) => JsonObject,
  signal: AbortSignal,
): Promise<void> {
  try {
    await changeJsonFile(path, change, signal);
  } catch (error) {
    if (signal.aborted || error instanceof EngineError) throw error;
    throw notWritten(error);
  }
}

function notWritten(cause: unknown): EngineError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EngineError("config_invalid", `Nothing was written: ${reason}`, { cause });
}
