/**
 * The project files that the user trusts with keys and with rules that allow: which file, and what was in
 * it then.
 */
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../domain/errors.ts";
import type { JsonObject } from "../lib/json-object.ts";
import type { Log } from "../lib/log.ts";
import { writePrivateFile } from "../lib/private-file.ts";
import { openConfigFile } from "./config-file.ts";
import { kollabPaths } from "./paths.ts";

export type TrustedProjects = { includes(file: string, sha256: string): boolean };

/** `current`: nothing has changed in it since. */
export type TrustedProject = { file: string; sha256: string; current: boolean };

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

/**
 * Trusts what is in the file now, and returns the SHA-256 of that. Throws EngineError where there is none, a
 * broken one, or another content than the one that `expected` is of.
 */
export function trustProject(home: string, file: string, expected?: string): string {
  const path = withoutLinks(file);
  if (path === null) throw new EngineError("not_found", `${file} cannot be found`);
  const { sha256 } = openConfigFile(path).load();
  if (expected !== undefined && expected !== sha256)
    throw new EngineError("conflict", `${file} has changed: look at it again before you trust it`);
  changeList(home, (list) => ({ ...list, [path]: sha256 }));
  return sha256;
}

/** False: it was not trusted. */
export function forgetProject(home: string, file: string): boolean {
  // A file that is gone may be on the list still.
  const path = withoutLinks(file) ?? file;
  let known = false;
  changeList(home, (list) => {
    known = Object.hasOwn(list, path);
    return Object.fromEntries(Object.entries(list).filter(([each]) => each !== path));
  });
  return known;
}

/** Throws EngineError where the list is broken. */
export function trustedProjects(home: string): TrustedProject[] {
  const list = Object.entries(openConfigFile(trustListPath(home)).read());
  return list.flatMap(([file, sha256]) =>
    typeof sha256 === "string" ? [{ file, sha256, current: contentHash(file) === sha256 }] : [],
  );
}

function contentHash(file: string): string | null {
  try {
    return openConfigFile(file).load().sha256;
  } catch {
    // Broken by now: not what was trusted.
    return null;
  }
}

/** In one go, so that no other change in this process comes between. */
function changeList(home: string, change: (list: JsonObject) => JsonObject): void {
  const list = openConfigFile(trustListPath(home));
  writePrivateFile(list.path, `${JSON.stringify(change(list.read()), null, 2)}\n`);
}

function withoutLinks(file: string): string | null {
  try {
    return realpathSync(file);
  } catch {
    // Not there, or not ours to look into: nobody can have meant it.
    return null;
  }
}
