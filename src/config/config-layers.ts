/** What the config files, one over the other, say about profiles. */
import { isObject, type JsonObject } from "../lib/json-object.ts";
import type { Log } from "../lib/log.ts";
import { type ProfileEntry, readEntry } from "./profile-entry.ts";

export type ConfigLayer = { layer: "home" | "project"; path: string; content: JsonObject };

export type ProfileSettings = {
  entries: Map<string, ProfileEntry>;
  /** Those of the project, by name: the base URL of the home's entry that each replaced, or empty. */
  fromProject: Map<string, string>;
  /** The name that is selected, there or not; empty: none. */
  selected: string;
};

/** Later layers win, entry by entry. A broken entry is left out, and the log says why. */
export function mergeLayers(layers: readonly ConfigLayer[], log: Log): ProfileSettings {
  const stored = new Map<string, StoredEntry>();
  let active = "";
  let fallback = "";
  for (const { layer, path, content } of layers) {
    const section = (parent: JsonObject, key: string) => readSection(parent, key, path, log);
    const llm = section(section(content, "kollabor"), "llm");
    for (const [name, value] of Object.entries(section(llm, "profiles"))) {
      stored.set(name, { value, path, layer, replaced: stored.get(name)?.value });
    }
    active = readName(llm.active_profile) || active;
    fallback = readName(llm.default_profile) || fallback;
  }
  const entries = new Map<string, ProfileEntry>();
  const fromProject = new Map<string, string>();
  for (const [name, { value, path, layer, replaced }] of stored) {
    const read = readEntry(value);
    if (layer === "project") fromProject.set(name, baseUrlOf(replaced));
    if ("entry" in read) entries.set(name, read.entry);
    else log.warn("Left out a broken profile", { path, profile: name, problem: read.problem });
  }
  return { entries, fromProject, selected: active || fallback };
}

type StoredEntry = {
  value: unknown;
  path: string;
  layer: ConfigLayer["layer"];
  replaced: unknown;
};

function baseUrlOf(stored: unknown): string {
  const read = readEntry(stored);
  return "entry" in read ? read.entry.baseUrl : "";
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
