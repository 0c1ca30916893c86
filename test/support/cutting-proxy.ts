/** A way to an engine that breaks: cuts connections after some bytes of what the engine says. */
import { connect, createServer, type Socket } from "node:net";

export type CuttingProxy = AsyncDisposable & {
  url: string;
  /** How often it has cut. */
  cuts(): number;
};

/** Each limit cuts the next connection that reaches it; afterwards nothing is cut. */
export async function cuttingProxy(port: number, limits: number[]): Promise<CuttingProxy> {
  const left = [...limits];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const engine = connect(port, "127.0.0.1");
    let bytes = 0;
    for (const socket of [client, engine]) sockets.add(socket.on("error", () => {}));
    client.pipe(engine);
    engine.on("data", (chunk) => {
      bytes += chunk.length;
      client.write(chunk);
      if (bytes < (left[0] ?? Number.POSITIVE_INFINITY)) return;
      left.shift();
      client.destroy();
      engine.destroy();
    });
    engine.on("close", () => client.end());
    client.on("close", () => engine.destroy());
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    cuts: () => limits.length - left.length,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
