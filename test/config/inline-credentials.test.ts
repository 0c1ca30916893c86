import { expect, test } from "bun:test";
import {
  type InlineCredentials,
  profileFromCredentials,
} from "../../src/config/inline-credentials.ts";
import { recordedLog } from "../support/recorded-log.ts";

const GIVEN: InlineCredentials = {
  provider: "anthropic",
  api_key: "sk-inline",
  model: "claude",
  base_url: "",
  max_tokens: null,
};

test("without variables it is what the request says", () => {
  const profile = profileFromCredentials(GIVEN, {}, recordedLog().log);
  expect(profile).toEqual({
    name: "app-inline",
    provider: "anthropic",
    model: "claude",
    baseUrl: "",
    apiKey: "sk-inline",
    apiKeySource: "inline",
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
  });
});

test("what the request says wins over every variable", () => {
  const env: Record<string, string> = {};
  for (const prefix of ["KOLLAB_", "KOLLAB_APP_INLINE_"]) {
    Object.assign(env, {
      [`${prefix}PROVIDER`]: "openai",
      [`${prefix}MODEL`]: "other",
      [`${prefix}API_KEY`]: "other",
      [`${prefix}BASE_URL`]: "https://other",
      [`${prefix}MAX_TOKENS`]: "1",
    });
  }
  const given = { ...GIVEN, base_url: "https://mine", max_tokens: 50 };
  expect(profileFromCredentials(given, env, recordedLog().log)).toMatchObject({
    provider: "anthropic",
    model: "claude",
    apiKey: "sk-inline",
    apiKeySource: "inline",
    baseUrl: "https://mine",
    maxTokens: 50,
  });
});

test("what it does not say comes from variables, those of its own name first", () => {
  const env = {
    KOLLAB_MAX_TOKENS: "1",
    KOLLAB_APP_INLINE_MAX_TOKENS: "2",
    KOLLAB_TEMPERATURE: "0.1",
    KOLLAB_TIMEOUT: "20",
    KOLLAB_SUPPORTS_TOOLS: "no",
    KOLLAB_TOP_P: "wrong",
  };
  const { log, lines } = recordedLog();
  expect(profileFromCredentials(GIVEN, env, log)).toMatchObject({
    maxTokens: 2,
    temperature: 0.1,
    timeoutMs: 20_000,
    supportsTools: false,
    topP: null,
  });
  expect(lines).toHaveLength(1);
});

test("the key goes to no address that was not meant for it", () => {
  const { log } = recordedLog();
  const baseUrl = (env: Record<string, string>) => profileFromCredentials(GIVEN, env, log).baseUrl;
  expect(baseUrl({ KOLLAB_BASE_URL: "https://other" })).toBe("");
  expect(baseUrl({ KOLLAB_APP_INLINE_BASE_URL: "https://ours" })).toBe("https://ours");
});
