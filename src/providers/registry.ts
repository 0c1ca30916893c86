/** From a profile to a model that can be called. */
import type { Model } from "../domain/model.ts";
import type { Profile } from "../domain/profile.ts";
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
      return (await import("./openai-chat.ts")).openChat(endpoint);
    case "responses":
      return (await import("./openai-responses.ts")).openResponses(endpoint);
    case "messages":
      return (await import("./anthropic.ts")).openAnthropic(endpoint);
    default:
      return endpoint.protocol satisfies never;
  }
}
