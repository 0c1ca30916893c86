import { expect, test } from "bun:test";
import { EMPTY_ENTRY, type ProfileEntry, toProfile } from "../../src/config/profile-entry.ts";
import { describeProfile, envVarHints } from "../../src/config/profile-view.ts";

const profileOf = (entry: Partial<ProfileEntry>) =>
  toProfile("work", { ...EMPTY_ENTRY, ...entry }, { key: "sk-secret", source: "config" }, false);

test("a profile without more than it needs shows what is always shown", () => {
  expect(describeProfile(profileOf({ provider: "openai", model: "gpt-5.4" }))).toEqual({
    name: "work",
    provider: "openai",
    model: "gpt-5.4",
    temperature: 0.7,
    max_tokens: null,
    timeout: 0,
    description: "",
    streaming: true,
    supports_tools: true,
    has_api_key: true,
    api_key_source: "config",
    builtin: false,
  });
});

test("what is set is shown, and a timeout as it was written", () => {
  expect(
    describeProfile(
      profileOf({
        baseUrl: "https://x/v1",
        topP: 0,
        extraHeaders: { "X-Team": "a" },
        authType: "oauth",
        timeout: 30,
        maxTokens: 5,
      }),
    ),
  ).toMatchObject({
    base_url: "https://x/v1",
    top_p: 0,
    extra_headers: { "X-Team": "a" },
    auth_type: "oauth",
    timeout: 30,
    max_tokens: 5,
  });
});

test("the key is nowhere, and headers that may hold one are redacted", () => {
  const names = [
    "Authorization",
    "proxy-AUTHORIZATION",
    "Cookie",
    "X-Api-Key",
    "x-token-id",
    "Client-Secret",
    "Password",
    "ChatGPT-Account-Id",
    "X-Auth",
    "auth",
  ];
  const extraHeaders = {
    ...Object.fromEntries(names.map((name) => [name, "sk-secret"])),
    originator: "kollabor",
  };
  const view = describeProfile(profileOf({ extraHeaders }));
  expect(view.extra_headers).toEqual({
    ...Object.fromEntries(names.map((name) => [name, "[redacted]"])),
    originator: "kollabor",
  });
  expect(JSON.stringify(view)).not.toContain("sk-secret");
});

test.each([
  ["https://x/v1", "https://x/v1"],
  ["localhost:1234/v1", "localhost:1234/v1"],
  ["https://api.example/@cf/v1", "https://api.example/@cf/v1"],
  ["https://user:sk-secret@x:8443/v1", "https://[redacted]@x:8443/v1"],
  ["https://sk-secret@x/", "https://[redacted]@x/"],
  ["https:\\\\u:sk-secret@x", "https://[redacted]@x/"],
  ["ht\ttps://u:sk-secret@x/", "https://[redacted]@x/"],
  ["https://u:sk-/secret@x/", "[redacted]"],
  ["u:sk-secret@x", "[redacted]"],
  [
    "https://x/v1?api_key=sk-secret&v=1&api_key=sk-secret",
    "https://x/v1?api_key=[redacted]&v=[redacted]&api_key=[redacted]",
  ],
  ["https://x/v1?sk-secret", "https://x/v1?[redacted]"],
  ["https://x/v1#sk-secret", "https://x/v1"],
])("credentials in the address %j are not shown", (baseUrl, shown) => {
  expect(describeProfile(profileOf({ baseUrl })).base_url).toBe(shown);
});

test.each([
  ["none", false],
  ["keyring", true],
  ["oauth", true],
  ["env", true],
] as const)("a key from %s: has_api_key is %p", (source, has) => {
  const profile = toProfile("work", EMPTY_ENTRY, { key: "", source }, true);
  expect(describeProfile(profile)).toMatchObject({
    has_api_key: has,
    api_key_source: source,
    builtin: true,
  });
});

test("the hints are 24 names of variables and whether they are set, without values", () => {
  const hints = envVarHints("my-work", {
    KOLLAB_MY_WORK_MODEL: "m",
    KOLLAB_API_KEY: "sk-secret",
    KOLLAB_TIMEOUT: " ",
  });
  const fields = [
    "model",
    "provider",
    "base_url",
    "api_key",
    "max_tokens",
    "temperature",
    "timeout",
    "top_p",
    "streaming",
    "supports_tools",
    "description",
    "extra_headers",
  ];
  expect(Object.keys(hints)).toEqual(fields.flatMap((field) => [field, `global_${field}`]));
  expect(hints.model).toEqual({ name: "KOLLAB_MY_WORK_MODEL", is_set: true });
  expect(hints.global_model).toEqual({ name: "KOLLAB_MODEL", is_set: false });
  expect(hints.global_api_key).toEqual({ name: "KOLLAB_API_KEY", is_set: true });
  expect(hints.global_timeout).toEqual({ name: "KOLLAB_TIMEOUT", is_set: false });
  expect(hints.supports_tools).toEqual({ name: "KOLLAB_MY_WORK_SUPPORTS_TOOLS", is_set: false });
  expect(JSON.stringify(hints)).not.toContain("sk-secret");
});
