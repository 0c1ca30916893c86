/** The project files that the user trusts with keys: which file, and what was in it then. */
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../domain/errors.ts";
import type { Log } from "../lib/log.ts";
import { writePrivateFile } from "../lib/private-file.ts";
import { type JsonObject, openConfigFile } from "./config-file.ts";
import { kollabPaths } from "./paths.ts";

export type TrustedProjects = { includes(file: string, sha256: string): boolean };

/** An object: from a file's path without links to the SHA-256 of its content. */
export const trustListPath = (home: string): string =>
  join(kollabPaths(home).engineDir, "trusted-projects.json");

/** A list that cannot be read trusts nobody; the log says so. */
export function openTrustedProjects(home: string, log: Log): TrustedProjects {
  const list = openConfigFile(trustListPath(home));
  const read = (): JsonObject => {
    try {
      return list.read();
    } catch (error) {
      log.warn("No project is trusted: the list cannot be read", { error });
      return {};
    }
  };
  return {
    includes(file, sha256) {
      const path = withoutLinks(file);
      return path !== null && read()[path] === sha256;
    },
  };
}

/** Trusts what is in the file now. Throws EngineError where there is none, or a broken one. */
export function trustProject(home: string, file: string): void {
  const path = withoutLinks(file);
  if (path === null) throw new EngineError("not_found", `${file} cannot be found`);
  const { sha256 } = openConfigFile(path).load();
  const list = openConfigFile(trustListPath(home));
  writePrivateFile(list.path, `${JSON.stringify({ ...list.read(), [path]: sha256 }, null, 2)}\n`);
}

function withoutLinks(file: string): string | null {
  try {
    return realpathSync(file);
  } catch {
    // Not there, or not ours to look into: nobody can have meant it.
    return null;
  }
}
