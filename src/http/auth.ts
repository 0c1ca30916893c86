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

/** Answered without the token. `/docs` holds nothing: a page that asks for the token itself. */
const OPEN_PATHS = new Map<string, Exposure>([
  ["/health", "public"],
  ["/version", "public"],
  ["/ready", "public"],
  ["/status", "local"],
  ["/docs", "local"],
  ["/", "local"],
]);

export const exposureOf = (path: string): Exposure => OPEN_PATHS.get(path) ?? "client";

/** Throws what is wrong with the caller; returns when the request may go on. */
export function requireAccess(request: Request, path: string, access: Access): void {
  requireHost(request, access);
  if (request.method === "OPTIONS" || path === "/health") return;
  const open = OPEN_PATHS.has(path) && access.loopbackOnly;
  if (open && !isForeignPage(request)) return;
  requireToken(request, access.token);
}

/** True when the request carries a valid token. */
export function hasToken(request: Request, token: TokenCheck): boolean {
  const bearer = bearerOf(request);
  return bearer !== null && token.accepts(bearer);
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
  const host = request.headers.get("host");
  // HTTP/1.0 has none, and no browser speaks that.
  if (host === null) return;
  const [, name = "", port = "0"] = HOST.exec(host.toLowerCase()) ?? [];
  const isOurs = isLocalName(name) || isAddress(name) || hosts.includes(name);
  if (!isOurs || Number(port) > 65_535)
    throw new EngineError("bad_host", "This engine does not answer to that name");
}

/** A page from elsewhere that has no token learns nothing, not even the version. */
function isForeignPage(request: Request): boolean {
  const origin = request.headers.get("origin");
  if (origin === null) return false;
  const name = URL.parse(origin)?.hostname ?? null;
  return name === null || !(isLocalName(name) || isLoopbackAddress(name));
}

const isLocalName = (name: string): boolean => name === "localhost" || name.endsWith(".localhost");
const isAddress = (name: string): boolean => /^\d+(?:\.\d+){3}$/.test(name) || name.startsWith("[");
const isLoopbackAddress = (name: string): boolean => /^127\.[\d.]+$/.test(name) || name === "[::1]";
