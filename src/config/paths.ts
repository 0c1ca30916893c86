/** Where the engine's files are. Everything hangs on the home folder, which is always passed in. */
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

export type KollabPaths = {
  root: string;
  /** Shared with other programs. */
  config: string;
  token: string;
  openaiLogin: string;
  projects: string;
  /** The engine's own data. */
  engineDir: string;
  /** Where the engine listens. */
  engineFile: string;
};

export function kollabPaths(home: string): KollabPaths {
  const root = join(home, ".kollab");
  return {
    root,
    config: join(root, "config.json"),
    token: join(root, "engine.token"),
    openaiLogin: join(root, "oauth", "openai.json"),
    projects: join(root, "projects"),
    engineDir: join(root, "engine"),
    engineFile: join(root, "engine", "engine.json"),
  };
}

/** The layer of settings that a project brings along. */
export const projectConfigPath = (directory: string): string =>
  join(directory, ".kollab", "config.json");

/** A folder's path as one file name, as all programs of the family write it; it cannot be undone. */
export const encodeProject = (path: string): string =>
  resolveLinks(resolve(path)).replaceAll(/[/\\]/g, "_").replace(/^_+/, "");

/** Named after the minute of the start, local time. */
export function logFilePath(home: string, directory: string, now: Date): string {
  const two = (part: number) => String(part).padStart(2, "0");
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const name = `kollab-engine-${day}-${two(now.getHours())}${two(now.getMinutes())}.log`;
  return join(kollabPaths(home).projects, encodeProject(directory), "logs", name);
}

/** Follows links in the part of the path that exists. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there, or not ours to look into: its name stays as it is.
    const parent = dirname(path);
    return parent === path ? path : join(resolveLinks(parent), basename(path));
  }
}
