/** Profiles made from the vendors' own variables, such as ANTHROPIC_API_KEY; never saved. */
import { type Environment, readVariable } from "./environment.ts";
import { EMPTY_ENTRY, type ProfileEntry } from "./profile-entry.ts";

type Vendor = {
  profile: string;
  provider: string;
  /** Of the variables of a list, the first that is set counts. */
  keys: readonly string[];
  models: readonly string[];
  model: string;
  addresses: readonly string[];
  /** Null: there is no profile without one in the environment. Empty: the provider's own. */
  address: string | null;
};

/** In the order in which they are listed and preferred. */
const VENDORS: readonly Vendor[] = [
  {
    profile: "anthropic-auto",
    provider: "anthropic",
    keys: ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"],
    models: ["ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL"],
    model: "claude-sonnet-4-6",
    addresses: ["ANTHROPIC_BASE_URL"],
    address: "",
  },
  {
    profile: "openai-auto",
    provider: "openai",
    keys: ["OPENAI_API_KEY"],
    models: ["OPENAI_MODEL"],
    model: "gpt-5.4",
    addresses: [],
    address: "",
  },
  {
    profile: "azure-auto",
    provider: "azure_openai",
    keys: ["AZURE_OPENAI_API_KEY"],
    models: ["AZURE_OPENAI_MODEL"],
    model: "gpt-5.4",
    addresses: ["AZURE_OPENAI_ENDPOINT"],
    address: null,
  },
  {
    profile: "gemini-auto",
    provider: "gemini",
    keys: ["GEMINI_API_KEY"],
    models: ["GEMINI_MODEL"],
    model: "gemini-3.1-pro-preview",
    addresses: [],
    address: "",
  },
  {
    profile: "openrouter-auto",
    provider: "openrouter",
    keys: ["OPENROUTER_API_KEY"],
    models: ["OPENROUTER_MODEL"],
    model: "deepseek/deepseek-v3.2",
    addresses: [],
    address: "https://openrouter.ai/api/v1",
  },
  {
    profile: "xai-auto",
    provider: "custom",
    keys: ["XAI_API_KEY"],
    models: ["XAI_MODEL"],
    model: "grok-4-1-fast-reasoning",
    addresses: [],
    address: "https://api.x.ai/v1",
  },
  {
    profile: "zai-auto",
    provider: "custom",
    keys: ["ZAI_API_KEY"],
    models: ["ZAI_MODEL"],
    model: "glm-5",
    addresses: [],
    address: "https://api.z.ai/api/paas/v4",
  },
  {
    profile: "kimi-auto",
    provider: "custom",
    keys: ["MOONSHOT_API_KEY"],
    models: ["MOONSHOT_MODEL"],
    model: "kimi-k2.5",
    addresses: [],
    address: "https://api.moonshot.ai/v1",
  },
];

/**
 * By profile name. One that is saved keeps its settings, but for the key and where the key is sent.
 * Where detection is off, only saved ones get their key.
 */
export function vendorEntries(
  env: Environment,
  saved: ReadonlyMap<string, ProfileEntry>,
): Map<string, ProfileEntry> {
  const detecting = !env.KOLLAB_NO_AUTO_DETECT && readVariable(env, "KOLLAB_MODEL") === null;
  const entries = new Map<string, ProfileEntry>();
  for (const vendor of VENDORS) {
    const before = saved.get(vendor.profile);
    if (!detecting && before === undefined) continue;
    const apiKey = firstSet(env, vendor.keys);
    const baseUrl = firstSet(env, vendor.addresses) ?? vendor.address;
    if (apiKey === null || baseUrl === null) continue;
    const model = firstSet(env, vendor.models) ?? (before?.model || vendor.model);
    const { provider } = vendor;
    entries.set(vendor.profile, { ...(before ?? EMPTY_ENTRY), provider, model, apiKey, baseUrl });
  }
  return entries;
}

const firstSet = (env: Environment, names: readonly string[]): string | null =>
  names.map((name) => readVariable(env, name)).find((value) => value !== null) ?? null;
