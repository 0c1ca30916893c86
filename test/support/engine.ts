/** A whole engine for a test: a home of its own, a real port, a client. Never the developer's files. */
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, type Engine, type EngineOptions } from "../../src/engine.ts";
import { type Server, startServer } from "../../src/http/server.ts";
import { createLog } from "../../src/lib/log.ts";
import { type Json, readSse, type SseEvent } from "./sse.ts";

export type TestEngine = {
  engine: Engine;
  server: Server;
  base: string;
  home: string;
  workspace: string;
  /** What the engine logged, line by line. */
  logged: string[];
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response>;
  json(method: string, path: string, body?: unknown): Promise<Json>;
  newSession(body?: object): Promise<string>;
  /** Sends a message and reads its whole stream. */
  turn(session: string, content: unknown, more?: object): Promise<SseEvent[]>;
  /** Stops this engine and starts another one on the same home. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

export type TestOptions = Partial<Omit<EngineOptions, "home" | "directory" | "log">> & {
  /** Files in the home, by their path below it. */
  files?: Record<string, string>;
};

export async function startEngine({
  files = {},
  ...options
}: TestOptions = {}): Promise<TestEngine> {
  const root = await realpath(mkdtempSync(join(tmpdir(), "kollab-test-")));
  const home = join(root, "home");
  const workspace = join(root, "workspace");
  await mkdir(home);
  await mkdir(workspace);
  for (const [path, text] of Object.entries(files)) await Bun.write(join(home, path), text);

  const logged: string[] = [];
  const log = createLog({ level: "debug", write: (line) => void logged.push(line) });
  const start = async () => {
    const engine = await createEngine({
      home,
      directory: workspace,
      env: { PATH: process.env.PATH, HOME: home, LANG: "C.UTF-8" },
      log,
      ...options,
    });
    return { engine, server: await startServer(engine, { host: "127.0.0.1", port: 0 }) };
  };
  let { engine, server } = await start();

  const test: TestEngine = {
    get engine() {
      return engine;
    },
    get server() {
      return server;
    },
    get base() {
      return `http://127.0.0.1:${server.port}`;
    },
    home,
    workspace,
    logged,
    call(method, path, body, headers) {
      return fetch(`${test.base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${server.token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    },
    async json(method, path, body) {
      const response = await test.call(method, path, body);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    async newSession(body = {}) {
      const session = await test.json("POST", "/sessions", { workspace, ...body });
      return session.session_id;
    },
    async turn(session, content, more = {}) {
      const path = `/sessions/${session}/message`;
      const response = await test.call("POST", path, { content, ...more });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return Array.fromAsync(readSse(response));
    },
    async restart() {
      await server.stop();
      ({ engine, server } = await start());
    },
    async stop() {
      await server.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return test;
}
