/** The user's settings that are no profiles, read when they are needed. */
import { isObject } from "../lib/json-object.ts";
import type { Log } from "../lib/log.ts";
import { openConfigFile } from "./config-file.ts";
import { kollabPaths } from "./paths.ts";

export type Settings = {
  /** `kollabor.llm.question_gate_enabled`: whether a `<question>` in a reply ends its turn. */
  questionGate(): boolean;
};

/** A file that cannot be read leaves every setting as it is by default; the log says so. */
export function openSettings(home: string, log: Log): Settings {
  const file = openConfigFile(kollabPaths(home).config);
  return {
    questionGate() {
      try {
        return at(file.read(), "kollabor", "llm", "question_gate_enabled") !== false;
      } catch (error) {
        log.warn("Settings cannot be read", { error });
        return true;
      }
    },
  };
}

function at(content: unknown, ...path: string[]): unknown {
  let value = content;
  for (const key of path) value = isObject(value) ? value[key] : undefined;
  return value;
}
