/** From a profile to the place its requests go, checked: address, headers, limits. */
import { GLOBAL_PREFIX, profilePrefix } from "../config/environment.ts";
import { EngineError } from "../domain/errors.ts";
import { PROVIDERS, type Profile } from "../domain/profile.ts";
import {
  ANTHROPIC_HOST,
  ANTHROPIC_VERSION,
  ANTHROPIC_VERSION_COMPATIBLE,
  AZURE_API_VERSION,
  KEY_PREFIXES,
  modelSees,
  VENDORS,
  type Vendor,
  type VendorName,
} from "./catalog.ts";
import type { Failing } from "./failures.ts";

/** How long a call may wait, in milliseconds. */
export type Deadlines = {
  /** For the connection to be made. */
  connectMs: number;
  /** From the request to the first byte of the reply; a local model may read a long prompt. */
  firstByteMs: number;
  /** Between two pieces of the reply. */
  betweenBytesMs: number;
};

export const DEFAULT_DEADLINES: Deadlines = {
  connectMs: 30_000,
  firstByteMs: 600_000,
  betweenBytesMs: 300_000,
};

export type Endpoint = {
  /** Who answers: the profile's provider, or for `auto` the one that its key tells. */
  provider: VendorName;
  protocol: Vendor["protocol"];
  model: string;
  /** What the SDK puts its paths behind. */
  baseUrl: string;
  query: Record<string, string>;
  /** Every header that says who asks; names in lower case. */
  headers: Record<string, string>;
  /** This machine: reached without TLS, if its owner likes, and never through a proxy. */
  loopback: boolean;
  /** How errors name it, and what they must not show. */
  failing: Failing;
  deadlines: Deadlines;
  sees: boolean;
  profile: Profile;
};

/** Throws EngineError that names what to set. */
export function resolveEndpoint(profile: Profile, deadlines: Deadlines): Endpoint {
  const provider = vendorName(profile);
  const vendor = VENDORS[provider];
  const refuse = (code: "internal" | "auth_error", problem: string) =>
    new EngineError(code, `Profile '${profile.name}' ${problem}`);

  if (profile.model.trim() === "")
    throw refuse("internal", `has no model: set ${setting(profile, "model")}`);
  const base = profile.baseUrl || vendor.baseUrl;
  if (base === null)
    throw refuse("internal", `has no endpoint: set ${setting(profile, "base_url")}`);
  const url = URL.parse(base);
  if (url === null) throw refuse("internal", "has a base_url that is no URL");
  if (url.username !== "" || url.password !== "")
    throw refuse("internal", "has credentials in its base_url: put the key into api_key");
  const loopback = isLoopback(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback))
    throw refuse(
      "internal",
      `has a base_url that is not https (${url.protocol}//${url.host}): plain http is for this machine only`,
    );

  const headers = requestHeaders(profile, vendor, url);
  const unsendable = Object.entries(headers).find(([name, value]) => !isSendable(name, value));
  if (unsendable) throw refuse("internal", `has a '${unsendable[0]}' header that cannot be sent`);
  if (vendor.keyNeeded && !headers.authorization && !headers["api-key"] && !headers["x-api-key"])
    throw refuse("auth_error", `has no API key: set ${setting(profile, "api_key")}`);

  const { timeoutMs } = profile;
  return {
    provider,
    protocol: vendor.protocol,
    model: profile.model,
    ...address(provider, vendor, url, profile.model),
    headers,
    loopback,
    failing: { provider, secrets: secretsOf(profile) },
    deadlines:
      timeoutMs > 0
        ? { ...deadlines, firstByteMs: timeoutMs, betweenBytesMs: timeoutMs }
        : deadlines,
    sees: profile.supportsImages ?? modelSees(profile.model),
    profile,
  };
}

function vendorName(profile: Profile): VendorName {
  if (profile.provider === "auto") {
    const known = KEY_PREFIXES.find(([prefix]) => profile.apiKey.startsWith(prefix));
    if (known) return known[1];
    throw new EngineError(
      "auth_error",
      `Profile '${profile.name}' has provider 'auto', but no key that tells which one: set ${setting(profile, "api_key")} to a key that begins with sk-ant- or sk-, or name the provider in ${setting(profile, "provider")}`,
    );
  }
  if (isVendor(profile.provider)) return profile.provider;
  throw new EngineError(
    "internal",
    `Profile '${profile.name}' has an unknown provider '${profile.provider}': use one of ${PROVIDERS.join(", ")}`,
  );
}

const isVendor = (name: string): name is VendorName => Object.hasOwn(VENDORS, name);

/** Where a field is set, for the person who has to. */
function setting(profile: Profile, field: string): string {
  if (profile.apiKeySource === "inline") return `"${field}" in the session's credentials`;
  const prefix = /[A-Za-z0-9]/.test(profile.name) ? profilePrefix(profile.name) : GLOBAL_PREFIX;
  return `${prefix}${field.toUpperCase()}, or "${field}" in ~/.kollab/config.json`;
}

/** By the parsed host: `localhost.example.com` only looks local, `x.localhost` a name server may answer. */
const isLoopback = (hostname: string): boolean =>
  /^(localhost\.?|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(hostname);

/** The base URL as people write it → what the SDK's paths stand behind. */
function address(
  provider: VendorName,
  vendor: Vendor,
  url: URL,
  model: string,
): Pick<Endpoint, "baseUrl" | "query"> {
  const query = Object.fromEntries(url.searchParams);
  let path = url.pathname.replace(/\/+$/, "");
  if (vendor.protocol === "chat") path = path.replace(/\/chat\/completions$/, "");
  if (vendor.protocol === "responses") path = path.replace(/\/responses$/, "");
  if (vendor.protocol === "messages") path = path.replace(/(\/v1)?(\/messages)?$/, "");
  if (provider === "gemini" && !path.endsWith("/openai"))
    path = `${path.replace(/\/v1beta$/, "")}/v1beta/openai`;
  if (provider === "azure_openai") {
    if (!path.includes("/deployments/"))
      path = `${path.replace(/\/openai$/, "")}/openai/deployments/${encodeURIComponent(model)}`;
    query["api-version"] ??= AZURE_API_VERSION;
  }
  return { baseUrl: `${url.origin}${path}`, query };
}

/** What the profile's own headers say wins over what we would send. */
function requestHeaders(profile: Profile, vendor: Vendor, url: URL): Record<string, string> {
  const key = profile.apiKey.trim();
  const headers: Record<string, string> = { "user-agent": "kollab-engine" };
  const oldForm = vendor.protocol === "messages" && url.hostname !== ANTHROPIC_HOST;
  if (vendor.protocol === "messages")
    headers["anthropic-version"] = oldForm ? ANTHROPIC_VERSION_COMPATIBLE : ANTHROPIC_VERSION;
  if (key !== "") {
    if (oldForm) headers["x-api-key"] = key;
    else if (vendor.keyHeader === "api-key") headers["api-key"] = key;
    else headers.authorization = `Bearer ${key}`;
  }
  for (const [name, value] of Object.entries(profile.extraHeaders))
    headers[name.toLowerCase()] = value;
  return headers;
}

function isSendable(name: string, value: string): boolean {
  try {
    new Headers([[name, value]]);
    return true;
  } catch {
    // Its message would show the value.
    return false;
  }
}

const SECRET_NAME = /auth|cookie|key|token|secret|password|account/i;
/** A header's value of this length without a space is taken for a key, whatever its name. */
const KEY_CHARS_MIN = 16;

function secretsOf(profile: Profile): string[] {
  const secrets = Object.entries(profile.extraHeaders)
    .filter(
      ([name, value]) =>
        SECRET_NAME.test(name) || (value.length >= KEY_CHARS_MIN && !/\s/.test(value)),
    )
    .map(([, value]) => value.replace(/^(Bearer|Basic)\s+/i, "").trim());
  return [profile.apiKey.trim(), ...secrets].filter((secret) => secret !== "");
}
