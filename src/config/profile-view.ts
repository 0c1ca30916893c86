/** Profiles as clients see them: no key, no reference to one, no header that may hold one. */
import {
  ENV_FIELDS,
  type Environment,
  GLOBAL_PREFIX,
  profilePrefix,
  readVariable,
} from "./environment.ts";
import type { ConfiguredProfile } from "./profile-entry.ts";

/** Sent back by a client, it means "keep what you have". */
export const REDACTED = "[redacted]";

const SENSITIVE_HEADER = /auth|cookie|key|token|secret|password|account-id/i;

export type ProfileView = {
  name: string;
  provider: string;
  model: string;
  temperature: number;
  max_tokens: number | null;
  timeout: number;
  description: string;
  streaming: boolean;
  supports_tools: boolean;
  base_url?: string;
  top_p?: number;
  extra_headers?: Record<string, string>;
  auth_type?: string;
  has_api_key: boolean;
  api_key_source: string;
  builtin: boolean;
};

export const describeProfile = (profile: ConfiguredProfile): ProfileView => ({
  name: profile.name,
  provider: profile.provider,
  model: profile.model,
  temperature: profile.temperature,
  max_tokens: profile.maxTokens,
  timeout: profile.timeout,
  description: profile.description,
  streaming: profile.streaming,
  supports_tools: profile.supportsTools,
  ...(profile.baseUrl !== "" && { base_url: redactAddress(profile.baseUrl) }),
  ...(profile.topP !== null && { top_p: profile.topP }),
  ...(Object.keys(profile.extraHeaders).length > 0 && {
    extra_headers: redactHeaders(profile.extraHeaders),
  }),
  ...(profile.authType !== "" && { auth_type: profile.authType }),
  has_api_key: profile.apiKeySource !== "none",
  api_key_source: profile.apiKeySource,
  builtin: profile.builtin,
});

const redactHeaders = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      SENSITIVE_HEADER.test(name) ? REDACTED : value,
    ]),
  );

/** As written where it holds no credentials. What is no address is not searched for them. */
function redactAddress(address: string): string {
  const url = URL.parse(address);
  if (url === null || url.host === "") return /[@?#]/.test(address) ? REDACTED : address;
  const { protocol, host, pathname, search, hash } = url;
  const user = url.username + url.password === "" ? "" : `${REDACTED}@`;
  if (user + search + hash === "") return address;
  const query = [...url.searchParams].map(redactParameter).join("&");
  return `${protocol}//${user}${host}${pathname}${query === "" ? "" : `?${query}`}`;
}

/** Without a value, the name may be the key. */
const redactParameter = ([name, value]: [string, string]): string =>
  value === "" ? REDACTED : `${encodeURIComponent(name)}=${REDACTED}`;

export type EnvVarHint = { name: string; is_set: boolean };

/** For each field the variable of this profile and the one of all profiles; names, never values. */
export function envVarHints(profile: string, env: Environment): Record<string, EnvVarHint> {
  const hint = (name: string): EnvVarHint => ({ name, is_set: readVariable(env, name) !== null });
  return Object.fromEntries(
    ENV_FIELDS.flatMap((field) => [
      [field, hint(profilePrefix(profile) + field.toUpperCase())],
      [`global_${field}`, hint(GLOBAL_PREFIX + field.toUpperCase())],
    ]),
  );
}
