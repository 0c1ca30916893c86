/** The listening engine: bind, write the token, answer; stop without cutting anybody short. */
import { kollabPaths } from "../config/paths.ts";
import { createTokenCheck, newToken, writeToken } from "../config/token.ts";
import { EngineError } from "../domain/errors.ts";
import type { Engine } from "../engine.ts";
import { within } from "../lib/abort.ts";
import { errorCode } from "../lib/error-code.ts";
import { SSE_HEADERS } from "../lib/sse.ts";
import { createApp } from "./app.ts";

/** A connection on which nothing happens is closed. */
const IDLE_SECONDS = 60;
/** How long open streams may take to send their last events. */
const DRAIN_MS = 2_000;

export type ServerOptions = {
  host: string;
  /** 0: any free one. */
  port: number;
  /** Further names that clients may use for this machine. */
  allowedHosts?: readonly string[];
};

export type Server = {
  port: number;
  token: string;
  /** Stops listening, ends the engine's turns, lets streams end, closes the engine. */
  stop(): Promise<void>;
};

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);

/** Throws `unavailable` when the address cannot be had; nothing is left behind then. */
export async function startServer(engine: Engine, options: ServerOptions): Promise<Server> {
  const { host, port, allowedHosts = [] } = options;
  const tokenFile = kollabPaths(engine.options.home).token;
  const token = newToken();
  const app = createApp(engine, {
    token: createTokenCheck(tokenFile, token),
    hosts: [host, ...allowedHosts].map((name) => name.toLowerCase()),
    loopbackOnly: isLoopback(host),
  });
  const server = listen(app, host, port);
  try {
    // Only once the port is ours: a failed start must not lock clients out of a running engine.
    writeToken(tokenFile, token);
  } catch (error) {
    await server.stop(true);
    throw error;
  }
  const stop = async () => {
    const drained = server.stop();
    await engine.close();
    await within(DRAIN_MS, drained);
    await server.stop(true);
  };
  let stopped: Promise<void> | null = null;
  return {
    port: server.port ?? port,
    token,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** The API for a client in this process: no port, no token file. `fetch` is as the global one. */
export function inProcess(engine: Engine): {
  token: string;
  fetch(request: Request): Promise<Response>;
} {
  const token = newToken();
  const tokenFile = kollabPaths(engine.options.home).token;
  const app = createApp(engine, {
    token: createTokenCheck(tokenFile, token),
    hosts: [],
    loopbackOnly: true,
  });
  return { token, fetch: async (request) => app.handle(request) };
}

function listen(app: ReturnType<typeof createApp>, hostname: string, port: number) {
  try {
    return Bun.serve({
      async fetch(request, server) {
        const response = await app.fetch(request);
        // A stream is silent while a person thinks; it has a heartbeat of its own.
        if (response.headers.get("content-type") === SSE_HEADERS["content-type"])
          server.timeout(request, 0);
        return response;
      },
      hostname,
      port,
      // Two engines on one port would share its requests.
      reusePort: false,
      development: false,
      idleTimeout: IDLE_SECONDS,
      // Ours answers, with a body that says why.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    });
  } catch (cause) {
    throw cannotListen(hostname, port, cause);
  }
}

function cannotListen(host: string, port: number, cause: unknown): EngineError {
  const code = errorCode(cause) || String(cause);
  const why = code === "EADDRINUSE" ? "the port is in use" : code;
  return new EngineError("unavailable", `Cannot listen on ${host}:${port}: ${why}`, { cause });
}
