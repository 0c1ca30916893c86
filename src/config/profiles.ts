/** The provider profiles of this machine, as its files and the environment define them now. */
import { EngineError } from "../domain/errors.ts";
import type { Log } from "../lib/log.ts";
import { BUILTIN_PROFILES, DEFAULT_PROFILE } from "./builtin-profiles.ts";
import { type LoadedConfig, openConfigFile } from "./config-file.ts";
import { mergeLayers } from "./config-layers.ts";
import { type Environment, GLOBAL_PREFIX, readOverrides } from "./environment.ts";
import type { Secrets } from "./keyring.ts";
import { isCurrent, type Login, openLoginFile } from "./openai-login.ts";
import { kollabPaths, projectConfigPath } from "./paths.ts";
import type { LayeredProfile } from "./profile-entry.ts";
import { type MergedProfiles, mergeProfiles } from "./profile-merge.ts";
import { openTrustedProjects } from "./trusted-projects.ts";

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
  list(): LayeredProfile[];
  /** As in `list`. */
  get(name: string): LayeredProfile | null;
  /** The name that the user, or else the environment, selected. */
  active(): string;
  /**
   * The profile behind the name a client asked for, with its key, unless that is withheld; throws
   * `not_found`. Only the name `default` may lead to another profile, which `resolved` names.
   */
  resolve(requested: string): Promise<{ profile: LayeredProfile; resolved: string }>;
};

export function createProfiles({ home, directory, env, secrets, log }: ProfilesOptions): Profiles {
  const paths = kollabPaths(home);
  const homeConfig = openConfigFile(paths.config);
  const projectConfig = openConfigFile(projectConfigPath(directory));
  const trusted = openTrustedProjects(home, log);
  const loginFile = openLoginFile(paths.openaiLogin, log);
  const globals = readOverrides(GLOBAL_PREFIX, env, log);
  let last: { files: Files; merged: MergedProfiles } | null = null;

  const readFiles = (): Files => {
    const login = loginFile.read();
    const project = projectConfig.path === homeConfig.path ? NO_PROJECT : projectConfig.load();
    return {
      home: homeConfig.load(),
      project,
      trusted: project !== NO_PROJECT && trusted.includes(projectConfig.path, project.sha256),
      login: login !== null && isCurrent(login, Date.now()) ? login : null,
    };
  };

  const current = (): MergedProfiles => {
    const files = readFiles();
    if (last !== null && sameFiles(files, last.files)) return last.merged;
    const layers = [
      { layer: "home", path: homeConfig.path, content: files.home.content },
      { layer: "project", path: projectConfig.path, content: files.project.content },
    ] as const;
    const settings = mergeLayers(layers, log);
    const projectFile = { path: projectConfig.path, trusted: files.trusted };
    const { login } = files;
    const merged = mergeProfiles({ settings, projectFile, login, env, globals }, log);
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

type Files = { home: LoadedConfig; project: LoadedConfig; trusted: boolean; login: Login | null };

/** Where the engine runs in the home folder. */
const NO_PROJECT: LoadedConfig = { content: {}, sha256: "" };

const sameFiles = (one: Files, other: Files): boolean =>
  one.home === other.home &&
  one.project === other.project &&
  one.trusted === other.trusted &&
  one.login === other.login;

/** Where only a key is given: the model of the built-in profile that takes such keys. */
function withModel(profile: LayeredProfile): LayeredProfile {
  if (profile.provider !== "auto" || profile.model !== "") return profile;
  const [, builtin = ""] =
    PROFILE_OF_KEYS.find(([prefix]) => profile.apiKey.startsWith(prefix)) ?? [];
  return { ...profile, model: BUILTIN_PROFILES.get(builtin)?.model ?? "" };
}

const PROFILE_OF_KEYS = [
  ["sk-ant-", "claude"],
  ["sk-", "openai"],
] as const;
