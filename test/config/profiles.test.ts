import { expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../../src/config/environment.ts";
import { createProfiles } from "../../src/config/profiles.ts";
import { EngineError } from "../../src/domain/errors.ts";
import { recordedLog } from "../support/recorded-log.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

type Llm = { profiles?: unknown; active_profile?: unknown; default_profile?: unknown };
type Machine = {
  home?: Llm;
  project?: Llm;
  env?: Environment;
  login?: object | string;
  keyring?: Record<string, string>;
};

const HOME_CONFIG = "home/.kollab/config.json";
const PROJECT_CONFIG = "project/.kollab/config.json";
const LOGIN = "home/.kollab/oauth/openai.json";

const configOf = (llm: Llm) => ({ kollabor: { llm } });

function profilesOn(folder: TemporaryFolder, machine: Machine) {
  const { log, lines } = recordedLog();
  const lookups: string[] = [];
  if (machine.home) folder.write(HOME_CONFIG, configOf(machine.home));
  if (machine.project) folder.write(PROJECT_CONFIG, configOf(machine.project));
  if (machine.login) folder.write(LOGIN, machine.login);
  const profiles = createProfiles({
    home: join(folder.path, "home"),
    directory: join(folder.path, "project"),
    env: machine.env ?? {},
    secrets: {
      async get(account) {
        lookups.push(account);
        return machine.keyring?.[account] ?? null;
      },
    },
    log,
  });
  return { profiles, lines, lookups };
}

const custom = (model: string, more: object = {}) => ({ provider: "custom", model, ...more });
const BUILTINS = ["default", "local", "claude", "openai", "offline"];

test("without any setting there are the built-in profiles, and nothing is created", () => {
  using folder = temporaryFolder();
  const { profiles, lines } = profilesOn(folder, {});
  expect(
    profiles
      .list()
      .map(({ name, provider, model, baseUrl, temperature, apiKeySource, builtin }) => [
        name,
        provider,
        model,
        baseUrl,
        temperature,
        apiKeySource,
        builtin,
      ]),
  ).toEqual([
    ["default", "auto", "", "", 0.7, "none", true],
    ["local", "custom", "qwen3-4b", "http://localhost:1234/v1", 0.7, "none", true],
    ["claude", "anthropic", "claude-sonnet-4-6", "", 0.7, "none", true],
    ["openai", "openai", "gpt-5.4", "", 0.7, "none", true],
    ["offline", "offline", "offline", "", 0.7, "none", true],
  ]);
  expect(profiles.active()).toBe("default");
  expect(readdirSync(folder.path)).toEqual([]);
  expect(lines).toEqual([]);
});

test("every field of an entry is read, and what is not there has its default", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    home: {
      profiles: {
        full: {
          provider: "openai",
          model: "gpt",
          base_url: "https://x/v1",
          api_key: "plain",
          temperature: 0.2,
          max_tokens: 100,
          top_p: 0.9,
          timeout: 30,
          streaming: false,
          supports_tools: false,
          supports_images: true,
          extra_headers: { "X-Team": "a" },
          auth_type: "key",
          description: "mine",
          unknown_to_us: { kept: true },
        },
        bare: { provider: "whatever" },
      },
    },
  });
  expect(profiles.get("full")).toEqual({
    name: "full",
    provider: "openai",
    model: "gpt",
    baseUrl: "https://x/v1",
    apiKey: "plain",
    apiKeySource: "config",
    temperature: 0.2,
    maxTokens: 100,
    topP: 0.9,
    timeout: 30,
    timeoutMs: 30_000,
    streaming: false,
    supportsTools: false,
    supportsImages: true,
    extraHeaders: { "X-Team": "a" },
    authType: "key",
    description: "mine",
    builtin: false,
    layer: "home",
    withheld: null,
  });
  expect(profiles.get("bare")).toEqual({
    name: "bare",
    provider: "whatever",
    model: "",
    baseUrl: "",
    apiKey: "",
    apiKeySource: "none",
    temperature: 0.7,
    maxTokens: null,
    topP: null,
    timeout: 0,
    timeoutMs: 0,
    streaming: true,
    supportsTools: true,
    supportsImages: null,
    extraHeaders: {},
    authType: "",
    description: "",
    builtin: false,
    layer: "home",
    withheld: null,
  });
  expect(profiles.get("nobody")).toBeNull();
});

test.each([
  [0, 0],
  [30, 30_000],
  [120, 120_000],
  [999, 999_000],
  [1000, 1000],
  [30_000, 30_000],
])("a stored timeout of %d is %d ms", (timeout, timeoutMs) => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, { home: { profiles: { a: custom("m", { timeout }) } } });
  expect(profiles.get("a")).toMatchObject({ timeout, timeoutMs });
});

test("the list is in load order, and an entry with a built-in's name takes its place", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    home: { profiles: { zeta: custom("z"), claude: custom("mine") } },
    project: { profiles: { alpha: custom("a"), zeta: custom("project's") } },
    env: { OPENAI_API_KEY: "k1", MOONSHOT_API_KEY: "k2", ANTHROPIC_API_KEY: "k3" },
    login: { access_token: "t" },
  });
  expect(profiles.list().map(({ name }) => name)).toEqual([
    ...BUILTINS,
    "zeta",
    "alpha",
    "openai-oauth",
    "anthropic-auto",
    "openai-auto",
    "kimi-auto",
  ]);
  expect(profiles.get("claude")).toMatchObject({ model: "mine", builtin: true });
});

test("a project's entry replaces the home's whole entry", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    home: { profiles: { a: custom("m", { description: "home", top_p: 0.5 }) } },
    project: { profiles: { a: custom("n") } },
  });
  expect(profiles.get("a")).toMatchObject({ model: "n", description: "", topP: null });
});

test("an engine that runs in the home folder reads its one file once", () => {
  using folder = temporaryFolder();
  folder.write(".kollab/config.json", configOf({ profiles: { bad: 1, good: custom("m") } }));
  const { log, lines } = recordedLog();
  const profiles = createProfiles({
    home: folder.path,
    directory: folder.path,
    env: {},
    secrets: { get: async () => null },
    log,
  });
  expect(profiles.get("good")?.model).toBe("m");
  expect(lines).toHaveLength(1);
});

test.each<[string, unknown, string]>([
  ["no object", "text", "the entry is not an object"],
  ["a list", [], "the entry is not an object"],
  ["null", null, "the entry is not an object"],
  ["no provider", { model: "m" }, "wrong or missing: provider"],
  ["a blank provider", custom("m", { provider: " " }), "wrong or missing: provider"],
  ["a provider that is no text", custom("m", { provider: 1 }), "wrong or missing: provider"],
  ["a model that is no text", { provider: "custom", model: 7 }, "wrong or missing: model"],
  ["a key that is no text", custom("m", { api_key: ["k"] }), "wrong or missing: api_key"],
  [
    "several wrong fields",
    custom("m", { temperature: "hot", max_tokens: 1.5, timeout: -1, streaming: "no" }),
    "wrong or missing: temperature, max_tokens, timeout, streaming",
  ],
  [
    "a header with a line break",
    custom("m", { extra_headers: { a: "b\r\nc" } }),
    "wrong or missing: extra_headers",
  ],
  [
    "a header without a name",
    custom("m", { extra_headers: { "": "b" } }),
    "wrong or missing: extra_headers",
  ],
  [
    "a header that is no text",
    custom("m", { extra_headers: { a: 1 } }),
    "wrong or missing: extra_headers",
  ],
])("an entry with %s is left out with a warning and harms no other", (_, entry, problem) => {
  using folder = temporaryFolder();
  const { profiles, lines } = profilesOn(folder, {
    home: { profiles: { broken: entry, good: custom("m") } },
  });
  expect(profiles.list().map(({ name }) => name)).toEqual([...BUILTINS, "good"]);
  expect(lines).toEqual([
    {
      level: "warning",
      message: "Left out a broken profile",
      path: join(folder.path, HOME_CONFIG),
      profile: "broken",
      problem,
    },
  ]);
});

test("null in an entry means not set", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    home: {
      profiles: {
        a: custom("m", { max_tokens: null, top_p: null, temperature: null, base_url: null }),
      },
    },
  });
  expect(profiles.get("a")).toMatchObject({ maxTokens: null, topP: null, temperature: 0.7 });
});

test.each<[unknown, string]>([
  [{ kollabor: [] }, "kollabor"],
  [{ kollabor: { llm: "x" } }, "llm"],
  [{ kollabor: { llm: { profiles: [] } } }, "profiles"],
])("a section that is no object is ignored: %j", (config, section) => {
  using folder = temporaryFolder();
  const path = folder.write(HOME_CONFIG, config as object);
  const { profiles, lines } = profilesOn(folder, {});
  expect(profiles.list().map(({ name }) => name)).toEqual(BUILTINS);
  expect(lines).toEqual([
    {
      level: "warning",
      message: "Ignored a section of a config file: not an object",
      path,
      section,
    },
  ]);
});

test("a broken file fails every call, names its line, and is read again when it is mended", async () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {});
  for (const name of [HOME_CONFIG, PROJECT_CONFIG]) {
    const path = folder.write(name, '{\n "kollabor": }');
    for (const call of [() => profiles.list(), () => profiles.active(), () => profiles.get("a")]) {
      expect(call).toThrow(`${path} line 2 column 14: expected a value, found }`);
    }
    const error = await profiles.resolve("default").catch((caught) => caught);
    expect(error).toBeInstanceOf(EngineError);
    expect(error.code).toBe("config_invalid");
    rmSync(path);
    expect(profiles.list()).toHaveLength(BUILTINS.length);
  }
});

test("an edit by another program counts at the next call, and warns once", () => {
  using folder = temporaryFolder();
  const { profiles, lines } = profilesOn(folder, { home: { profiles: { a: custom("one") } } });
  expect(profiles.get("a")?.model).toBe("one");
  folder.write(HOME_CONFIG, configOf({ profiles: { a: custom("two"), b: 1 } }));
  expect(profiles.get("a")?.model).toBe("two");
  expect(profiles.get("a")?.model).toBe("two");
  expect(lines).toHaveLength(1);
  folder.write(PROJECT_CONFIG, configOf({ active_profile: "a" }));
  expect(profiles.active()).toBe("a");
});

test("the environment wins over files: the profile's own variable, then the one for all", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    home: {
      profiles: { "my-box": custom("m", { max_tokens: 5, api_key: "stored" }), other: custom("m") },
    },
    env: {
      KOLLAB_TEMPERATURE: "0.1",
      KOLLAB_MY_BOX_TEMPERATURE: "0.2",
      KOLLAB_MAX_TOKENS: "77",
      KOLLAB_MY_BOX_MAX_TOKENS: "wrong",
      KOLLAB_MY_BOX_API_KEY: "own",
      KOLLAB_MY_BOX_TIMEOUT: "5",
      KOLLAB_MY_BOX_STREAMING: "no",
    },
  });
  expect(profiles.get("my-box")).toMatchObject({
    temperature: 0.2,
    maxTokens: 77,
    apiKey: "own",
    apiKeySource: "env",
    timeoutMs: 5000,
    streaming: false,
  });
  expect(profiles.get("other")).toMatchObject({
    temperature: 0.1,
    maxTokens: 77,
    apiKey: "",
    apiKeySource: "none",
  });
});

test("no variable changes the offline model", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    env: { KOLLAB_PROVIDER: "openai", KOLLAB_API_KEY: "k", KOLLAB_OFFLINE_MODEL: "x" },
  });
  expect(profiles.get("offline")).toMatchObject({
    provider: "offline",
    model: "offline",
    apiKeySource: "none",
  });
});

test.each<[string, string | undefined, object]>([
  ["nothing", undefined, { apiKey: "", apiKeySource: "none" }],
  ["an empty text", "", { apiKey: "", apiKeySource: "none" }],
  ["a placeholder", "<your key>", { apiKey: "", apiKeySource: "none" }],
  ["a reference to nothing", "secret:keyring:", { apiKey: "", apiKeySource: "none" }],
  ["a key", " sk-1\n", { apiKey: "sk-1", apiKeySource: "config" }],
  ["a reference", "secret:keyring:acc", { apiKey: "", apiKeySource: "keyring" }],
])("stored as %s, the key is listed without a look into the keyring", (_, api_key, key) => {
  using folder = temporaryFolder();
  const { profiles, lookups } = profilesOn(folder, {
    home: { profiles: { a: custom("m", { api_key }) } },
    keyring: { acc: "secret" },
  });
  expect(profiles.list().find(({ name }) => name === "a")).toMatchObject(key);
  expect(lookups).toEqual([]);
});

test("resolving looks up one key, the referenced one, and only if no variable has it", async () => {
  using folder = temporaryFolder();
  const { profiles, lookups } = profilesOn(folder, {
    home: {
      profiles: {
        a: custom("m", { api_key: "secret:keyring:acc" }),
        b: custom("m", { api_key: "secret:keyring:lost" }),
        c: custom("m", { api_key: "secret:keyring:other" }),
      },
    },
    env: { KOLLAB_C_API_KEY: "from env" },
    keyring: { acc: "secret", other: "not asked" },
  });
  const keyOf = async (name: string) => {
    const { profile, resolved } = await profiles.resolve(name);
    return [resolved, profile.apiKey, profile.apiKeySource];
  };
  expect(await keyOf("a")).toEqual(["a", "secret", "keyring"]);
  expect(await keyOf("b")).toEqual(["b", "", "keyring"]);
  expect(await keyOf("c")).toEqual(["c", "from env", "env"]);
  expect(lookups).toEqual(["acc", "lost"]);
  expect(profiles.get("a")?.apiKey).toBe("");
});

test("an unknown profile is not found", async () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {});
  const error = await profiles.resolve("nobody").catch((caught) => caught);
  expect([error.code, error.message]).toEqual(["not_found", "Profile 'nobody' not found"]);
});

const VENDORS: [Environment, object][] = [
  [
    { ANTHROPIC_API_KEY: "k" },
    { name: "anthropic-auto", provider: "anthropic", model: "claude-sonnet-4-6", baseUrl: "" },
  ],
  [
    {
      ANTHROPIC_AUTH_TOKEN: "k",
      ANTHROPIC_API_KEY: "second",
      ANTHROPIC_DEFAULT_OPUS_MODEL: "opus",
      ANTHROPIC_BASE_URL: "https://a",
    },
    { name: "anthropic-auto", provider: "anthropic", model: "opus", baseUrl: "https://a" },
  ],
  [
    { ANTHROPIC_API_KEY: "k", ANTHROPIC_MODEL: "m", ANTHROPIC_DEFAULT_OPUS_MODEL: "opus" },
    { name: "anthropic-auto", model: "m" },
  ],
  [
    { OPENAI_API_KEY: "k" },
    { name: "openai-auto", provider: "openai", model: "gpt-5.4", baseUrl: "" },
  ],
  [
    { AZURE_OPENAI_API_KEY: "k", AZURE_OPENAI_ENDPOINT: "https://z", AZURE_OPENAI_MODEL: "m" },
    { name: "azure-auto", provider: "azure_openai", model: "m", baseUrl: "https://z" },
  ],
  [
    { GEMINI_API_KEY: "k" },
    { name: "gemini-auto", provider: "gemini", model: "gemini-3.1-pro-preview", baseUrl: "" },
  ],
  [
    { OPENROUTER_API_KEY: "k" },
    {
      name: "openrouter-auto",
      provider: "openrouter",
      model: "deepseek/deepseek-v3.2",
      baseUrl: "https://openrouter.ai/api/v1",
    },
  ],
  [
    { XAI_API_KEY: "k" },
    {
      name: "xai-auto",
      provider: "custom",
      model: "grok-4-1-fast-reasoning",
      baseUrl: "https://api.x.ai/v1",
    },
  ],
  [
    { ZAI_API_KEY: "k" },
    {
      name: "zai-auto",
      provider: "custom",
      model: "glm-5",
      baseUrl: "https://api.z.ai/api/paas/v4",
    },
  ],
  [
    { MOONSHOT_API_KEY: "k" },
    {
      name: "kimi-auto",
      provider: "custom",
      model: "kimi-k2.5",
      baseUrl: "https://api.moonshot.ai/v1",
    },
  ],
];
test.each(VENDORS)("a vendor's variables make a profile: %j", (env, profile) => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, { env });
  const added = profiles.list().slice(BUILTINS.length);
  expect(added).toHaveLength(1);
  expect(added[0]).toMatchObject({ ...profile, apiKey: "k", apiKeySource: "env", builtin: false });
  expect(profiles.active()).toBe(added[0]?.name ?? "");
});

test.each<[Environment]>([
  [{ AZURE_OPENAI_API_KEY: "k" }],
  [{ OPENAI_API_KEY: " " }],
  [{ OPENAI_API_KEY: "k", KOLLAB_NO_AUTO_DETECT: "0" }],
  [{ OPENAI_API_KEY: "k", KOLLAB_MODEL: "m" }],
])("no profile comes from %j", (env) => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, { env });
  expect(profiles.list().map(({ name }) => name)).toEqual(BUILTINS);
});

test("a saved profile with a vendor's name keeps its settings; its key goes only to the vendor", () => {
  using folder = temporaryFolder();
  for (const env of [{}, { KOLLAB_NO_AUTO_DETECT: "1" }]) {
    const { profiles } = profilesOn(folder, {
      home: {
        profiles: {
          "openai-auto": {
            provider: "custom",
            model: "saved",
            base_url: "https://elsewhere",
            api_key: "old",
            temperature: 0,
          },
        },
      },
      env: { OPENAI_API_KEY: "k", ...env },
    });
    expect(profiles.get("openai-auto")).toMatchObject({
      provider: "openai",
      model: "saved",
      baseUrl: "",
      apiKey: "k",
      apiKeySource: "env",
      temperature: 0,
    });
  }
});

test("a login makes a profile that no variable sends elsewhere", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    login: { access_token: "token", refresh_token: "r", expires_at: 1, account_id: "acc" },
    env: { KOLLAB_BASE_URL: "https://elsewhere", KOLLAB_API_KEY: "k", KOLLAB_TEMPERATURE: "1" },
  });
  expect(profiles.get("openai-oauth")).toMatchObject({
    provider: "openai_responses",
    model: "gpt-5.4",
    baseUrl: "https://chatgpt.com/backend-api/codex",
    apiKey: "token",
    apiKeySource: "oauth",
    authType: "oauth",
    temperature: 1,
    extraHeaders: { originator: "kollabor", "ChatGPT-Account-Id": "acc" },
    builtin: false,
  });
  expect(profiles.active()).toBe("openai-oauth");
});

test("a saved profile with the login's name keeps its model and its other settings", () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    home: {
      profiles: {
        "openai-oauth": custom("gpt-mine", { extra_headers: { "X-Team": "a" }, top_p: 0.5 }),
      },
    },
    login: { access_token: "token" },
  });
  expect(profiles.get("openai-oauth")).toMatchObject({
    provider: "openai_responses",
    model: "gpt-mine",
    topP: 0.5,
    extraHeaders: { "X-Team": "a", originator: "kollabor" },
  });
});

const inSeconds = (fromNow: number) => Date.now() / 1000 + fromNow;
test.each<[string, object | string, boolean, number]>([
  ["valid", { access_token: "t", expires_at: inSeconds(600) }, true, 0],
  ["without an end", { access_token: "t" }, true, 0],
  ["expired but renewable", { access_token: "t", refresh_token: "r", expires_at: 1 }, true, 0],
  ["expired", { access_token: "t", refresh_token: "", expires_at: inSeconds(-1) }, false, 0],
  ["without a token", { refresh_token: "r" }, false, 1],
  ["with a token that breaks the header", { access_token: "a\nb" }, false, 1],
  ["half-written", '{"access_tok', false, 1],
])("a login that is %s", (_, login, usable, warnings) => {
  using folder = temporaryFolder();
  const { profiles, lines } = profilesOn(folder, { login });
  expect(profiles.get("openai-oauth") !== null).toBe(usable);
  expect(profiles.list().length).toBe(BUILTINS.length + (usable ? 1 : 0));
  expect(lines).toHaveLength(warnings);
});

const WORK = { work: custom("w"), play: custom("p") };
test.each<[string, Machine, string]>([
  ["nothing", { home: { profiles: WORK } }, "default"],
  ["the home", { home: { profiles: WORK, active_profile: "work" } }, "work"],
  ["default_profile", { home: { profiles: WORK, default_profile: "play" } }, "play"],
  [
    "default_profile as an object",
    { home: { profiles: WORK, default_profile: { name: "play", level: "global" } } },
    "play",
  ],
  [
    "active before default_profile",
    { home: { profiles: WORK, active_profile: "work", default_profile: "play" } },
    "work",
  ],
  [
    "the project before the home",
    { home: { profiles: WORK, active_profile: "work" }, project: { active_profile: "play" } },
    "play",
  ],
  [
    "not a project that says nothing",
    { home: { profiles: WORK, active_profile: "work" }, project: { active_profile: "" } },
    "work",
  ],
  ["a built-in without any entry", { home: { active_profile: "claude" } }, "claude"],
  ["a missing one is none", { home: { profiles: WORK, active_profile: "gone" } }, "default"],
  [
    "one, so the environment does not",
    { home: { profiles: WORK, active_profile: "work" }, env: { OPENAI_API_KEY: "k" } },
    "work",
  ],
  [
    "only default, so the environment does",
    { home: { profiles: WORK, active_profile: "default" }, env: { OPENAI_API_KEY: "k" } },
    "openai-auto",
  ],
  ["the first vendor", { env: { XAI_API_KEY: "k", GEMINI_API_KEY: "k" } }, "gemini-auto"],
  [
    "a vendor before the login",
    { env: { XAI_API_KEY: "k" }, login: { access_token: "t" } },
    "xai-auto",
  ],
  [
    "not the login beside KOLLAB_MODEL",
    { env: { KOLLAB_MODEL: "m" }, login: { access_token: "t" } },
    "default",
  ],
])("what selects the active profile: %s", (_, machine, active) => {
  using folder = temporaryFolder();
  expect(profilesOn(folder, machine).profiles.active()).toBe(active);
});

test("a selector that names a missing profile is a warning", () => {
  using folder = temporaryFolder();
  const { profiles, lines } = profilesOn(folder, { home: { active_profile: "gone" } });
  profiles.list();
  expect(lines).toEqual([
    { level: "warning", message: "The selected profile does not exist", profile: "gone" },
  ]);
});

/** What a first run of the terminal program leaves behind. */
const FIRST_RUN = {
  profiles: {
    default: { provider: "auto", model: "", temperature: 0.7, timeout: 0, description: "" },
    local: custom("qwen3.5-4b", { base_url: "http://localhost:1234/v1" }),
  },
  active_profile: "default",
};
const firstRun = (entry: object, more: object = {}) => ({
  ...FIRST_RUN,
  ...more,
  profiles: { ...FIRST_RUN.profiles, default: entry, ...WORK },
});

test.each<[string, Machine, string]>([
  ["nothing: the offline model", {}, "offline"],
  ["a first run: the offline model", { home: FIRST_RUN }, "offline"],
  [
    "a first run and a vendor's key: that vendor",
    { home: FIRST_RUN, env: { ANTHROPIC_API_KEY: "k" } },
    "anthropic-auto",
  ],
  [
    "a first run and a login: the login",
    { home: FIRST_RUN, login: { access_token: "t" } },
    "openai-oauth",
  ],
  ["a default with a provider: that", { home: firstRun(custom("")) }, "default"],
  ["a default with a model: that", { home: firstRun({ provider: "auto", model: "m" }) }, "default"],
  [
    "a default with a key that tells its vendor: that",
    { home: firstRun({ provider: "auto", api_key: "sk-1" }) },
    "default",
  ],
  [
    "a default with a key in the keyring: that",
    { home: firstRun({ provider: "auto", api_key: "secret:keyring:default" }) },
    "default",
  ],
  [
    "a configured default, another one active and a vendor's key: default, literally",
    {
      home: firstRun(custom("m"), { active_profile: "work" }),
      env: { ANTHROPIC_API_KEY: "k" },
    },
    "default",
  ],
  [
    "an active profile and a vendor's key: the active one",
    { home: { profiles: WORK, active_profile: "work" }, env: { ANTHROPIC_API_KEY: "k" } },
    "work",
  ],
  [
    "an active profile and KOLLAB_MODEL, which changes its model: the active one",
    { home: { profiles: WORK, active_profile: "work" }, env: { KOLLAB_MODEL: "m" } },
    "work",
  ],
  ["KOLLAB_API_KEY of a known kind: default", { env: { KOLLAB_API_KEY: "sk-ant-1" } }, "default"],
  [
    "KOLLAB_API_KEY before a vendor's key, which it would replace",
    { env: { KOLLAB_API_KEY: "sk-1", ANTHROPIC_API_KEY: "k" } },
    "default",
  ],
  ["KOLLAB_PROVIDER: default", { env: { KOLLAB_PROVIDER: "openai" } }, "default"],
  [
    "KOLLAB_DEFAULT_MODEL before the active profile",
    { home: { profiles: WORK, active_profile: "work" }, env: { KOLLAB_DEFAULT_MODEL: "m" } },
    "default",
  ],
  [
    "KOLLAB_API_KEY that tells nothing: the offline model",
    { env: { KOLLAB_API_KEY: "k" } },
    "offline",
  ],
  [
    "the active offline model",
    { home: { active_profile: "offline" }, env: { OPENAI_API_KEY: "k" } },
    "offline",
  ],
  ["a profile that nobody selected: the first", { home: { profiles: WORK } }, "work"],
  [
    "a profile that nobody selected, and a vendor's key: the vendor",
    { home: { profiles: WORK }, env: { OPENAI_API_KEY: "k" } },
    "openai-auto",
  ],
  [
    "entries that say too little: the offline model",
    { home: { profiles: { empty: { provider: "auto" }, broken: 1 } } },
    "offline",
  ],
  [
    "a missing selection and a vendor's key: the vendor",
    { home: { active_profile: "gone" }, env: { OPENAI_API_KEY: "k" } },
    "openai-auto",
  ],
])("default means, with %s", async (_, machine, meant) => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, machine);
  const { profile, resolved } = await profiles.resolve("default");
  expect([profile.name, resolved]).toEqual([meant, meant]);
});

test("only default is resolved to another profile", async () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, { home: FIRST_RUN });
  expect((await profiles.resolve("local")).profile.model).toBe("qwen3.5-4b");
});

test.each([
  ["sk-ant-1", "claude-sonnet-4-6"],
  ["sk-1", "gpt-5.4"],
])("who gives only the key %s gets a model that takes it", async (key, model) => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, { env: { KOLLAB_API_KEY: key } });
  const { profile } = await profiles.resolve("default");
  expect(profile).toMatchObject({ provider: "auto", model, apiKey: key, apiKeySource: "env" });
  expect(profiles.get("default")?.model).toBe("");
});

test("names that are special to the language are names", async () => {
  using folder = temporaryFolder();
  folder.write(
    HOME_CONFIG,
    '{"kollabor":{"llm":{"profiles":{"__proto__":{"provider":"custom","model":"p"}}}}}',
  );
  const { profiles } = profilesOn(folder, {});
  expect(profiles.get("__proto__")?.model).toBe("p");
  expect(profiles.get("constructor")).toBeNull();
});

test("reading changes nothing on disk", async () => {
  using folder = temporaryFolder();
  const { profiles } = profilesOn(folder, {
    home: { profiles: { a: custom("m", { api_key: "plaintext" }) } },
  });
  profiles.list();
  profiles.active();
  await profiles.resolve("a");
  expect(readdirSync(join(folder.path, "home", ".kollab"))).toEqual(["config.json"]);
  expect(existsSync(join(folder.path, "project"))).toBe(false);
});
