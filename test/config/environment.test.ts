import { expect, test } from "bun:test";
import {
  GLOBAL_PREFIX,
  type Overrides,
  profilePrefix,
  readOverrides,
} from "../../src/config/environment.ts";
import { recordedLog } from "../support/recorded-log.ts";

test.each([
  ["work", "KOLLAB_WORK_"],
  ["my-model", "KOLLAB_MY_MODEL_"],
  [" my model 2 ", "KOLLAB_MY_MODEL_2_"],
  ["größe", "KOLLAB_GR__E_"],
  ["a🎉b", "KOLLAB_A_B_"],
])("the variables of profile %j begin with %s", (name, prefix) => {
  expect(profilePrefix(name)).toBe(prefix);
});

const FIELDS: [string, string, Overrides][] = [
  ["MODEL", " gpt ", { model: "gpt" }],
  ["BASE_URL", "https://x/v1", { baseUrl: "https://x/v1" }],
  ["API_KEY", "k\n", { apiKey: "k" }],
  ["PROVIDER", "OpenAI", { provider: "openai" }],
  ["MAX_TOKENS", "4096", { maxTokens: 4096 }],
  ["TIMEOUT", "0", { timeout: 0 }],
  ["TEMPERATURE", "1e-1", { temperature: 0.1 }],
  ["TEMPERATURE", ".5", { temperature: 0.5 }],
  ["TOP_P", "1", { topP: 1 }],
  ["STREAMING", "YES", { streaming: true }],
  ["STREAMING", "on", { streaming: true }],
  ["STREAMING", "1", { streaming: true }],
  ["SUPPORTS_TOOLS", "true", { supportsTools: true }],
  ["SUPPORTS_TOOLS", "off", { supportsTools: false }],
  ["SUPPORTS_TOOLS", "anything", { supportsTools: false }],
  ["MODEL", " ", {}],
  ["STREAMING", "", {}],
  ["DESCRIPTION", "not read", {}],
];
test.each(FIELDS)("%s=%j", (field, value, overrides) => {
  const { log, lines } = recordedLog();
  for (const prefix of [GLOBAL_PREFIX, "KOLLAB_WORK_"]) {
    expect(readOverrides(prefix, { [prefix + field]: value }, log)).toEqual(overrides);
  }
  expect(lines).toEqual([]);
});

test.each([
  ["MAX_TOKENS", "12.5"],
  ["MAX_TOKENS", "0"],
  ["MAX_TOKENS", "many"],
  ["TIMEOUT", "-1"],
  ["TIMEOUT", "0x10"],
  ["TEMPERATURE", "2.1"],
  ["TEMPERATURE", "NaN"],
  ["TOP_P", "0,5"],
  ["TOP_P", "Infinity"],
])("%s=%s is ignored with a warning that names the variable, not its value", (field, value) => {
  const { log, lines } = recordedLog();
  const variable = `KOLLAB_${field}`;
  expect(readOverrides(GLOBAL_PREFIX, { [variable]: value }, log)).toEqual({});
  expect(lines).toEqual([
    {
      level: "warning",
      message: "Ignored an environment variable: not a number in its range",
      variable,
    },
  ]);
});
