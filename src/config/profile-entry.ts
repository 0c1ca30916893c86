/** A profile before the environment is applied: as a config file, a login or a table of ours has it. */
import type { ApiKeySource, Profile } from "../domain/profile.ts";
import { isObject } from "../lib/json-object.ts";
import type { Overrides } from "./environment.ts";

export type ProfileEntry = {
  provider: string;
  model: string;
  baseUrl: string;
  /** As stored: a key, a reference to the keyring, a placeholder, or empty. */
  apiKey: string;
  temperature: number;
  maxTokens: number | null;
  topP: number | null;
  /** As stored: seconds below 1000, else milliseconds. */
  timeout: number;
  streaming: boolean;
  supportsTools: boolean;
  supportsImages: boolean | null;
  extraHeaders: Record<string, string>;
  authType: string;
  description: string;
};

/** `timeout` as stored, for clients; `timeoutMs` is what it means. */
export type ConfiguredProfile = Profile & { timeout: number };

/** What most of a profile's settings come from. */
export type ProfileLayer = "built-in" | "home" | "project" | "environment" | "login";

export type LayeredProfile = ConfiguredProfile & {
  layer: ProfileLayer;
  /** Why it has no key though there is one for it; null: it has every key there is. */
  withheld: string | null;
};

export const EMPTY_ENTRY: ProfileEntry = {
  provider: "auto",
  model: "",
  baseUrl: "",
  apiKey: "",
  temperature: 0.7,
  maxTokens: null,
  topP: null,
  timeout: 0,
  streaming: true,
  supportsTools: true,
  supportsImages: null,
  extraHeaders: {},
  authType: "",
  description: "",
};

/**
 * An entry of a config file. `problem` names the fields that are wrong, never their values. Fields
 * that we do not know belong to other programs.
 */
export function readEntry(stored: unknown): { entry: ProfileEntry } | { problem: string } {
  if (!isObject(stored)) return { problem: "the entry is not an object" };
  const wrong: string[] = [];
  const read = <Value>(field: string, is: (value: unknown) => value is Value, unset: Value) => {
    const value = stored[field] ?? null;
    if (value === null) return unset;
    if (is(value)) return value;
    wrong.push(field);
    return unset;
  };
  const entry: ProfileEntry = {
    provider: read("provider", isString, "").trim(),
    model: read("model", isString, EMPTY_ENTRY.model).trim(),
    baseUrl: read("base_url", isString, EMPTY_ENTRY.baseUrl).trim(),
    apiKey: read("api_key", isString, EMPTY_ENTRY.apiKey).trim(),
    temperature: read("temperature", isNumber, EMPTY_ENTRY.temperature),
    maxTokens: read("max_tokens", isCount, 0) || EMPTY_ENTRY.maxTokens,
    topP: read<number | null>("top_p", isNumber, EMPTY_ENTRY.topP),
    timeout: read("timeout", isDuration, EMPTY_ENTRY.timeout),
    streaming: read("streaming", isBoolean, EMPTY_ENTRY.streaming),
    supportsTools: read("supports_tools", isBoolean, EMPTY_ENTRY.supportsTools),
    supportsImages: read<boolean | null>("supports_images", isBoolean, EMPTY_ENTRY.supportsImages),
    extraHeaders: read("extra_headers", isHeaders, EMPTY_ENTRY.extraHeaders),
    authType: read("auth_type", isString, EMPTY_ENTRY.authType),
    description: read("description", isString, EMPTY_ENTRY.description),
  };
  if (entry.provider === "" && !wrong.includes("provider")) wrong.push("provider");
  return wrong.length === 0 ? { entry } : { problem: `wrong or missing: ${wrong.join(", ")}` };
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

const isString = (value: unknown): value is string => typeof value === "string";
const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
const isNumber = (value: unknown): value is number => typeof value === "number";
const isDuration = (value: unknown): value is number => isNumber(value) && value >= 0;
const isCount = (value: unknown): value is number => isDuration(value) && Number.isInteger(value);
const isHeaders = (value: unknown): value is Record<string, string> =>
  isObject(value) &&
  Object.entries(value).every(
    ([name, text]) => HEADER_NAME.test(name) && isString(text) && !/[\r\n]/.test(text),
  );

export const withOverrides = (entry: ProfileEntry, overrides: Overrides): ProfileEntry => ({
  ...entry,
  provider: overrides.provider ?? entry.provider,
  model: overrides.model ?? entry.model,
  baseUrl: overrides.baseUrl ?? entry.baseUrl,
  apiKey: overrides.apiKey ?? entry.apiKey,
  temperature: overrides.temperature ?? entry.temperature,
  maxTokens: overrides.maxTokens ?? entry.maxTokens,
  topP: overrides.topP ?? entry.topP,
  timeout: overrides.timeout ?? entry.timeout,
  streaming: overrides.streaming ?? entry.streaming,
  supportsTools: overrides.supportsTools ?? entry.supportsTools,
});

const KEYRING_REFERENCE = "secret:keyring:";
/** Begins the placeholders of hand-written files, `<your key>`. */
const PLACEHOLDER = "<";

type StoredKey =
  | { source: "config"; key: string }
  | { source: "keyring"; account: string }
  | { source: "none" };

export function readStoredKey(stored: string): StoredKey {
  if (stored.startsWith(KEYRING_REFERENCE)) {
    const account = stored.slice(KEYRING_REFERENCE.length);
    return account === "" ? { source: "none" } : { source: "keyring", account };
  }
  if (stored === "" || stored.startsWith(PLACEHOLDER)) return { source: "none" };
  return { source: "config", key: stored };
}

export type ApiKey = { key: string; source: ApiKeySource };

export const toProfile = (
  name: string,
  entry: ProfileEntry,
  apiKey: ApiKey,
  builtin: boolean,
): ConfiguredProfile => ({
  name,
  provider: entry.provider,
  model: entry.model,
  baseUrl: entry.baseUrl,
  apiKey: apiKey.key,
  apiKeySource: apiKey.source,
  temperature: entry.temperature,
  maxTokens: entry.maxTokens,
  topP: entry.topP,
  timeout: entry.timeout,
  timeoutMs: toMilliseconds(entry.timeout),
  streaming: entry.streaming,
  supportsTools: entry.supportsTools,
  supportsImages: entry.supportsImages,
  extraHeaders: entry.extraHeaders,
  authType: entry.authType,
  description: entry.description,
  builtin,
});

const LONGEST_IN_SECONDS = 1000;

/** Files in the wild hold 120 and 30000, and nobody waits 30000 seconds or 120 milliseconds. */
const toMilliseconds = (timeout: number): number =>
  Math.round(timeout < LONGEST_IN_SECONDS ? timeout * 1000 : timeout);
