import { expect, test } from "bun:test";
import { createProfiles } from "../../src/config/profiles.ts";
import { readiness } from "../../src/config/readiness.ts";
import { recordedLog } from "../support/recorded-log.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const withKey = (api_key: string) => ({
  kollabor: { llm: { profiles: { a: { provider: "custom", model: "m", api_key } } } },
});

test.each<[string, object | string, Record<string, string>, string, string]>([
  ["only the built-in profiles", {}, {}, "ok", "failed"],
  ["a stored key", withKey("k"), {}, "ok", "ok"],
  ["a key in the keyring, not looked up", withKey("secret:keyring:a"), {}, "ok", "ok"],
  ["a placeholder", withKey("<your key>"), {}, "ok", "failed"],
  ["a variable for all profiles", {}, { KOLLAB_API_KEY: "k" }, "ok", "ok"],
  ["a variable for one profile", {}, { KOLLAB_CLAUDE_API_KEY: "k" }, "ok", "ok"],
  ["a variable for no profile", {}, { KOLLAB_GONE_API_KEY: "k" }, "ok", "failed"],
  ["a vendor's variable", {}, { GEMINI_API_KEY: "k" }, "ok", "ok"],
  ["a broken config file", "{", { KOLLAB_API_KEY: "k" }, "none", "failed"],
])("with %s", (_, config, env, profiles, api_credentials) => {
  using folder = temporaryFolder();
  folder.write(".kollab/config.json", config);
  const store = createProfiles({
    home: folder.path,
    directory: folder.path,
    env,
    secrets: { get: () => Promise.reject(new Error("nobody may ask")) },
    log: recordedLog().log,
  });
  expect(readiness(store)).toEqual({ profiles, api_credentials } as ReturnType<typeof readiness>);
});
