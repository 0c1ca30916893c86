/** The `fetch` under an SDK: what goes out is what the endpoint says, and no wait or answer is the runtime's. */
import type { Endpoint } from "./endpoint.ts";
import { TIMER_MS_MAX } from "./watchdog.ts";

/** The longest that an SDK can wait: the limits are ours, see `watchdog.ts`. */
export const SDK_TIMEOUT_MS = TIMER_MS_MAX;
/** An error page is read up to here. */
const ERROR_BYTES_MAX = 65_536;

/**
 * SDKs mix the environment into their headers (`OPENAI_CUSTOM_HEADERS` and others), so theirs are
 * dropped, but for the type of the body. Connections are not kept: an idle one would outlive its
 * session in the runtime's pool, and be dead when the next call after a long tool wants it.
 * The runtime's own limit on silence is off, ours counts. A proxy of the environment is used for
 * other machines, never for this one. A redirect is an answer: followed, it could take the key elsewhere.
 */
export const endpointFetch =
  ({ headers, loopback }: Endpoint) =>
  async (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(url, {
      ...init,
      headers: { ...SENT_BODY, ...headers },
      keepalive: false,
      timeout: false,
      redirect: "manual",
      ...(loopback ? { proxy: false } : {}),
    });
    return response.ok ? response : boundedAnswer(response);
  };

const SENT_BODY = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};

async function boundedAnswer(response: Response): Promise<Response> {
  const { status, headers } = response;
  const location = headers.get("location");
  if (REDIRECTS.includes(status)) {
    await response.body?.cancel();
    const message = `it redirects to ${hostOf(location)}, which is not followed: set base_url to where it leads`;
    return Response.json({ error: { message } }, { status });
  }
  if (!response.body) return response;
  const bytes = await firstBytes(response.body, ERROR_BYTES_MAX);
  return new Response(bytes, { status, headers: withoutEncoding(headers) });
}

const REDIRECTS = [301, 302, 303, 307, 308];
const hostOf = (location: string | null): string =>
  (location && URL.parse(location)?.host) || "another path";

/** The bytes are decoded already, and may be fewer. */
function withoutEncoding(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) kept.delete(name);
  return kept;
}

async function firstBytes(
  body: ReadableStream<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= bytesMax) break;
  }
  return new Uint8Array(Buffer.concat(chunks).subarray(0, bytesMax));
}
