/** Whether a real model could answer, as far as that is known without asking anyone. */
import { EngineError } from "../domain/errors.ts";
import type { Profiles } from "./profiles.ts";

export type Readiness = { profiles: "ok" | "none"; api_credentials: "ok" | "failed" };

/** A key in the keyring counts, without a look; the offline model, which needs none, does not. */
export function readiness(profiles: Profiles): Readiness {
  try {
    const list = profiles.list();
    const hasKey = list.some(({ apiKeySource }) => apiKeySource !== "none");
    return {
      profiles: list.length > 0 ? "ok" : "none",
      api_credentials: hasKey ? "ok" : "failed",
    };
  } catch (error) {
    // With a broken config file there are no profiles, which is an answer too.
    if (error instanceof EngineError && error.code === "config_invalid") {
      return { profiles: "none", api_credentials: "failed" };
    }
    throw error;
  }
}
