/** The model that a session's next call goes to. */
import { EngineError } from "../domain/errors.ts";
import type { Model } from "../domain/model.ts";
import type { Profile } from "../domain/profile.ts";
import type { Session } from "./session.ts";

/** After a session was created; its client has the answer then. */
const PREPARE_DELAY_MS = 20;

/** Opened by the first turn, and anew when the user changed its profile meanwhile. Throws EngineError. */
export async function modelOf(session: Session): Promise<Model> {
  const profile = await profileOf(session);
  const known = openedFor(session, profile);
  if (known) return known;
  session.model?.model.close();
  session.model = null;
  const model = await session.services.openModel(profile);
  // Another call may have opened it meanwhile: a session has one.
  const opened = openedFor(session, profile);
  if (opened) {
    model.close();
    return opened;
  }
  session.model = { profile, model };
  return model;
}

const openedFor = ({ model }: Session, profile: Profile): Model | null =>
  model && Bun.deepEquals(model.profile, profile) ? model.model : null;

/**
 * Opens the model of a new session while nobody waits for it: loading an SDK holds everybody up. Not
 * where its key is in the keyring, which may ask the user for a password.
 */
export function prepareModel(session: Session): void {
  const prepare = async () => {
    try {
      const { profiles } = session.services;
      const known = session.secrets.credentials ?? profiles.get(session.record.profileResolved);
      if (known?.apiKeySource === "keyring" || session.stopping || session.active) return;
      await modelOf(session);
      if (session.stopping) session.model?.model.close();
    } catch (error) {
      // The first message will say it to the client.
      session.services.log.debug("model not opened ahead", { session: session.id, error });
    }
  };
  setTimeout(prepare, PREPARE_DELAY_MS).unref();
}

/** Looked up at every turn: what the user changed meanwhile counts. */
async function profileOf({ record, secrets, services }: Session): Promise<Profile> {
  if (secrets.credentials) return secrets.credentials;
  if (record.inlineCredentials)
    throw new EngineError(
      "auth_error",
      "This session was created with credentials of its own, which are never stored, and the engine was restarted since: send them again with PATCH /sessions/{id}",
    );
  const { profile, resolved } = await services.profiles.resolve(record.profile);
  record.profileResolved = resolved;
  if (profile.withheld !== null) throw new EngineError("auth_error", profile.withheld);
  return profile;
}
