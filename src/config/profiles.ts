/** The provider profiles of this machine, as its files and the environment define them now. */
import { EngineError } from "../domain/errors.ts";
import type { Log } from "../lib/log.ts";
import { BUILTIN_PROFILES, DEFAULT_PROFILE } from "./builtin-profiles.ts";
import { type JsonObject, openConfigFile } from "./config-file.ts";
import { mergeLayers } from "./config-layers.ts";
import { type Environment, GLOBAL_PREFIX, readOverrides } from "./environment.ts";
import type { Secrets } from "./keyring.ts";
import { isCurrent, type Login, openLoginFile } from "./openai-login.ts";
import { kollabPaths, projectConfigPath } from "./paths.ts";
import type { ConfiguredProfile } from "./profile-entry.ts";
import { type MergedProfiles, mergeProfiles } from "./profile-merge.ts";

export type ProfilesOptions = {
  home: string;
  /** The engine's own directory, whose settings win over those of the home. */
  directory: string;
  env: Environment;
  secrets: Secrets;
  log: Log;
};

/** Every call sees the files as they are now, and throws `config_invalid` where one is broken. */
export type Profiles = {
  /** Nothing is looked up in the keyring: such a key is empty and its source says `keyring`. */
  list(): ConfiguredProfile[];
  /** As in `list`. */
  get(name: string): ConfiguredProfile | null;
  /** The name that the user, or else the environment, selected. */
  active(): string;
  /**
   * The profile behind the name a client asked for, with its key; throws `not_found`. Only the name
   * `default` may lead to another profile, which `resolved` names.
   */
  resolve(requested: string): Promise<{ profile: ConfiguredProfile; resolved: string }>;
};

export function createProfiles({ home, directory, env, secrets, log }: ProfilesOptions): Profiles {
  const paths = kollabPaths(home);
  const homeConfig = openConfigFile(paths.config);
  const projectConfig = openConfigFile(projectConfigPath(directory));
  const loginFile = openLoginFile(paths.openaiLogin, log);
  const globals = readOverrides(GLOBAL_PREFIX, env, log);
  let last: { files: Files; merged: MergedProfiles } | null = null;

  const readFiles = (): Files => {
    const login = loginFile.read();
    return {
      home: homeConfig.read(),
      project: projectConfig.path === homeConfig.path ? {} : projectConfig.read(),
      login: login !== null && isCurrent(login, Date.now()) ? login : null,
    };
  };

  const current = (): MergedProfiles => {
    const files = readFiles();
    if (last !== null && sameFiles(files, last.files)) return last.merged;
    const layers = [
      { path: homeConfig.path, content: files.home },
      { path: projectConfig.path, content: files.project },
    ];
    const settings = mergeLayers(layers, log);
    const merged = mergeProfiles({ settings, login: files.login, env, globals }, log);
    last = { files, merged };
    return merged;
  };

  return {
    list: () => [...current().byName.values()].map(({ profile }) => profile),
    get: (name) => current().byName.get(name)?.profile ?? null,
    active: () => current().active,
    async resolve(requested) {
      const { byName, meantByDefault } = current();
      const resolved = requested === DEFAULT_PROFILE ? meantByDefault : requested;
      const found = byName.get(resolved);
      if (found === undefined) {
        throw new EngineError("not_found", `Profile '${requested}' not found`);
      }
      const { profile, account } = found;
      const apiKey = account === null ? profile.apiKey : ((await secrets.get(account)) ?? "");
      return { profile: withModel({ ...profile, apiKey }), resolved };
    },
  };
}

type Files = { home: JsonObject; project: JsonObject; login: Login | null };

const sameFiles = (one: Files, other: Files): boolean =>
  one.home === other.home && one.project === other.project && one.login === other.login;

/** Where only a key is given: the model of the built-in profile that takes such keys. */
function withModel(profile: ConfiguredProfile): ConfiguredProfile {
  if (profile.provider !== "auto" || profile.model !== "") return profile;
  const [, builtin = ""] =
    PROFILE_OF_KEYS.find(([prefix]) => profile.apiKey.startsWith(prefix)) ?? [];
  return { ...profile, model: BUILTIN_PROFILES.get(builtin)?.model ?? "" };
}

const PROFILE_OF_KEYS = [
  ["sk-ant-", "claude"],
  ["sk-", "openai"],
] as const;
