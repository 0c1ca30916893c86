/** The log of an engine that a command runs. */
import { logFilePath } from "../config/paths.ts";
import { toEngineError } from "../domain/errors.ts";
import { type LogFile, openLogFile, openLogFileLater } from "../lib/log.ts";
import { fail } from "./command.ts";

/**
 * Named after the moment of the call. To name it, too, takes until later: the platform's time zones
 * take as long to load as all the rest of a start.
 */
export function openLog(home: string, directory: string): LogFile {
  const now = new Date();
  return openLogFileLater(
    () => openLogFile(logFilePath(home, directory, now)),
    (cause) => fail(new Error(`No log is kept: ${toEngineError(cause).message}`, { cause })),
  );
}
