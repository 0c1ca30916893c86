/** From everything that defines profiles to the list of them, and to what `default` stands for. */
import type { Log } from "../lib/log.ts";
import {
  BUILTIN_PROFILES,
  DEFAULT_PROFILE,
  OFFLINE_PROFILE,
  WRITTEN_UNASKED,
} from "./builtin-profiles.ts";
import type { ProfileSettings } from "./config-layers.ts";
import { type Environment, type Overrides, profilePrefix, readOverrides } from "./environment.ts";
import { LOGIN_PROFILE, type Login, loginEntry } from "./openai-login.ts";
import {
  type ApiKey,
  type LayeredProfile,
  type ProfileEntry,
  type ProfileLayer,
  readStoredKey,
  toProfile,
  withOverrides,
} from "./profile-entry.ts";
import { type ProjectFile, whyWithheld } from "./project-keys.ts";
import { vendorEntries } from "./vendor-keys.ts";

export type ProfileInputs = {
  settings: ProfileSettings;
  projectFile: ProjectFile;
  /** One that can be used now. */
  login: Login | null;
  env: Environment;
  /** What the environment says about every profile. */
  globals: Overrides;
};

export type MergedProfiles = {
  /** In the order in which they are listed. */
  byName: ReadonlyMap<string, MergedProfile>;
  active: string;
  meantByDefault: string;
};

/** `account`: where in the keyring its key is; null: not there. */
export type MergedProfile = { profile: LayeredProfile; account: string | null };

export function mergeProfiles(inputs: ProfileInputs, log: Log): MergedProfiles {
  const { env, settings } = inputs;
  const vendors = vendorEntries(env, settings.entries);
  const candidates = new Map<string, Candidate>();
  for (const [name, source] of collectSources(inputs, vendors)) {
    const own = readOverrides(profilePrefix(name), env, log);
    candidates.set(name, toCandidate(name, source, { ...inputs, own }));
  }
  const selected = existing(settings.selected, candidates, log);
  const detected = vendors.keys().next().value ?? (inputs.login === null ? null : LOGIN_PROFILE);
  return { byName: candidates, ...choose(candidates, selected, detected) };
}

type Origin = "builtin" | "config" | "login" | "vendor";
type Source = { entry: ProfileEntry; origin: Origin };

/** Setting a name again keeps its place in the list. */
function collectSources(
  { settings, login }: ProfileInputs,
  vendors: ReadonlyMap<string, ProfileEntry>,
): Map<string, Source> {
  const sources = new Map<string, Source>();
  for (const [name, entry] of BUILTIN_PROFILES) sources.set(name, { entry, origin: "builtin" });
  for (const [name, entry] of settings.entries) sources.set(name, { entry, origin: "config" });
  if (login !== null) {
    const entry = loginEntry(login, settings.entries.get(LOGIN_PROFILE));
    sources.set(LOGIN_PROFILE, { entry, origin: "login" });
  }
  for (const [name, entry] of vendors) sources.set(name, { entry, origin: "vendor" });
  return sources;
}

type Candidate = MergedProfile & {
  origin: Origin;
  /** Whether it says by itself, or by variables of its own name, what to talk to. */
  selfContained: boolean;
  /** The same, variables for every profile included. */
  complete: boolean;
};

function toCandidate(
  name: string,
  source: Source,
  inputs: ProfileInputs & { own: Overrides },
): Candidate {
  const { entry, origin } = source;
  const { general, special } = applicable(source, inputs.globals, inputs.own);
  const merged = withOverrides(withOverrides(entry, general), special);
  const variable = special.apiKey ?? general.apiKey ?? null;
  const stored = readStoredKey(entry.apiKey);
  const found = variable === null ? keyOf(source) : { key: variable, source: "env" as const };
  const addressed = special.baseUrl ?? general.baseUrl;
  const withheld = withheldFrom(name, source, found, addressed !== undefined, inputs);
  const apiKey = withheld === null ? found : NO_KEY;
  return {
    profile: {
      ...toProfile(name, merged, apiKey, BUILTIN_PROFILES.has(name)),
      layer: layerOf(name, origin, inputs.settings),
      withheld,
    },
    account: apiKey.source === "keyring" && stored.source === "keyring" ? stored.account : null,
    origin,
    selfContained: saysWhatToTalkTo(withOverrides(entry, special)),
    complete: saysWhatToTalkTo(merged),
  };
}

const NO_KEY: ApiKey = { key: "", source: "none" };

/** Only a key from outside the project's own file is withheld; `addressed`: a variable says where to. */
function withheldFrom(
  name: string,
  { entry, origin }: Source,
  found: ApiKey,
  addressed: boolean,
  { settings, projectFile }: ProfileInputs,
): string | null {
  const homeBaseUrl = settings.fromProject.get(name);
  if (homeBaseUrl === undefined || found.source === "none" || found.source === "config")
    return null;
  const baseUrl = origin === "config" && !addressed ? entry.baseUrl : "";
  return whyWithheld(name, { baseUrl, homeBaseUrl, extraHeaders: entry.extraHeaders }, projectFile);
}

function layerOf(name: string, origin: Origin, { fromProject }: ProfileSettings): ProfileLayer {
  switch (origin) {
    case "builtin":
      return "built-in";
    case "config":
      return fromProject.has(name) ? "project" : "home";
    case "login":
      return "login";
    case "vendor":
      return "environment";
    default:
      return origin satisfies never;
  }
}

/** No variable changes the offline model, or sends a login anywhere but where it belongs. */
function applicable(
  { entry, origin }: Source,
  globals: Overrides,
  own: Overrides,
): { general: Overrides; special: Overrides } {
  if (entry.provider === "offline") return { general: {}, special: {} };
  if (origin !== "login") return { general: globals, special: own };
  const notForLogins = { provider: undefined, baseUrl: undefined, apiKey: undefined };
  return { general: { ...globals, ...notForLogins }, special: { ...own, ...notForLogins } };
}

function keyOf({ entry, origin }: Source): ApiKey {
  if (origin === "login") return { key: entry.apiKey, source: "oauth" };
  if (origin === "vendor") return { key: entry.apiKey, source: "env" };
  const stored = readStoredKey(entry.apiKey);
  return { key: stored.source === "config" ? stored.key : "", source: stored.source };
}

/** `auto` alone does not; it can tell the vendor by the first letters of a key. */
function saysWhatToTalkTo({ provider, model, apiKey }: ProfileEntry): boolean {
  if (provider !== "auto" || model !== "") return true;
  return apiKey.startsWith("sk-") || readStoredKey(apiKey).source === "keyring";
}

/** Null: nothing but `default` is selected. */
function existing(
  selected: string,
  candidates: ReadonlyMap<string, Candidate>,
  log: Log,
): string | null {
  if (selected === "" || selected === DEFAULT_PROFILE) return null;
  if (candidates.has(selected)) return selected;
  log.warn("The selected profile does not exist", { profile: selected });
  return null;
}

/**
 * What `default` means: the entry of that name if it says enough by itself, else what is selected,
 * else that entry with KOLLAB_* variables, else what the environment offers, else the first other
 * profile of the config files. The offline model only where there is none of these.
 */
function choose(
  candidates: ReadonlyMap<string, Candidate>,
  selected: string | null,
  detected: string | null,
): { active: string; meantByDefault: string } {
  const literal = candidates.get(DEFAULT_PROFILE);
  if (literal?.selfContained) {
    return { active: selected ?? DEFAULT_PROFILE, meantByDefault: DEFAULT_PROFILE };
  }
  if (selected !== null) return { active: selected, meantByDefault: selected };
  if (literal?.complete) return { active: DEFAULT_PROFILE, meantByDefault: DEFAULT_PROFILE };
  if (detected !== null) return { active: detected, meantByDefault: detected };
  return { active: DEFAULT_PROFILE, meantByDefault: firstOther(candidates) ?? OFFLINE_PROFILE };
}

function firstOther(candidates: ReadonlyMap<string, Candidate>): string | null {
  for (const [name, { origin, complete }] of candidates) {
    if (origin === "config" && complete && !WRITTEN_UNASKED.includes(name)) return name;
  }
  return null;
}
