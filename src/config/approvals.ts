/** What people approved for good in a project: one file for each, shared with other programs. */
import { join } from "node:path";
import { EngineError } from "../domain/errors.ts";
import type { JsonObject } from "../lib/json-object.ts";
import type { Log } from "../lib/log.ts";
import { changeConfigFile } from "./config-change.ts";
import { type ConfigFile, openConfigFile } from "./config-file.ts";
import { encodeProject, kollabPaths } from "./paths.ts";

export type ProjectApprovals = {
  /** What is in the file now. Never throws: a file that cannot be read approves nothing. */
  keys(): readonly string[];
  /** Resolves when they are in the file, with all that was in it before. */
  add(keys: readonly string[], signal: AbortSignal): Promise<void>;
  /** Resolves when they are not in the file any more. */
  remove(keys: readonly string[], signal: AbortSignal): Promise<void>;
};

export type Approvals = { forProject(project: string): ProjectApprovals };

/** Nobody reads that many; what comes after them approves nothing. */
const KEYS_MAX = 10_000;

export const approvalsPath = (home: string, project: string): string =>
  join(kollabPaths(home).projects, encodeProject(project), "permission_approvals.json");

export const openApprovals = (home: string, log: Log): Approvals => ({
  forProject: (project) => openProjectApprovals(approvalsPath(home, project), log),
});

function openProjectApprovals(path: string, log: Log): ProjectApprovals {
  const file = openConfigFile(path);
  let warned = "";
  return {
    keys() {
      try {
        return readKeys(file);
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        // Read before every call of a tool: said once for each thing that is wrong with it.
        if (problem !== warned)
          log.warn("The approvals of a project count for nothing", { problem });
        warned = problem;
        return [];
      }
    },
    async add(keys, signal) {
      await changeConfigFile(
        path,
        (content) => {
          const known = keysIn(path, content);
          const added = keys.filter((key) => !known.includes(key));
          if (added.length === 0) return content;
          if (known.length + added.length > KEYS_MAX)
            throw new EngineError(
              "conflict",
              `${path} holds ${KEYS_MAX} approvals; remove some first`,
            );
          return withKeys(content, [...known, ...added]);
        },
        signal,
      );
    },
    async remove(keys, signal) {
      const without = (content: JsonObject) => {
        const known = keysIn(path, content);
        const left = known.filter((key) => !keys.includes(key));
        return left.length === known.length ? content : withKeys(content, left);
      };
      await changeConfigFile(path, without, signal);
    },
  };
}

const withKeys = (content: JsonObject, keys: string[]): JsonObject => ({
  ...content,
  approved_keys: keys,
  updated_at: localTime(new Date()),
});

const readKeys = (file: ConfigFile): readonly string[] => keysIn(file.path, file.read());

function keysIn(path: string, content: Record<string, unknown>): string[] {
  const keys = content.approved_keys ?? [];
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string"))
    throw new EngineError("config_invalid", `${path}: approved_keys is no list of texts`);
  return keys.slice(0, KEYS_MAX);
}

/** As the programs that share the file write it: local time, six digits of a second. */
function localTime(now: Date): string {
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return `${local.toISOString().slice(0, -1)}000`;
}
