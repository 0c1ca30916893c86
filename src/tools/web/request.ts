/** One GET of one URL, from an address that was checked: no pool, no cookies, no proxy, no redirect. */
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createUnzip } from "node:zlib";
import { errorCode } from "../../lib/error-code.ts";
import { quoted } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import { NotReached } from "./failure.ts";
import { hostOf } from "./target.ts";

const HEADER_BYTES_MAX = 32_768;

export type RequestLimits = {
  /** From asking for a connection to the last byte of the headers. */
  firstByteMs: number;
  /** For one address, where there is another to try. */
  connectMs: number;
  /** Of a body, after it is decompressed. */
  bodyBytes: number;
};

export type RequestOptions = {
  limits: RequestLimits;
  userAgent: string;
  /** Trusted besides the system's; for tests. */
  certificates?: string[];
};

export type Answer = {
  status: number;
  /** In lower case, as of the first where it is there twice; empty: not there. */
  header(name: string): string;
  /** The body, as far as it fits the limit; `whole` false: there is more of it. */
  read(): Promise<{ bytes: Uint8Array; whole: boolean }>;
  /** To be called when nothing more is read; ends the connection. */
  close(): void;
};

/** The signal ends it at any time, while the body is read, too. */
export async function get(
  url: URL,
  addresses: readonly string[],
  options: RequestOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const { firstByteMs, connectMs, bodyBytes } = options.limits;
  const late = AbortSignal.timeout(firstByteMs);
  for (const [index, address] of addresses.entries()) {
    const isLast = index === addresses.length - 1;
    const limitMs = isLast ? firstByteMs : connectMs;
    const request = startRequest(url, address, options);
    try {
      const response = await headersOf(request, limitMs, AbortSignal.any([signal, late]));
      return answerOf(request, response, bodyBytes, signal);
    } catch (error) {
      request.destroy();
      signal.throwIfAborted();
      if (late.aborted)
        throw new NotReached(`${quoted(url.host)} does not answer within ${firstByteMs / 1000} s`, {
          cause: error,
        });
      if (!isLast && UNREACHABLE.has(errorCode(error))) continue;
      throw new NotReached(`Cannot fetch from ${quoted(url.host)}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
  throw new NotReached(`The host ${quoted(url.host)} has no address`);
}

/**
 * Connects to the address, and no other: a name is looked up nowhere below. The certificate must be
 * valid, and for the name. The environment decides neither this nor a proxy.
 */
function startRequest(
  url: URL,
  address: string,
  { userAgent, certificates }: RequestOptions,
): ClientRequest {
  const host = hostOf(url);
  const start = url.protocol === "https:" ? requestHttps : requestHttp;
  return start({
    host: address,
    port: url.port === "" ? undefined : Number(url.port),
    path: url.pathname + url.search,
    agent: false,
    maxHeaderSize: HEADER_BYTES_MAX,
    rejectUnauthorized: true,
    ...(isIP(host) === 0 && { servername: host }),
    ...(certificates && { ca: certificates }),
    headers: { host: url.host, "user-agent": userAgent, ...ACCEPTED },
  });
}

const ACCEPTED = {
  accept: "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, text/*;q=0.8, */*;q=0.5",
  "accept-encoding": "gzip, deflate, br",
};

function headersOf(
  request: ClientRequest,
  connectMs: number,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const onAbort = () => reject(signal.reason);
  const connecting = setTimeout(() => reject(new Unreachable()), connectMs);
  const onConnect = () => clearTimeout(connecting);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  request
    .once("socket", (socket) => socket.once("connect", onConnect))
    .once("response", resolve)
    .once("upgrade", () => reject(new Error("An upgrade nobody asked for")))
    .on("error", reject)
    .end();
  return promise.finally(() => {
    clearTimeout(connecting);
    signal.removeEventListener("abort", onAbort);
  });
}

/** The next address may be better. */
class Unreachable extends Error {
  readonly code = "ETIMEDOUT";
}

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "ETIMEDOUT",
]);

const REASONS: Record<string, string> = {
  ECONNREFUSED: "the connection is refused",
  ECONNRESET: "the connection broke",
  EHOSTUNREACH: "it cannot be reached",
  ENETUNREACH: "it cannot be reached",
  ETIMEDOUT: "the connection takes too long",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not from a known authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not from a known authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not from a known authority",
  HPE_HEADER_OVERFLOW: "its headers are too long",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "its answer is not HTTP",
};

function reasonOf(error: unknown): string {
  const code = errorCode(error);
  if (code.startsWith("HPE_")) return REASONS[code] ?? "its answer is not HTTP";
  return REASONS[code] ?? (code || "it speaks another protocol");
}

function answerOf(
  request: ClientRequest,
  response: IncomingMessage,
  bytesMax: number,
  signal: AbortSignal,
): Answer {
  // That it broke off is told by who reads it, or by nobody.
  response.on("error", () => {});
  const header = (name: string) => {
    const value = response.headers[name];
    return (Array.isArray(value) ? value[0] : value)?.trim() ?? "";
  };
  return {
    status: response.statusCode ?? 0,
    header,
    read: () => readBody(response, header("content-encoding"), bytesMax, signal),
    close: () => void request.destroy(),
  };
}

async function readBody(
  response: IncomingMessage,
  encoding: string,
  bytesMax: number,
  signal: AbortSignal,
): Promise<{ bytes: Uint8Array; whole: boolean }> {
  signal.throwIfAborted();
  const body = decompressed(response, encoding);
  const onAbort = () => void body.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length > bytesMax) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new ToolFailure(`The answer broke off: ${reasonOf(error)}`, { cause: error });
  } finally {
    signal.removeEventListener("abort", onAbort);
    response.destroy();
  }
  signal.throwIfAborted();
  return { bytes: Buffer.concat(chunks).subarray(0, bytesMax), whole: length <= bytesMax };
}

/** A small piece may become an endless one: it is decompressed only as fast as it is read. */
function decompressed(response: IncomingMessage, encoding: string): Readable {
  const name = encoding.toLowerCase();
  if (name === "" || name === "identity") return response;
  const known = name === "br" ? createBrotliDecompress : UNZIPPED.has(name) && createUnzip;
  if (!known) throw new ToolFailure("The answer is compressed in a way that is not known here");
  const decoder = known();
  response.on("error", (error) => decoder.destroy(error));
  return response.pipe(decoder);
}

const UNZIPPED = new Set(["gzip", "x-gzip", "deflate"]);
