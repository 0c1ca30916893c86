/**
 * The file that says where this home's engine listens. A client gives its token to that address only
 * while the process that wrote the file lives: afterwards anybody could listen there.
 */
import { readFileSync, rmSync } from "node:fs";
import { writePrivateFile } from "../lib/private-file.ts";
import { isAlive, processStart } from "../lib/process-identity.ts";

/** `started_at` tells a process from a later one with its pid; it is no time of day. */
type EngineFile = { pid: number; started_at: string; host: string; port: number };

export type ListeningAt = { host: string; port: number };

/** To be written once the port is had. The engine that was started last stands in it. */
export function writeEngineFile(path: string, { host, port }: ListeningAt): void {
  const started_at = processStart(process.pid) ?? "unknown";
  const content: EngineFile = { pid: process.pid, started_at, host, port };
  writePrivateFile(path, `${JSON.stringify(content)}\n`);
}

/** Removes it, unless another engine has written its own by now. */
export function removeEngineFile(path: string): void {
  if (readEngineFile(path)?.pid === process.pid) rmSync(path, { force: true });
}

/** The URL of the engine that runs; null: none does. */
export function findEngineUrl(path: string): string | null {
  const engine = readEngineFile(path);
  if (engine === null || !isAlive(engine.pid, engine.started_at)) return null;
  const host = REACHED_AT.get(engine.host) ?? engine.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${engine.port}`;
}

/** What listens everywhere is asked here. */
const REACHED_AT = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

function readEngineFile(path: string): EngineFile | null {
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isEngineFile(content) ? content : null;
  } catch {
    // There is none, or not one of ours: nobody is to be trusted for it.
    return null;
  }
}

const isEngineFile = (content: unknown): content is EngineFile =>
  typeof content === "object" &&
  content !== null &&
  "pid" in content &&
  Number.isSafeInteger(content.pid) &&
  "started_at" in content &&
  typeof content.started_at === "string" &&
  "host" in content &&
  typeof content.host === "string" &&
  "port" in content &&
  Number.isSafeInteger(content.port);
