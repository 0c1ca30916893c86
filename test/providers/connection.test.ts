import { dlopen } from "bun:ffi";
import { expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { watchConnection } from "../../src/providers/connection.ts";
import { DEFAULT_DEADLINES } from "../../src/providers/endpoint.ts";
import { openModel } from "../../src/providers/registry.ts";
import { failureOf, profileOf } from "../support/model-calls.ts";

test("a host that takes connections is reachable, however slow it answers", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const tried = new Promise<void>((resolve) => server.once("connection", () => resolve()));
  const stop = watchConnection(
    { baseUrl: `http://127.0.0.1:${port}/v1`, loopback: true, deadlines: { connectMs: 40 } },
    () => expect.unreachable(),
  );
  await tried;
  await Bun.sleep(50);
  stop();
  server.close();
});

/** A port whose queue of connections is full: the system drops further attempts without a word. */
async function deafPort(): Promise<{ port: number } & Disposable> {
  const { symbols: system, close } = dlopen("libc.so.6", {
    socket: { args: ["int", "int", "int"], returns: "int" },
    bind: { args: ["int", "buffer", "int"], returns: "int" },
    listen: { args: ["int", "int"], returns: "int" },
    getsockname: { args: ["int", "buffer", "buffer"], returns: "int" },
    close: { args: ["int"], returns: "int" },
  });
  const [INTERNET, STREAM] = [2, 1];
  const descriptor = system.socket(INTERNET, STREAM, 0);
  const address = new Uint8Array([INTERNET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  system.bind(descriptor, address, address.length);
  system.listen(descriptor, 0);
  system.getsockname(descriptor, address, new Uint8Array([address.length, 0, 0, 0]));
  const port = address[2]! * 256 + address[3]!;
  const first: Socket = connect(port, "127.0.0.1");
  await new Promise((resolve) => first.once("connect", resolve));
  return {
    port,
    [Symbol.dispose]: () => {
      first.destroy();
      system.close(descriptor);
      close();
    },
  };
}

test("a host behind a proxy is the proxy's to reach", async () => {
  const before = process.env.HTTPS_PROXY;
  process.env.HTTPS_PROXY = "http://127.0.0.1:9";
  const host = { baseUrl: "https://127.0.0.1:9", loopback: false, deadlines: { connectMs: 0 } };
  const stop = watchConnection(host, () => expect.unreachable());
  if (before === undefined) delete process.env.HTTPS_PROXY;
  else process.env.HTTPS_PROXY = before;
  await Bun.sleep(10);
  stop();
});

test.skipIf(process.platform !== "linux")(
  "a host that takes no connection is given up after the limit for connecting",
  async () => {
    using deaf = await deafPort();
    const baseUrl = `http://127.0.0.1:${deaf.port}/v1`;
    const model = await openModel(profileOf({ baseUrl }), {
      deadlines: { ...DEFAULT_DEADLINES, connectMs: 100 },
    });
    const { error } = await failureOf(model);
    expect([error.code, error.retryable]).toEqual(["timeout", true]);
    expect(error.message).toBe("openai took no connection within 0.1 s");
  },
);
