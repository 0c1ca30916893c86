/** The profile of a session that brought its own provider and key. */
import type { Log } from "../lib/log.ts";
import { type Environment, GLOBAL_PREFIX, profilePrefix, readOverrides } from "./environment.ts";
import { type ConfiguredProfile, EMPTY_ENTRY, toProfile, withOverrides } from "./profile-entry.ts";

/** As requests have them; `base_url` is empty and `max_tokens` null where they say nothing. */
export type InlineCredentials = {
  provider: string;
  api_key: string;
  model: string;
  base_url: string;
  max_tokens: number | null;
};

export const INLINE_PROFILE = "app-inline";

/**
 * What the request says wins over the environment, and its key goes only where the request says or
 * where KOLLAB_APP_INLINE_BASE_URL, which names it, says: KOLLAB_BASE_URL was meant for other keys.
 */
export function profileFromCredentials(
  credentials: InlineCredentials,
  env: Environment,
  log: Log,
): ConfiguredProfile {
  const globals = readOverrides(GLOBAL_PREFIX, env, log);
  const own = readOverrides(profilePrefix(INLINE_PROFILE), env, log);
  const general = withOverrides(EMPTY_ENTRY, { ...globals, baseUrl: undefined });
  const entry = withOverrides(withOverrides(general, own), {
    provider: credentials.provider,
    model: credentials.model,
    baseUrl: credentials.base_url || undefined,
    maxTokens: credentials.max_tokens ?? undefined,
  });
  const apiKey = { key: credentials.api_key, source: "inline" as const };
  return toProfile(INLINE_PROFILE, entry, apiKey, false);
}
