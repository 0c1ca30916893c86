/** Vendors and models as data: where a vendor is and how it wants its key, what a model can do. */
import type { ProviderName } from "../domain/profile.ts";

export type VendorName = Exclude<ProviderName, "auto" | "offline">;

export type Vendor = {
  protocol: "chat" | "responses" | "messages";
  /** Where requests go when the profile has no base URL; null: it must have one. */
  baseUrl: string | null;
  keyNeeded: boolean;
  /** What carries the key; a Messages server decides by its address, see `endpoint.ts`. */
  keyHeader: "authorization" | "api-key";
};

export const VENDORS: Record<VendorName, Vendor> = {
  openai: chat("https://api.openai.com/v1"),
  openrouter: chat("https://openrouter.ai/api/v1"),
  gemini: chat("https://generativelanguage.googleapis.com/v1beta/openai"),
  custom: { ...chat("http://localhost:1234/v1"), keyNeeded: false },
  azure_openai: { ...chat(null), keyHeader: "api-key" },
  openai_responses: { ...chat("https://api.openai.com/v1"), protocol: "responses" },
  anthropic: { ...chat("https://api.anthropic.com"), protocol: "messages" },
};

function chat(baseUrl: string | null): Vendor {
  return { protocol: "chat", baseUrl, keyNeeded: true, keyHeader: "authorization" };
}

/** What a key begins with tells whose it is; the longer beginning comes first. */
export const KEY_PREFIXES: readonly [string, VendorName][] = [
  ["sk-ant-", "anthropic"],
  ["sk-", "openai"],
];

/** The version of Azure's API, unless the base URL names one as `?api-version=`. */
export const AZURE_API_VERSION = "2024-02-15-preview";
/** Older ones refuse a request with `stream_options`; a streamed reply then has no token counts. */
const AZURE_STREAM_OPTIONS_SINCE = "2024-08";
export const azureTakesStreamOptions = (apiVersion: string): boolean =>
  apiVersion >= AZURE_STREAM_OPTIONS_SINCE;

/** The one host that speaks the SDK's own version of the Messages API … */
export const ANTHROPIC_HOST = "api.anthropic.com";
/** … which is this one, and what every server that imitates it knows. */
export const ANTHROPIC_VERSION = "2026-10-21";
export const ANTHROPIC_VERSION_COMPATIBLE = "2023-06-01";

/** A reply's longest length where the profile does not say. */
const OUTPUT_TOKENS = 16_384;
/** Models that refuse a request for more than this. */
const SHORT_OUTPUT_TOKENS = 4_096;
const SHORT_OUTPUT = /(^|\/)gpt-(3\.?5|4(-|$))/;
export const outputTokens = (model: string): number =>
  SHORT_OUTPUT.test(model) ? SHORT_OUTPUT_TOKENS : OUTPUT_TOKENS;

/** OpenAI's reasoning models refuse `temperature`, `top_p` and the old name of the token cap. */
const REASONS = /(^|\/)(o\d(-|$)|gpt-[5-9](?!\d)|codex)/;
const CHATS = /(^|\/)(chatgpt|gpt-(3\.?5|4)|gpt-[\d.]+-chat)/;
export const knownToReason = (model: string): boolean => REASONS.test(model) && !CHATS.test(model);
/** These refuse to be asked for their reasoning. */
export const knownNotToReason = (model: string): boolean => CHATS.test(model);

/**
 * What a Messages server takes of `temperature` and `top_p`: the newer version of the API and newer
 * models refuse both, models between them refuse the two together.
 */
export function messagesSampling(model: string, apiVersion: string): "none" | "one" | "both" {
  if (apiVersion !== ANTHROPIC_VERSION_COMPATIBLE) return "none";
  if (!/claude/.test(model)) return "both";
  if (/claude-(instant|[23]\b|(opus|sonnet)-4(-0|-20\d{6})?$)/.test(model)) return "both";
  return /claude-(opus-4-[1-6]|sonnet-4-[56]|haiku-4-5)\b/.test(model) ? "one" : "none";
}

/** Refuse a conversation whose earlier reasoning is missing beside its tool calls. */
export const wantsReasoningBack = (model: string): boolean => /kimi|moonshot|deepseek/i.test(model);

/** Whether images may be sent: no for models known to be blind, yes for those we do not know. */
export const modelSees = (model: string): boolean =>
  SEEING.test(model) || !BLIND.some((name) => name.test(model));

/** Marks a relative of a blind model that sees. */
const SEEING = /vision|[-\d]v(l\d?)?\b|omni|multimodal|llama-?4|scout|maverick/i;
const BLIND = [
  /gpt-3\.?5/i,
  /gpt-4(-0\d{3})?$/i,
  /gpt-oss/i,
  /(^|\/)(o1-(mini|preview)|o3-mini)/i,
  /deepseek/i,
  /qwen-?(1\.5|2|2\.5|3)?([-:_]|$)/i,
  /qwq/i,
  /llama/i,
  /(^|\/)(mistral-(7b|nemo|large-2)|mixtral|codestral|devstral|ministral)/i,
  /(^|\/)phi-?[1-4]/i,
  /gemma(-?2|-7b|:|$)/i,
  /glm-?\d/i,
  /kimi-k2([-:]|$)/i,
  /grok-(2|3|code)/i,
  /minimax-m\d/i,
  /command-[ar]/i,
  /starcoder/i,
];
