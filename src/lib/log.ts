/** The engine's log: one JSON object a line, what looks like a key masked, never in the way of what it reports. */
import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { maskSecrets } from "./mask.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes a fixed text; what varies goes into `fields`. Never throws. */
export type LogLine = (message: string, fields?: object) => void;
export type Log = { debug: LogLine; info: LogLine; warn: LogLine; error: LogLine };

export type LogOptions = {
  level: LogLevel;
  /** Gets one line with its line break. */
  write: (line: string) => void;
};

const FIELD_CHARS_MAX = 8_000;
const LINE_CHARS_MAX = 64_000;
/** A file that reached this is set aside, replacing the one set aside before. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

export function createLog({ level, write }: LogOptions): Log {
  const lowest = LOG_LEVELS.indexOf(level);
  const lines = (own: LogLevel): LogLine =>
    LOG_LEVELS.indexOf(own) < lowest
      ? () => {}
      : (message, fields = {}) => write(formatLine(own, message, fields));
  return {
    debug: lines("debug"),
    info: lines("info"),
    warn: lines("warning"),
    error: lines("error"),
  };
}

function formatLine(level: LogLevel, message: string, fields: object): string {
  const head = { ts: new Date().toISOString(), level, message: limit(mask(message)) };
  try {
    const line = JSON.stringify({ ...head, ...fields, ...head }, (_key, value) => loggable(value));
    if (line.length <= LINE_CHARS_MAX) return `${line}\n`;
    return `${JSON.stringify({ ...head, fields: `${line.length} characters left out` })}\n`;
  } catch {
    // A cycle or a getter that throws: the message still counts.
    return `${JSON.stringify({ ...head, fields: "cannot be written" })}\n`;
  }
}

function loggable(value: unknown): unknown {
  if (typeof value === "string") return limit(mask(value));
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    return { name, message, code: "code" in value ? value.code : undefined, cause, stack };
  }
  return value;
}

const mask = (text: string): string => maskSecrets(text, []);

const limit = (text: string): string =>
  text.length <= FIELD_CHARS_MAX ? text : `${text.slice(0, FIELD_CHARS_MAX)}…`;

export type LogFile = { write(line: string): void; close(): void };

/** Appends to the file, readable by its owner only; makes its folders. */
export function openLogFile(path: string, bytesMax = FILE_BYTES_MAX): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let file: number | null = openForAppend(path);
  let bytes = fstatSync(file).size;
  return {
    write(line) {
      if (file === null) return;
      try {
        if (bytes > 0 && bytes + line.length > bytesMax) {
          renameSync(path, `${path}.1`);
          const full = file;
          file = openForAppend(path);
          closeSync(full);
          bytes = 0;
        }
        bytes += writeSync(file, line);
      } catch {
        // A full disk or a folder that went away must not stop a turn: the line is lost.
      }
    },
    close() {
      if (file !== null) closeSync(file);
      file = null;
    },
  };
}

function openForAppend(path: string): number {
  const file = openSync(path, "a", 0o600);
  chmodSync(path, 0o600);
  return file;
}

const OPEN_AFTER_MS = 20;
const LINES_WAITING_MAX = 1_000;

/**
 * Opens the file a moment after the first line, so that a start does not wait for it and what has
 * nothing to say leaves no file. What is written meanwhile is kept. A file that cannot be opened is
 * told to `onFailure` once, and all lines are lost.
 */
export function openLogFileLater(
  open: () => LogFile,
  onFailure: (error: unknown) => void,
): LogFile {
  const waiting: string[] = [];
  let file: LogFile | null = null;
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    file ??= openOrLose(open, onFailure);
    for (const line of waiting.splice(0)) file.write(line);
  }
  return {
    write(line) {
      if (file) return file.write(line);
      waiting.push(line);
      timer ??= setTimeout(flush, OPEN_AFTER_MS).unref();
      if (waiting.length === LINES_WAITING_MAX) flush();
    },
    close() {
      if (waiting.length > 0) flush();
      file ??= NO_FILE;
      file.close();
    },
  };
}

function openOrLose(open: () => LogFile, onFailure: (error: unknown) => void): LogFile {
  try {
    return open();
  } catch (error) {
    onFailure(error);
    return NO_FILE;
  }
}

const NO_FILE: LogFile = { write() {}, close() {} };
