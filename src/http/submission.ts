/** From the body of a request to an accepted message. */
import { EngineError } from "../domain/errors.ts";
import type { Delivery } from "../domain/session.ts";
import { sha256 } from "../lib/sha256.ts";
import { readContent } from "../session/content.ts";
import { type Accepted, findRepeated, submit } from "../session/runs.ts";
import type { Session } from "../session/session.ts";
import { type MESSAGE_BODY, readLimits } from "./schemas.ts";

type MessageBody = (typeof MESSAGE_BODY)["static"];

/** `delivery`: what happens to a message during a turn, when it does not say so itself. */
export async function submitBody(
  session: Session,
  body: MessageBody,
  request: Request,
  delivery: Delivery,
): Promise<Accepted> {
  const idempotencyKey = readKey(request);
  const requestHash = idempotencyKey === null ? null : sha256(JSON.stringify(body));
  // Before its content is read: a file that it quotes may have gone meanwhile.
  const repeated = await findRepeated(session, { idempotencyKey, requestHash });
  if (repeated) return repeated;
  return submit(session, {
    message: await readContent(body.content, session.services.areaOf(session.record.directory)),
    delivery: body.delivery ?? delivery,
    limits: readLimits(body.limits),
    idempotencyKey,
    requestHash,
  });
}

function readKey(request: Request): string | null {
  const key = request.headers.get("idempotency-key");
  if (key === null) return null;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const msg = "Idempotency-Key has 1 to 255 visible ASCII characters";
  const detail = [{ type: "value_error", loc: ["header", "idempotency-key"], msg }];
  throw new EngineError("invalid_request", msg, { detail });
}
