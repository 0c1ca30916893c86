/** The profile that a session's next call of the model uses. */
import type { Profiles } from "../config/profiles.ts";
import { EngineError } from "../domain/errors.ts";
import type { Profile } from "../domain/profile.ts";
import type { Session } from "./session.ts";

/** Looked up at every turn: what the user changed meanwhile counts. Throws EngineError. */
export async function profileOf(session: Session, profiles: Profiles): Promise<Profile> {
  const { record, secrets } = session;
  if (secrets.credentials) return secrets.credentials;
  if (record.inlineCredentials)
    throw new EngineError(
      "auth_error",
      "This session was created with credentials of its own, which are never stored, and the engine was restarted since: send them again with PATCH /sessions/{id}",
    );
  const { profile, resolved } = await profiles.resolve(record.profile);
  record.profileResolved = resolved;
  if (profile.withheld !== null) throw new EngineError("auth_error", profile.withheld);
  return profile;
}
