import { expect, test } from "bun:test";
import { readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../../src/config/environment.ts";
import { createProfiles } from "../../src/config/profiles.ts";
import { trustListPath, trustProject } from "../../src/config/trusted-projects.ts";
import { recordedLog } from "../support/recorded-log.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const HOME_CONFIG = "home/.kollab/config.json";
const PROJECT_CONFIG = "project/.kollab/config.json";
const GATEWAY = "https://gateway.example/v1";
const EVIL = "https://evil.example/v1";

type Entry = Record<string, unknown>;
type Clone = { home?: Entry; project?: Entry; env?: Environment; name?: string; login?: object };

const work = (entry: Entry, name: string) => ({
  kollabor: { llm: { profiles: { [name]: { provider: "openai", model: "m", ...entry } } } },
});

/** An engine of a folder whose own settings have an entry `work`. */
function cloneIn(folder: TemporaryFolder, { home, project, env, login, name = "work" }: Clone) {
  const { log, lines } = recordedLog();
  const lookups: string[] = [];
  const get = async (account: string) => {
    lookups.push(account);
    return "from keyring";
  };
  if (home) folder.write(HOME_CONFIG, work(home, name));
  if (project) folder.write(PROJECT_CONFIG, work(project, name));
  if (login) folder.write("home/.kollab/oauth/openai.json", login);
  const profiles = createProfiles({
    home: join(folder.path, "home"),
    directory: join(folder.path, "project"),
    env: env ?? {},
    secrets: { get },
    log,
  });
  return { profiles, lookups, lines };
}

const GLOBAL = { KOLLAB_API_KEY: "from env" };
const OWN = { KOLLAB_WORK_API_KEY: "from env" };
const REFERENCE = { api_key: "secret:keyring:mine" };
const HOST_HEADER = { extra_headers: { hOST: "evil.example" } };
const LOGIN = { access_token: "from-login", refresh_token: "r" };

test.each<[string, Clone]>([
  ["the variable for all", { project: { base_url: EVIL }, env: GLOBAL }],
  ["the variable of its name", { project: { base_url: EVIL }, env: OWN }],
  ["the keyring", { project: { base_url: EVIL, ...REFERENCE } }],
  ["a variable that wins over its own", { project: { base_url: EVIL, api_key: "x" }, env: GLOBAL }],
  [
    "another host than home's",
    { home: { base_url: GATEWAY }, project: { base_url: EVIL }, env: OWN },
  ],
  [
    "another port than home's",
    {
      home: { base_url: GATEWAY },
      project: { base_url: "https://gateway.example:8443" },
      env: OWN,
    },
  ],
  [
    "a host that only looks local",
    { project: { base_url: "http://localhost.evil.example" }, env: OWN },
  ],
  [
    "a name that looks like this machine's user",
    { project: { base_url: "https://127.0.0.1@evil.example" }, env: OWN },
  ],
  ["what is no address", { project: { base_url: "evil" }, env: OWN }],
  ["the name of another host", { project: HOST_HEADER, env: OWN }],
  [
    "the name of another host at home's",
    { home: { base_url: GATEWAY }, project: { base_url: GATEWAY, ...HOST_HEADER }, env: OWN },
  ],
  [
    "a vendor's key",
    { name: "openai-auto", project: HOST_HEADER, env: { OPENAI_API_KEY: "from env" } },
  ],
  ["a login", { name: "openai-oauth", project: HOST_HEADER, login: LOGIN }],
])("a project gets no key from outside its file: %s", async (_, clone) => {
  using folder = temporaryFolder();
  const { profiles, lookups } = cloneIn(folder, clone);
  const { profile } = await profiles.resolve(clone.name ?? "work");
  expect(profile).toMatchObject({ apiKey: "", apiKeySource: "none" });
  expect(profile.withheld).toContain(join(folder.path, PROJECT_CONFIG));
  expect(lookups).toEqual([]);
});

test.each<[string, Clone, string]>([
  ["the vendor's host", { project: {}, env: GLOBAL }, "from env"],
  ["the vendor's host, from the keyring", { project: REFERENCE }, "from keyring"],
  ["this machine", { project: { base_url: "http://127.0.0.1:1234/v1" }, env: GLOBAL }, "from env"],
  [
    "this machine by name",
    { project: { base_url: "http://localhost/v1", ...REFERENCE } },
    "from keyring",
  ],
  [
    "the host of home's entry",
    { home: { base_url: GATEWAY }, project: { base_url: `${GATEWAY}/other` }, env: OWN },
    "from env",
  ],
  [
    "where a variable says",
    { project: { base_url: EVIL }, env: { ...OWN, KOLLAB_BASE_URL: GATEWAY } },
    "from env",
  ],
  ["its host with a key of its file", { project: { base_url: EVIL, api_key: "own" } }, "own"],
  ["its host without a key", { project: { base_url: EVIL } }, ""],
  ["where the home alone says", { home: { base_url: EVIL, ...REFERENCE } }, "from keyring"],
])("a profile gets its key for %s", async (_, clone, key) => {
  using folder = temporaryFolder();
  const { profiles } = cloneIn(folder, clone);
  const { profile } = await profiles.resolve("work");
  expect(profile).toMatchObject({ apiKey: key, withheld: null });
});

test("each profile knows where it is set", () => {
  using folder = temporaryFolder();
  const env = { ANTHROPIC_API_KEY: "k" };
  const { profiles } = cloneIn(folder, { home: {}, env, login: LOGIN });
  folder.write(PROJECT_CONFIG, work({}, "theirs"));
  expect(profiles.list().map(({ name, layer }) => [name, layer])).toEqual([
    ["default", "built-in"],
    ["local", "built-in"],
    ["claude", "built-in"],
    ["openai", "built-in"],
    ["offline", "built-in"],
    ["work", "home"],
    ["theirs", "project"],
    ["openai-oauth", "login"],
    ["anthropic-auto", "environment"],
  ]);
});

test("trust counts at the next call, for the content it was given for, and no other project", async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const file = join(folder.path, PROJECT_CONFIG);
  const { profiles } = cloneIn(folder, { project: { base_url: EVIL }, env: OWN });
  const key = async () => (await profiles.resolve("work")).profile.apiKey;
  const trusted = readFileSync(
    folder.write(PROJECT_CONFIG, work({ base_url: EVIL }, "work")),
    "utf8",
  );
  expect(await key()).toBe("");

  trustProject(home, folder.write("other/.kollab/config.json", trusted));
  expect(await key()).toBe("");
  trustProject(home, file);
  expect(await key()).toBe("from env");

  folder.write(PROJECT_CONFIG, work({ base_url: `${EVIL}/changed` }, "work"));
  expect(await key()).toBe("");
  folder.write(PROJECT_CONFIG, trusted);
  expect(await key()).toBe("from env");
});

test("the list has the path without links and the content's SHA-256, for its owner only", () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const file = folder.write(PROJECT_CONFIG, "{}");
  symlinkSync(join(folder.path, "project"), join(folder.path, "link"));
  trustProject(home, join(folder.path, "link/.kollab/config.json"));
  const list = trustListPath(home);
  expect(list).toBe(join(home, ".kollab/engine/trusted-projects.json"));
  expect(JSON.parse(readFileSync(list, "utf8"))).toEqual({
    [file]: new Bun.CryptoHasher("sha256").update("{}").digest("hex"),
  });
  expect(statSync(list).mode & 0o777).toBe(0o600);
});

test.each(["{ broken", "[]"])(
  "a list that is %j trusts nobody, and is not overwritten",
  async (text) => {
    using folder = temporaryFolder();
    const home = join(folder.path, "home");
    const { profiles, lines } = cloneIn(folder, { project: { base_url: EVIL }, env: OWN });
    folder.write("home/.kollab/engine/trusted-projects.json", text);
    expect((await profiles.resolve("work")).profile.apiKey).toBe("");
    expect(lines[0]?.msg ?? lines[0]?.message).toBe(
      "No project is trusted: the list cannot be read",
    );
    expect(() => trustProject(home, join(folder.path, PROJECT_CONFIG))).toThrow(
      "trusted-projects.json line 1",
    );
    expect(readFileSync(trustListPath(home), "utf8")).toBe(text);
  },
);

test("what is not there, or broken, cannot be trusted", () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const file = join(folder.path, PROJECT_CONFIG);
  expect(() => trustProject(home, file)).toThrow(`${file} cannot be found`);
  folder.write(PROJECT_CONFIG, "{ broken");
  expect(() => trustProject(home, file)).toThrow(`${file} line 1 column 3`);
});
