/** What KOLLAB_* variables say about profiles. */
import type { Log } from "../lib/log.ts";

/** The process's environment, or a test's. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What is not set is absent. */
export type Overrides = {
  provider?: string;
  model?: string;
  baseUrl?: string;
  apiKey?: string;
  temperature?: number;
  maxTokens?: number;
  topP?: number;
  timeout?: number;
  streaming?: boolean;
  supportsTools?: boolean;
};

/** Every field that may have a variable, by its name on the wire. */
export const ENV_FIELDS = [
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
] as const;

/** Begins the variables that hold for every profile. */
export const GLOBAL_PREFIX = "KOLLAB_";

/** Begins the variables of one profile: `my-box` → `KOLLAB_MY_BOX_`. */
export const profilePrefix = (profile: string): string =>
  `KOLLAB_${profile
    .trim()
    .replaceAll(/[^A-Za-z0-9]/gu, "_")
    .toUpperCase()}_`;

/** Null: not set, or blank, which counts as not set. */
export const readVariable = (env: Environment, name: string): string | null =>
  env[name]?.trim() || null;

/** Numbers that are none, or out of range, are as if not set; the log says so. */
export function readOverrides(prefix: string, env: Environment, log: Log): Overrides {
  const text = (field: string) => readVariable(env, prefix + field) ?? undefined;
  const flag = (field: string) => {
    const value = text(field);
    return value === undefined ? undefined : /^(true|1|yes|on)$/i.test(value);
  };
  const number = (field: string, pattern: RegExp, lowest: number, highest: number) => {
    const value = text(field);
    if (value === undefined) return undefined;
    const parsed = pattern.test(value) ? Number(value) : Number.NaN;
    if (parsed >= lowest && parsed <= highest) return parsed;
    log.warn("Ignored an environment variable: not a number in its range", {
      variable: prefix + field,
    });
    return undefined;
  };
  return {
    provider: text("PROVIDER")?.toLowerCase(),
    model: text("MODEL"),
    baseUrl: text("BASE_URL"),
    apiKey: text("API_KEY"),
    temperature: number("TEMPERATURE", DECIMAL, 0, 2),
    maxTokens: number("MAX_TOKENS", INTEGER, 1, Number.MAX_SAFE_INTEGER),
    topP: number("TOP_P", DECIMAL, 0, 1),
    timeout: number("TIMEOUT", INTEGER, 0, Number.MAX_SAFE_INTEGER),
    streaming: flag("STREAMING"),
    supportsTools: flag("SUPPORTS_TOOLS"),
  };
}

const INTEGER = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
