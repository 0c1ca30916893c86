/** What is configured, missing and reachable, found out without changing anything. No secret is in it. */
import { access, constants, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openConfigFile } from "../config/config-file.ts";
import { findEngineUrl } from "../config/engine-file.ts";
import { createKeyring, systemLookups } from "../config/keyring.ts";
import { findLocalServers, type LocalServer } from "../config/local-servers.ts";
import { kollabPaths, projectConfigPath } from "../config/paths.ts";
import type { LayeredProfile } from "../config/profile-entry.ts";
import { createProfiles, type Profiles } from "../config/profiles.ts";
import { EngineError, toEngineError } from "../domain/errors.ts";
import type { Profile } from "../domain/profile.ts";
import type { Log } from "../lib/log.ts";
import { DEFAULT_DEADLINES, resolveEndpoint } from "../providers/endpoint.ts";
import { COMMIT, VERSION } from "../version.ts";
import { attachedClient, call } from "./client.ts";

/** A keyring that has to be unlocked first is not waited for. */
const KEYRING_TIMEOUT_MS = 3_000;
const ENGINE_TIMEOUT_MS = 2_000;
const SERVER_TIMEOUT_MS = 500;

/** `problem`: in one line what is wrong; null: nothing is. */
export type Diagnosis = {
  usable: boolean;
  version: string;
  commit: string;
  data_dir: { path: string; problem: string | null };
  running_engine: RunningEngine;
  config_files: { path: string; exists: boolean; problem: string | null }[];
  warnings: string[];
  default_profile: { name: string | null; problem: string | null };
  profiles: ProfileFinding[];
  local_servers: LocalServer[];
  programs: { name: string; path: string | null; needed: boolean }[];
};

export type RunningEngine = {
  /** Null: none says that it runs. */
  url: string | null;
  state: "none" | "refuses_token" | "answers";
  version: string | null;
};

/** `layer`: where it is set. `key`: where that comes from, or that it was withheld. */
export type ProfileFinding = {
  name: string;
  layer: string;
  provider: string;
  model: string;
  key: string;
  problem: string | null;
};

export type DiagnosisOptions = {
  home: string;
  directory: string;
  env: Record<string, string | undefined>;
  dataDir: string;
  /** Null: where the engine of this home says that it is. */
  url: string | null;
};

export async function diagnose(options: DiagnosisOptions): Promise<Diagnosis> {
  const { home, directory, env, dataDir, url } = options;
  const warnings = new Set<string>();
  const log = noteTaker(warnings);
  const secrets = createKeyring(systemLookups(env), log, KEYRING_TIMEOUT_MS);
  const profiles = createProfiles({ home, directory, env, log, secrets });
  const config_files = await Promise.all(configPaths(home, directory).map(checkConfig));
  const intact = config_files.every(({ problem }) => problem === null);
  const [data_dir, default_profile, running_engine, local_servers] = await Promise.all([
    checkFolder(dataDir),
    intact ? checkDefault(profiles) : { name: null, problem: "the config files are broken" },
    findEngine(url, home),
    findLocalServers(AbortSignal.timeout(ENGINE_TIMEOUT_MS)),
  ]);
  const programs = PROGRAMS.map((program) => ({
    ...program,
    path: Bun.which(program.name, { PATH: env.PATH ?? "" }),
  }));
  const problems = [data_dir, default_profile, ...config_files].map(({ problem }) => problem);
  const missing = programs.filter(({ needed, path }) => needed && path === null);
  return {
    usable: missing.length === 0 && problems.every((problem) => problem === null),
    version: VERSION,
    commit: COMMIT,
    data_dir,
    running_engine,
    config_files,
    warnings: [...warnings],
    default_profile,
    profiles: intact ? profiles.list().map(checkProfile) : [],
    local_servers,
    programs,
  };
}

const PROGRAMS = [
  { name: "sh", needed: true },
  { name: "git", needed: false },
  { name: "rg", needed: false },
];

/** What the parts warn about while they are looked at; fields never hold a secret. */
function noteTaker(notes: Set<string>): Log {
  const note = (message: string, fields: object = {}) => {
    const details = Object.entries(fields).map(
      ([name, value]) => `${name} ${value instanceof Error ? value.message : value}`,
    );
    notes.add([message, details.join(", ")].filter(Boolean).join(": "));
  };
  return { debug() {}, info() {}, warn: note, error: note };
}

const configPaths = (home: string, directory: string): string[] => [
  ...new Set([kollabPaths(home).config, projectConfigPath(directory)]),
];

async function checkConfig(path: string) {
  try {
    openConfigFile(path).read();
    return { path, exists: await exists(path), problem: null };
  } catch (error) {
    return { path, exists: true, problem: toEngineError(error).message };
  }
}

/** Whether it is there and can be written to, or could be made. */
async function checkFolder(path: string): Promise<Diagnosis["data_dir"]> {
  let place = path;
  while (!(await exists(place)) && dirname(place) !== place) place = dirname(place);
  const database = join(path, "engine.db");
  const problem =
    (await writeProblem(place, constants.W_OK | constants.X_OK)) ??
    ((await exists(database)) ? await writeProblem(database, constants.W_OK) : null);
  return { path, problem };
}

async function writeProblem(path: string, mode: number): Promise<string | null> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    if ((mode & constants.X_OK) !== 0 && !isFolder) return `${path} is not a folder`;
    await access(path, mode);
    return null;
  } catch {
    // Which of several reasons it is matters less than where.
    return `${path} cannot be written to`;
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function findEngine(address: string | null, home: string): Promise<RunningEngine> {
  const url = address ?? findEngineUrl(kollabPaths(home).engineFile);
  if (url === null) return { url, version: null, state: "none" };
  const client = attachedClient(url, home);
  const limit = AbortSignal.timeout(ENGINE_TIMEOUT_MS);
  const get = <Reply>(path: string) => call<Reply>(client, { method: "GET", path }, limit);
  let version: string | null = null;
  try {
    version = (await get<{ engine: string }>("/version")).engine;
    await get("/sessions");
    return { url, version, state: "answers" };
  } catch (error) {
    // Nothing listens there, or something that is no engine, or one that keeps us waiting.
    const refuses = error instanceof EngineError && error.code === "unauthorized";
    return { url, version, state: refuses ? "refuses_token" : "none" };
  }
}

/** The profile that answers where none is named; the only one whose key is looked up. */
async function checkDefault(profiles: Profiles): Promise<Diagnosis["default_profile"]> {
  const { profile, resolved } = await profiles.resolve("default");
  const problem = profile.withheld ?? findFault(profile) ?? (await reachProblem(profile));
  return { name: resolved, problem };
}

function checkProfile(profile: LayeredProfile): ProfileFinding {
  const { name, provider, model, layer, withheld, apiKeySource } = profile;
  if (withheld !== null)
    return { name, layer, provider, model, key: "withheld", problem: withheld };
  const problem = apiKeySource === "keyring" ? null : findFault(profile);
  return { name, layer, provider, model, key: apiKeySource, problem };
}

/** Why no request can be sent for it. */
function findFault(profile: Profile): string | null {
  if (profile.provider === "offline") return null;
  try {
    resolveEndpoint(profile, DEFAULT_DEADLINES);
    return null;
  } catch (error) {
    return toEngineError(error).message;
  }
}

/** Other machines are not asked. */
async function reachProblem(profile: Profile): Promise<string | null> {
  if (profile.provider === "offline") return null;
  const { baseUrl, loopback } = resolveEndpoint(profile, DEFAULT_DEADLINES);
  if (!loopback) return null;
  const signal = AbortSignal.timeout(SERVER_TIMEOUT_MS);
  try {
    await fetch(baseUrl, { method: "HEAD", redirect: "manual", proxy: false, signal });
    return null;
  } catch {
    // Whatever the reason, a request would have it, too.
    return `nothing answers at ${baseUrl}`;
  }
}
