/** A provider profile as the engine uses it: merged, environment applied, key looked up. */

export const PROVIDERS = [
  "openai",
  "openai_responses",
  "anthropic",
  "azure_openai",
  "gemini",
  "openrouter",
  "custom",
  "auto",
  "offline",
] as const;
export type ProviderName = (typeof PROVIDERS)[number];

export type ApiKeySource = "env" | "keyring" | "config" | "oauth" | "inline" | "none";

export type Profile = {
  name: string;
  /** As configured; one that is not in PROVIDERS fails when it is first used. */
  provider: string;
  model: string;
  /** Empty: the provider's own. */
  baseUrl: string;
  /** Empty: none. Never leaves the process but to the provider. */
  apiKey: string;
  apiKeySource: ApiKeySource;
  temperature: number;
  maxTokens: number | null;
  topP: number | null;
  /** Longest wait for the reply to begin and between its pieces; 0: the engine's defaults. */
  timeoutMs: number;
  streaming: boolean;
  supportsTools: boolean;
  /** null: the catalogue decides by the model's name. */
  supportsImages: boolean | null;
  extraHeaders: Record<string, string>;
  authType: string;
  description: string;
  builtin: boolean;
};
