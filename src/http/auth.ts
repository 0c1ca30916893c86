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

const OPEN_PATHS = new Set(["/health", "/version", "/status", "/ready", "/"]);

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
  if (host === null) return;
  const name = nameOf(`http://${host}`);
  if (name === null || !(isLocalName(name) || isAddress(name) || hosts.includes(name)))
    throw new EngineError("bad_host", `This engine does not answer to the name '${host}'`);
}

/** A page from elsewhere that has no token learns nothing, not even the version. */
function isForeignPage(request: Request): boolean {
  const origin = request.headers.get("origin");
  if (origin === null) return false;
  const name = nameOf(origin);
  return name === null || !(isLocalName(name) || isLoopbackAddress(name));
}

function nameOf(url: string): string | null {
  return URL.parse(url)?.hostname ?? null;
}

const isLocalName = (name: string): boolean => name === "localhost" || name.endsWith(".localhost");
const isAddress = (name: string): boolean => /^[\d.]+$/.test(name) || name.startsWith("[");
const isLoopbackAddress = (name: string): boolean => /^127\.[\d.]+$/.test(name) || name === "[::1]";
