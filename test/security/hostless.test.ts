/** HTTP/1.0 knows no `Host`; such a request has to show the token all the same. */
import { afterEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../../src/http/server.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { rawRequest } from "../support/raw-http.ts";

let e: TestEngine;
afterEach(() => e.stop());

const old = (port: number, method: string, path: string, body?: string) =>
  rawRequest({
    port,
    method,
    path,
    version: "1.0",
    headers: { host: null, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body }),
  });

test.each([
  "/sessions",
  "/profiles",
  "/openapi.json",
  "/sessions/health",
  "/aaaaaa/sessions?x=//y/health",
  "/sessions/none",
  "/aaaaaa/sessions/none?x=//y/health",
])("a request without Host is asked for the token on %s", async (path) => {
  e = await startEngine();
  expect((await old(e.server.port, "GET", path)).status).toBeOneOf([400, 401, 403]);
});

test("nobody runs a command without the token", async () => {
  e = await startEngine();
  const { port } = e.server;
  const body = {
    session_id: "x",
    profile: "offline",
    approval_mode: "trust_all",
    workspace: e.workspace,
  };
  await old(port, "POST", "/sessions", JSON.stringify(body));
  await old(
    port,
    "POST",
    "/aaaaaa/sessions/x/message?a=//y/health",
    JSON.stringify({ content: "run `touch pwned`" }),
  );
  expect(existsSync(join(e.workspace, "pwned"))).toBe(false);
});

test("nor from another machine, where the engine listens to more than this one", async () => {
  e = await startEngine();
  const server = await startServer(e.engine, { host: "0.0.0.0", port: 0 });
  const statuses = [];
  for (const path of [
    "/sessions",
    "/sessions/health",
    "/aaaaaa/sessions?x=//y/health",
    "/profiles?//y/health",
  ])
    statuses.push((await old(server.port, "GET", path)).status);
  expect(statuses.filter((status) => ![400, 401, 403].includes(status))).toEqual([]);
});
