/** From a profile to a model that can be called. */
import type { Model } from "../domain/model.ts";
import type { Profile } from "../domain/profile.ts";
import { VENDORS, type VendorName } from "./catalog.ts";
import { DEFAULT_DEADLINES, type Deadlines, resolveEndpoint } from "./endpoint.ts";

/**
 * Nothing is sent yet. A profile that cannot work throws EngineError, which names what to set.
 * A protocol and its SDK are loaded with the first profile that speaks it.
 */
export async function openModel(
  profile: Profile,
  { deadlines }: { deadlines: Deadlines } = { deadlines: DEFAULT_DEADLINES },
): Promise<Model> {
  if (profile.provider === "offline") return (await import("./offline.ts")).openOffline(profile);
  const endpoint = resolveEndpoint(profile, deadlines);
  switch (endpoint.protocol) {
    case "chat":
      return (await PROTOCOLS.chat()).openChat(endpoint);
    case "responses":
      return (await PROTOCOLS.responses()).openResponses(endpoint);
    case "messages":
      return (await PROTOCOLS.messages()).openAnthropic(endpoint);
    default:
      return endpoint.protocol satisfies never;
  }
}

const PROTOCOLS = {
  chat: () => import("./openai-chat.ts"),
  responses: () => import("./openai-responses.ts"),
  messages: () => import("./anthropic.ts"),
};

/** Loads what a provider's first call would else wait for; nothing for one that is not known. */
export async function preload(provider: string): Promise<void> {
  if (Object.hasOwn(VENDORS, provider)) await PROTOCOLS[VENDORS[provider as VendorName].protocol]();
}
