/** Request bodies: JSON, bounded. */
import { EngineError } from "../domain/errors.ts";
import { findJsonFault } from "../lib/json-fault.ts";
import { invalidRequest } from "./errors.ts";

const BODY_BYTES_MAX = 8 * 1024 * 1024;
/** Longer bodies that are no JSON are not searched for the place. */
const FAULT_CHARS_MAX = 256 * 1024;
/** Those who look into a body after us go as deep as it does. */
const DEPTH_MAX = 100;

/** The body as JSON, `undefined` when there is none. Throws too_large, unsupported_media_type, invalid_request. */
export async function readJsonBody(request: Request): Promise<unknown> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return undefined;
  const type = request.headers.get("content-type");
  if (type !== null && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type))
    throw new EngineError("unsupported_media_type", `Send application/json, not ${type}`);
  const text = new TextDecoder().decode(bytes);
  const body = parseJson(text);
  if (!isDeeperThan(DEPTH_MAX, body)) return body;
  const msg = `A body may be nested ${DEPTH_MAX} levels deep at most`;
  throw invalidRequest({ type: "recursion_loop", loc: ["body"], msg });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notJson(text, cause);
  }
}

const isDeeperThan = (levels: number, value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((each) => isDeeperThan(levels - 1, each)));

function notJson(text: string, cause: unknown): EngineError {
  // Nobody looks for a comma in more than this, and others wait meanwhile.
  const fault = text.length > FAULT_CHARS_MAX ? null : findJsonFault(text);
  const lines = text.split("\n").slice(0, (fault?.line ?? 1) - 1);
  const offset = lines.reduce((sum, line) => sum + line.length + 1, (fault?.column ?? 1) - 1);
  const msg = `JSON decode error: ${fault?.problem ?? "not JSON"}`;
  return invalidRequest({ type: "json_invalid", loc: ["body", offset], msg }, cause);
}

export function refuseLongBody(request: Request): void {
  if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX) throw tooLarge();
}

async function readBytes(request: Request): Promise<Uint8Array> {
  if (request.headers.has("content-length")) return request.bytes();
  // Sent in chunks, without saying how much: counted as it comes.
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const tooLarge = () =>
  new EngineError("too_large", `A body may have ${BODY_BYTES_MAX} bytes at most`);
