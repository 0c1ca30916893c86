/** What the config files, one over the other, say about profiles. */
import type { Log } from "../lib/log.ts";
import { isObject, type JsonObject } from "./config-file.ts";
import { type ProfileEntry, readEntry } from "./profile-entry.ts";

export type ConfigLayer = { path: string; content: JsonObject };

export type ProfileSettings = {
  entries: Map<string, ProfileEntry>;
  /** The name that is selected, there or not; empty: none. */
  selected: string;
};

/** Later layers win, entry by entry. A broken entry is left out, and the log says why. */
export function mergeLayers(layers: readonly ConfigLayer[], log: Log): ProfileSettings {
  const stored = new Map<string, { value: unknown; path: string }>();
  let active = "";
  let fallback = "";
  for (const { path, content } of layers) {
    const section = (parent: JsonObject, key: string) => readSection(parent, key, path, log);
    const llm = section(section(content, "kollabor"), "llm");
    for (const [name, value] of Object.entries(section(llm, "profiles"))) {
      stored.set(name, { value, path });
    }
    active = readName(llm.active_profile) || active;
    fallback = readName(llm.default_profile) || fallback;
  }
  const entries = new Map<string, ProfileEntry>();
  for (const [name, { value, path }] of stored) {
    const read = readEntry(value);
    if ("entry" in read) entries.set(name, read.entry);
    else log.warn("Left out a broken profile", { path, profile: name, problem: read.problem });
  }
  return { entries, selected: active || fallback };
}

function readSection(parent: JsonObject, key: string, path: string, log: Log): JsonObject {
  const value = parent[key] ?? {};
  if (isObject(value)) return value;
  log.warn("Ignored a section of a config file: not an object", { path, section: key });
  return {};
}

/** A name, or an object that holds one. */
function readName(value: unknown): string {
  const name = isObject(value) ? value.name : value;
  return typeof name === "string" ? name.trim() : "";
}
