/** Who may ask: the guard against foreign pages, and the token. */
import type { TokenCheck } from "../config/token.ts";
import { EngineError } from "../domain/errors.ts";

export type Access = {
  token: TokenCheck;
  /** Names, beside loopback and plain addresses, under which clients may reach the engine. */
  hosts: readonly string[];
  /** False when other machines can connect: then nothing but `/health` is open. */
  loopbackOnly: boolean;
};

/** A name or an address in brackets, perhaps with the dot that ends a name, perhaps with a port. */
const HOST = /^([a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])\.?(?::(\d{1,5}))?$/;
/** Who a route is for: anyone, anyone on this machine, who has the token; `admin` changes all sessions. */
export type Exposure = "public" | "local" | "client" | "admin";

/**
 * Answered without the token, where the engine listens on this machine only; what is public, always.
 * `/docs` holds nothing: a page that asks for the token itself.
 */
const OPEN_PATHS = new Map<string, Exposure>([
  ["/health", "public"],
  ["/version", "local"],
  ["/ready", "local"],
  ["/status", "local"],
  ["/docs", "local"],
  ["/", "local"],
]);

export const exposureOf = (path: string): Exposure => OPEN_PATHS.get(path) ?? "client";

/** Throws what is wrong with the caller; returns when the request may go on. */
export function requireAccess(request: Request, path: string, access: Access): void {
  requireHost(request, access);
  const exposure = exposureOf(path);
  if (request.method === "OPTIONS" || exposure === "public") return;
  if (exposure === "local" && access.loopbackOnly && !isForeignPage(request)) return;
  requireToken(request, access.token);
}

/** Once more with the route that was found: what was open by its path must be that very route. */
export function requireSameRoute(
  request: Request,
  path: string,
  route: string,
  access: Access,
): void {
  if (path !== route && exposureOf(path) !== "client") requireToken(request, access.token);
}

function requireToken(request: Request, token: TokenCheck): void {
  const bearer = bearerOf(request);
  if (bearer === null) throw new EngineError("unauthorized", "Missing bearer token");
  if (!token.accepts(bearer)) throw new EngineError("unauthorized", "Invalid token");
}

/** The scheme's case counts, as in the original. */
function bearerOf(request: Request): string | null {
  const [, bearer] = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  return bearer ?? null;
}

/**
 * A page of another name that resolves to this machine (DNS rebinding) carries its own name in
 * `Host`. Addresses are no names, so they are safe.
 */
function requireHost(request: Request, { hosts }: Access): void {
  const host = request.headers.get("host") ?? hostOf(request.url);
  const [, name = "", port = "0"] = HOST.exec(host.toLowerCase()) ?? [];
  const isOurs = isLocalName(name) || isAddress(name) || hosts.includes(name);
  if (!isOurs || Number(port) > 65_535)
    throw new EngineError("bad_host", "This engine does not answer to that name");
}

/**
 * Of a request made in this process, which has no `Host`. One of HTTP/1.0 has none either, and a URL
 * that is but a path: what that path is, guard and router would see differently.
 */
const hostOf = (url: string): string => URL.parse(url)?.host ?? "";

/** A page from elsewhere that has no token learns nothing, not even the version. */
function isForeignPage(request: Request): boolean {
  // A page can ask without saying where it is from, but the browser says that it is from elsewhere.
  if (request.headers.get("sec-fetch-site") === "cross-site") return true;
  const origin = request.headers.get("origin");
  if (origin === null) return false;
  const name = URL.parse(origin)?.hostname ?? null;
  return name === null || !(isLocalName(name) || isLoopbackAddress(name));
}

const isLocalName = (name: string): boolean => name === "localhost" || name.endsWith(".localhost");
const isAddress = (name: string): boolean => /^\d+(?:\.\d+){3}$/.test(name) || name.startsWith("[");
const isLoopbackAddress = (name: string): boolean => /^127\.[\d.]+$/.test(name) || name === "[::1]";
