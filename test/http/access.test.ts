import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "../../src/engine.ts";
import { startServer } from "../../src/http/server.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type RawReply, type RawRequest, rawRequest } from "../support/raw-http.ts";
import { recordedLog } from "../support/recorded-log.ts";

const OPEN_PATHS = ["/health", "/version", "/status", "/ready"];
const CLOSED_PATHS = [
  "/sessions",
  "/sessions/none",
  "/profiles",
  "/events",
  "/openapi.json",
  "/redoc",
  "/no/such/path",
  "/HEALTH",
  "//health",
  "/health/x",
];
const FOREIGN_ORIGINS = ["https://evil.com", "null", "http://127.0.0.1.evil.com", "no-origin"];

let e: TestEngine;
let tokenFile: string;
beforeAll(async () => {
  e = await startEngine();
  tokenFile = join(e.home, ".kollab/engine.token");
});
afterAll(() => e.stop());

const ask = (path: string, headers: RawRequest["headers"] = {}, method = "GET") =>
  rawRequest({ port: e.server.port, path, headers, method });
const bearer = () => `Bearer ${e.server.token}`;
const detailOf = (reply: RawReply) => JSON.parse(reply.text).detail;

describe("the token", () => {
  afterEach(() => writeFileSync(tokenFile, e.server.token));

  test("is not asked for on the open paths", async () => {
    for (const path of OPEN_PATHS) expect([path, (await ask(path)).status]).toEqual([path, 200]);
    const root = await ask("/");
    expect([root.status, detailOf(root)]).toEqual([404, "Not Found"]);
  });

  test("is not asked for on an open path that gets a wrong one", async () => {
    for (const path of OPEN_PATHS)
      expect((await ask(path, { authorization: "Bearer wrong" })).status).toBe(200);
  });

  test.each(CLOSED_PATHS)("is asked for on %s", async (path) => {
    const reply = await ask(path);
    expect([reply.status, JSON.parse(reply.text)]).toEqual([
      401,
      { detail: "Missing bearer token", code: "unauthorized" },
    ]);
  });

  test("is asked for before the body is looked at, and before a redirect", async () => {
    const post = { method: "POST", path: "/sessions", port: e.server.port };
    expect((await rawRequest({ ...post, body: "{" })).status).toBe(401);
    expect((await rawRequest({ ...post, headers: { "content-length": "9000000" } })).status).toBe(
      401,
    );
    expect((await ask("/sessions/")).status).toBe(401);
  });

  test("is not asked for by a preflight, whatever the path", async () => {
    for (const path of ["/sessions", "/health", "/no/such/path", "/sessions/a/message"])
      expect((await ask(path, {}, "OPTIONS")).status).toBe(204);
  });

  test("is taken with the scheme Bearer in just this case", async () => {
    const { token } = e.server;
    expect((await ask("/sessions", { authorization: `Bearer ${token}` })).status).toBe(200);
    for (const given of [
      `bearer ${token}`,
      `BEARER ${token}`,
      `Basic ${token}`,
      token,
      `Bearer${token}`,
      "Bearer",
      "Bearer ",
      "",
    ]) {
      const reply = await ask("/sessions", { authorization: given });
      expect([given, reply.status, detailOf(reply)]).toEqual([given, 401, "Missing bearer token"]);
    }
  });

  test("is refused when it is another one, longer, shorter or not ASCII", async () => {
    const { token } = e.server;
    for (const given of [
      `${token}x`,
      token.slice(1),
      token.toUpperCase(),
      "tökén",
      "\u{1f511}",
      "x".repeat(6000),
    ]) {
      const reply = await ask("/sessions", { authorization: `Bearer ${given}` });
      expect([reply.status, detailOf(reply)]).toEqual([401, "Invalid token"]);
    }
  });

  test("is not taken from the address, where it would end up in logs", async () => {
    for (const name of ["access_token", "token"]) {
      expect((await ask(`/sessions?${name}=${e.server.token}`)).status).toBe(401);
      const status = await ask(`/status?${name}=${e.server.token}`);
      expect(JSON.parse(status.text).session_ids).toEqual([]);
    }
  });

  test("of a second engine on the same home is accepted, and this engine's own stays valid", async () => {
    writeFileSync(tokenFile, "another-engines-token\n");
    for (const token of ["another-engines-token", e.server.token])
      expect((await ask("/sessions", { authorization: `Bearer ${token}` })).status).toBe(200);
    const reply = await ask("/sessions", { authorization: "Bearer another" });
    expect([reply.status, detailOf(reply)]).toEqual([401, "Invalid token"]);
  });

  test.each(["", " ", "\n"])("is not nothing when the file holds %j", async (text) => {
    writeFileSync(tokenFile, text);
    for (const given of ["Bearer ", "Bearer", "Bearer  ", "Bearer \t"])
      expect((await ask("/sessions", { authorization: given })).status).toBe(401);
    expect((await ask("/sessions", { authorization: bearer() })).status).toBe(200);
  });

  test("of an earlier start is no longer valid after a restart", async () => {
    const before = e.server.token;
    await e.restart();
    expect((await ask("/sessions", { authorization: `Bearer ${before}` })).status).toBe(401);
    expect((await ask("/sessions", { authorization: bearer() })).status).toBe(200);
  });
});

test("session ids are shown in /status to those with the token only", async () => {
  const id = await e.newSession();
  const without = JSON.parse((await ask("/status")).text);
  expect([without.sessions, without.session_ids, without.mcp_servers]).toEqual([1, [], {}]);
  const wrong = JSON.parse((await ask("/status", { authorization: "Bearer wrong" })).text);
  expect(wrong.session_ids).toEqual([]);
  const withToken = JSON.parse((await ask("/status", { authorization: bearer() })).text);
  expect(withToken.session_ids).toEqual([id]);
});

describe("the name a client calls us by", () => {
  test("may be any of loopback, and any address", async () => {
    const { port } = e.server;
    for (const host of [
      `127.0.0.1:${port}`,
      "127.0.0.1",
      "127.9.9.9",
      `localhost:${port}`,
      "localhost",
      "LocalHost",
      "engine.localhost",
      `[::1]:${port}`,
      "10.1.2.3",
    ])
      expect([host, (await ask("/health", { host })).status]).toEqual([host, 200]);
  });

  test("may be written with the dot that ends it", async () => {
    expect((await ask("/health", { host: "localhost." })).status).toBe(200);
    expect((await ask("/health", { host: "evil.com." })).status).toBe(403);
  });

  test.each([...OPEN_PATHS, "/", "/sessions", "/no/such/path", "/sessions/"])(
    "may not be a stranger's on %s, even with the token",
    async (path) => {
      for (const method of ["GET", "POST", "OPTIONS"]) {
        const reply = await ask(path, { host: "evil.com", authorization: bearer() }, method);
        expect([method, reply.status, JSON.parse(reply.text).code]).toEqual([
          method,
          403,
          "bad_host",
        ]);
      }
    },
  );

  test.each([
    "localhost.evil.com",
    "127.0.0.1.evil.com",
    "evil-localhost",
    "xlocalhost",
    "127.0.0.1x",
  ])("may not be one that only begins or ends like ours: %s", async (host) =>
    expect((await ask("/health", { host })).status).toBe(403),
  );

  test.each([
    "",
    "a b",
    "127.0.0.1@evil.com",
    "evil.com/127.0.0.1",
    "evil.com#localhost",
    "[evil",
    "1.2.3.4.5",
    "localhost:99999",
  ])("is the client's fault when it is no name at all: %j", async (host) => {
    const logged = e.logged.length;
    const reply = await ask("/health", { host });
    expect([400, 403]).toContain(reply.status);
    expect(reply.headers["access-control-allow-origin"]).toBe("*");
    // Anybody on this machine can send one: it must not fill the log.
    expect(e.logged.slice(logged).filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  test("may not be left out, not by an HTTP/1.0 client either", async () => {
    const reply = await rawRequest({
      port: e.server.port,
      path: "/health",
      headers: { host: null },
      version: "1.0",
    });
    expect([400, 403]).toContain(reply.status);
  });
});

describe("a page from elsewhere", () => {
  test.each(FOREIGN_ORIGINS)("learns nothing but that the engine runs: %s", async (origin) => {
    expect((await ask("/health", { origin })).status).toBe(200);
    for (const path of ["/version", "/status", "/ready", "/", "/sessions"])
      expect([path, (await ask(path, { origin })).status]).toEqual([path, 401]);
  });

  test.each(FOREIGN_ORIGINS)("works with the token: %s", async (origin) => {
    for (const path of ["/version", "/status", "/sessions"]) {
      const reply = await ask(path, { origin, authorization: bearer() });
      expect([path, reply.status, reply.headers["access-control-allow-origin"]]).toEqual([
        path,
        200,
        "*",
      ]);
    }
  });

  test("on this machine is not from elsewhere", async () => {
    for (const origin of [
      "http://localhost:3000",
      "http://127.0.0.1:5173",
      "http://[::1]:8080",
      "http://ui.localhost",
    ])
      expect((await ask("/status", { origin })).status).toBe(200);
  });
});

test("a preflight names the methods, echoes the headers asked for, and holds for ten minutes", async () => {
  const headers = {
    origin: "https://app.example.com",
    "access-control-request-method": "PATCH",
    "access-control-request-headers": "authorization,content-type,x-anything",
  };
  const reply = await ask("/sessions/abc", headers, "OPTIONS");
  expect(reply.status).toBe(204);
  expect(reply.text).toBe("");
  expect(reply.headers).toMatchObject({
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization,content-type,x-anything",
    "access-control-max-age": "600",
  });
  expect(reply.headers["access-control-allow-credentials"]).toBeUndefined();
  const methods = reply.headers["access-control-allow-methods"]?.split(", ") ?? [];
  expect(methods).toEqual(expect.arrayContaining(["GET", "POST", "PUT", "PATCH", "DELETE"]));
});

test("where other machines can connect, nothing but /health is open", async () => {
  const engine = await createEngine({
    home: join(e.home, "remote"),
    directory: e.workspace,
    env: {},
    log: recordedLog().log,
  });
  const server = await startServer(engine, {
    host: "0.0.0.0",
    port: 0,
    allowedHosts: ["engine.example.com", "MyBox.local"],
  });
  try {
    const { port, token } = server;
    const get = (path: string, headers: RawRequest["headers"] = {}) =>
      rawRequest({ port, path, headers }).then(({ status }) => status);
    const authorization = `Bearer ${token}`;
    expect(await get("/health")).toBe(200);
    for (const path of ["/version", "/status", "/ready", "/", "/sessions", "/docs"])
      expect([path, await get(path)]).toEqual([path, 401]);
    for (const path of ["/version", "/status", "/ready", "/sessions"])
      expect([path, await get(path, { authorization })]).toEqual([path, 200]);
    expect(await get("/health", { host: "engine.example.com" })).toBe(200);
    expect(await get("/health", { host: "Engine.Example.com" })).toBe(200);
    expect(await get("/health", { host: "mybox.local" })).toBe(200);
    expect(await get("/health", { host: "evil.com" })).toBe(403);
  } finally {
    await server.stop();
  }
});
