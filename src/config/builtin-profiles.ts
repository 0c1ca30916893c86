/** The profiles that are there without any setting. */
import { EMPTY_ENTRY, type ProfileEntry } from "./profile-entry.ts";

/** Stands for whatever the user set up. */
export const DEFAULT_PROFILE = "default";
export const OFFLINE_PROFILE = "offline";
const LOCAL_PROFILE = "local";

export const BUILTIN_PROFILES: ReadonlyMap<string, ProfileEntry> = new Map([
  [DEFAULT_PROFILE, EMPTY_ENTRY],
  [
    LOCAL_PROFILE,
    {
      ...EMPTY_ENTRY,
      provider: "custom",
      model: "qwen3-4b",
      baseUrl: "http://localhost:1234/v1",
    },
  ],
  ["claude", { ...EMPTY_ENTRY, provider: "anthropic", model: "claude-sonnet-4-6" }],
  ["openai", { ...EMPTY_ENTRY, provider: "openai", model: "gpt-5.4" }],
  [
    OFFLINE_PROFILE,
    {
      ...EMPTY_ENTRY,
      provider: "offline",
      model: "offline",
      description: "Answers by simple rules, without a model and without a key.",
    },
  ],
]);

/** A first run of the terminal program writes these two, so they do not show what a user wants. */
export const WRITTEN_UNASKED: readonly string[] = [DEFAULT_PROFILE, LOCAL_PROFILE];
