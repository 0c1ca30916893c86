/** The engine's API as the commands use it, and the engine that runs already as one to talk to. */
import { readFile } from "node:fs/promises";
import { findEngineUrl } from "../config/engine-file.ts";
import { kollabPaths } from "../config/paths.ts";
import { EngineError, type ErrorCode } from "../domain/errors.ts";
import type { Seq } from "../domain/ids.ts";

/** Why no engine can be talked to at an address that the user gave; null: it may be tried, or none was given. */
export function addressProblem(text: string | undefined): string | null {
  if (text === undefined) return null;
  const { protocol, hostname } = URL.parse(text) ?? {};
  if (protocol === "https:") return null;
  if (protocol !== "http:" || !hostname) return `--url is an http address, not '${text}'`;
  if (LOOPBACK.test(hostname)) return null;
  return `--url ${text} would show the token to the network: to another machine only https is used`;
}

/** As a parsed URL has it: every way to write such an address ends in one of these. */
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

const CALL_TIMEOUT_MS = 30_000;
/** What is read of an answer that says what is wrong: also each of many files. */
const PROBLEM_CHARS_MAX = 1_000_000;

export type ApiRequest = {
  method: "GET" | "POST";
  path: string;
  body?: object;
  /** For streams: the reader has seen everything up to here. */
  after?: Seq | null;
};

export type Client = {
  /**
   * Resolves with an answer that is no refusal, once its headers are there. Throws EngineError:
   * `unavailable` where no engine answers, else what the engine says is wrong.
   */
  send(request: ApiRequest, signal: AbortSignal): Promise<Response>;
  close(): Promise<void>;
};

/** One request whose answer is JSON. */
export async function call<Reply>(
  client: Client,
  request: ApiRequest,
  signal?: AbortSignal,
): Promise<Reply> {
  const limit = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const response = await client.send(request, signal ? AbortSignal.any([signal, limit]) : limit);
  return (await response.json()) as Reply;
}

/**
 * The engine at an address that the user gave (see `addressProblem`); null: the one that runs on this
 * home. Where that is, and its token, are read for each request: a restart changes both.
 */
export function attachedClient(address: string | null, home: string): Client {
  const { token: tokenFile, engineFile } = kollabPaths(home);
  return {
    async send(request, signal) {
      const url = address?.replace(/\/+$/, "") ?? findEngineUrl(engineFile);
      if (url === null) throw nobodyAnswers("here");
      const response = await fetchOnce(
        url,
        toRequest(url, request, await readToken(tokenFile)),
        signal,
      );
      if (response.ok) return response;
      const refusal = await problemOf(response);
      if (refusal.code !== "unauthorized") throw refusal;
      const text = `The engine at ${url} does not accept the token in ${tokenFile}`;
      throw new EngineError("unauthorized", text, { cause: refusal });
    },
    async close() {},
  };
}

async function fetchOnce(url: string, request: Request, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(request, {
      signal,
      // Neither a redirect nor a proxy, which would read a plain request, is to get the token.
      redirect: "manual",
      ...(url.startsWith("http:") ? { proxy: false } : {}),
      // A kept connection may be dead when the engine was started anew.
      keepalive: false,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw nobodyAnswers(`at ${url}`, cause);
  }
}

function nobodyAnswers(where: string, cause?: unknown): EngineError {
  const text = `No engine answers ${where}: start one with 'kollab-engine serve'`;
  return new EngineError("unavailable", text, { cause });
}

export function toRequest(
  url: string,
  { method, path, body, after }: ApiRequest,
  token: string | null,
): Request {
  const headers = new Headers();
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("content-type", "application/json");
  if (after !== undefined && after !== null) headers.set("last-event-id", String(after));
  return new Request(url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function readToken(path: string): Promise<string | null> {
  try {
    return (await readFile(path, "utf8")).trim() || null;
  } catch {
    // No engine was started here yet; one that answers all the same refuses, and is quoted.
    return null;
  }
}

const CODES: Record<number, ErrorCode> = {
  401: "unauthorized",
  404: "not_found",
  409: "conflict",
  503: "unavailable",
};

/** What an engine says is wrong with a request, in one line; `detail` where it says more than that. */
export async function problemOf(response: Response): Promise<EngineError> {
  const { status } = response;
  const detail = detailOf((await response.text()).slice(0, PROBLEM_CHARS_MAX));
  const text = describe(detail) ?? `The answer is HTTP ${status}`;
  const more = typeof detail === "object" && detail !== null ? { detail } : {};
  return new EngineError(CODES[status] ?? "bad_request", text, more);
}

function describe(detail: unknown): string | null {
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail))
    return detail.map(({ loc, msg }) => `${loc.slice(1).join(".")}: ${msg}`).join("; ");
  const isObject = typeof detail === "object" && detail !== null;
  return isObject && "message" in detail && typeof detail.message === "string"
    ? detail.message
    : null;
}

function detailOf(body: string): unknown {
  try {
    return JSON.parse(body).detail;
  } catch {
    // Something else listens there.
    return null;
  }
}
