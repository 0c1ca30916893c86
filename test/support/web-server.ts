/** Web servers on loopback under made-up names, and the tool that may reach them. */
import { createServer, type Server, type Socket } from "node:net";
import type { Tool } from "../../src/domain/tool.ts";
import { webTools } from "../../src/tools/web-fetch.ts";
import type { WebOptions } from "../../src/tools/web-read.ts";
import { AUTHORITY, GOOD_TEST } from "./web-certificates.ts";

export type WebServer = {
  port: number;
  /** How many connections there were. */
  connections(): number;
  /** How many of them are open; resolves when there are none. */
  closed(): Promise<void>;
  stop(): void;
};

export type Handler = (request: Request) => Response | Promise<Response>;

/** What comes is answered as bytes, whatever it is. */
export async function rawServer(onConnection: (socket: Socket) => void): Promise<WebServer> {
  let connections = 0;
  const open = new Set<Socket>();
  const idle: (() => void)[] = [];
  const server: Server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      open.delete(socket);
      if (open.size === 0) for (const resolve of idle.splice(0)) resolve();
    });
    onConnection(socket);
    // The end of what is not read is not noticed.
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  return {
    port: address.port,
    connections: () => connections,
    closed: () =>
      open.size === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve)),
    stop() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** One answer for every request. */
export const answering = (head: string, body: string | Uint8Array = ""): Promise<WebServer> =>
  rawServer((socket) =>
    socket.once("data", () => {
      socket.write(`HTTP/1.1 ${head}\r\n\r\n`);
      socket.end(body);
    }),
  );

export function pageServer(handler: Handler, secure = false) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(secure && { tls: GOOD_TEST }),
    fetch: handler,
  });
}

/** Names that end in `.test` lead to loopback, which is allowed; nothing else is. */
export function testWeb(more: Partial<WebOptions> = {}): Tool[] {
  return webTools({
    version: "1.2.3",
    env: {},
    resolve: async () => ["127.0.0.1"],
    isAllowed: (address) => address === "127.0.0.1",
    certificates: [AUTHORITY],
    ...more,
  });
}
