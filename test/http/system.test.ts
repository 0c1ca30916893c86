import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json" with { type: "json" };
import { startEngine, type TestEngine, type TestOptions } from "../support/engine.ts";
import type { Json } from "../support/sse.ts";

describe("an engine without settings", () => {
  let e: TestEngine;
  beforeAll(async () => {
    e = await startEngine();
  });
  afterAll(() => e.stop());

  test("is healthy, and says for how many seconds", async () => {
    const health = await e.json("GET", "/health");
    expect(health).toEqual({ status: "healthy", uptime: expect.any(Number) });
    expect(Number.isInteger(health.uptime)).toBe(true);
  });

  test("has the original's six versions, all of them texts", async () => {
    expect(await e.json("GET", "/version")).toEqual({
      version,
      engine: version,
      kollabor_ai: "unknown",
      kollabor_agent: "unknown",
      kollabor_events: "unknown",
      python: "unknown",
    });
  });

  test("says what it has, and which providers its sessions have used", async () => {
    const empty = { version, sessions: 0, uptime: expect.any(Number), providers: [] };
    expect(await e.json("GET", "/status")).toEqual({ ...empty, mcp_servers: {}, session_ids: [] });
    const ids = [await e.newSession(), await e.newSession()];
    for (const id of ids) await e.turn(id, "say hi");
    expect(await e.json("GET", "/status")).toMatchObject({
      sessions: 2,
      providers: ["offline"],
      session_ids: ids,
    });
    for (const id of ids) await e.json("DELETE", `/sessions/${id}`);
    expect(await e.json("GET", "/status")).toMatchObject(empty);
  });

  test("is not ready, without a key: the offline model does not count", async () => {
    const ready = await e.json("GET", "/ready");
    expect(ready).toMatchObject({
      ready: false,
      checks: { profiles: "ok", sessions: "idle", api_credentials: "failed" },
    });
    const id = await e.newSession();
    expect((await e.json("GET", "/ready")).checks.sessions).toBe("ok");
    await e.json("DELETE", `/sessions/${id}`);
  });
});

describe("readiness", () => {
  let e: TestEngine;
  afterEach(() => e.stop());
  const config = (api_key: string) => ({
    ".kollab/config.json": JSON.stringify({
      kollabor: { llm: { profiles: { work: { provider: "openai", model: "m", api_key } } } },
    }),
  });
  const cases: [what: string, options: TestOptions, credentials: string][] = [
    ["a key in the file", { files: config("sk-test") }, "ok"],
    [
      "a key in the keyring, which is not looked up",
      { files: config("secret:keyring:work") },
      "ok",
    ],
    ["a placeholder", { files: config("<your key>") }, "failed"],
    ["an empty key", { files: config("") }, "failed"],
    ["a key for all profiles in the environment", { env: { KOLLAB_API_KEY: "k" } }, "ok"],
    ["a key for one profile in the environment", { env: { KOLLAB_CLAUDE_API_KEY: "k" } }, "ok"],
    ["a key of a vendor in the environment", { env: { OPENAI_API_KEY: "k" } }, "ok"],
    ["a blank key in the environment", { env: { KOLLAB_API_KEY: "  " } }, "failed"],
  ];
  test.each(cases)("with %s", async (_what, options, api_credentials) => {
    e = await startEngine(options);
    const ready = await e.json("GET", "/ready");
    expect([ready.ready, ready.checks]).toEqual([
      api_credentials === "ok",
      { profiles: "ok", sessions: "idle", api_credentials },
    ]);
    expect(JSON.stringify(ready)).not.toContain("sk-test");
  });
});

describe.each([
  ["of the home", "home"],
  ["of the engine's folder", "project"],
] as const)("a broken config.json %s", (_which, layer) => {
  const BROKEN =
    '{\n  "kollabor": {\n    "llm": { "active_profile" "work", "api_key": "hunter2" }\n  }\n}\n';
  let e: TestEngine;
  let file: string;
  beforeAll(async () => {
    e = await startEngine();
    await e.newSession({ session_id: "before" });
    await e.turn("before", "say hi");
    file = join(layer === "home" ? e.home : e.workspace, ".kollab/config.json");
    await Bun.write(file, BROKEN);
  });
  afterAll(() => e.stop());
  afterEach(() => {
    writeFileSync(file, BROKEN);
  });

  const credentials = {
    provider: "custom",
    api_key: "k",
    model: "m",
    base_url: "http://127.0.0.1:9/",
  };
  const complaint = () => ({
    detail: expect.stringContaining(`${file} line 3 column 31: `),
    code: "config_invalid",
  });

  test("leaves every endpoint alone that does not need it", async () => {
    for (const [method, path, body] of [
      ["GET", "/health"],
      ["GET", "/version"],
      ["GET", "/status"],
      ["GET", "/ready"],
      ["GET", "/sessions"],
      ["GET", "/sessions/before"],
      ["PATCH", "/sessions/before", {}],
      ["GET", "/sessions/before/history"],
      ["GET", "/sessions/before/system-prompt"],
      ["POST", "/sessions/before/system-prompt/rebuild"],
      ["GET", "/sessions/before/permissions"],
      ["POST", "/sessions/before/permissions/mode", { mode: "default" }],
      ["POST", "/sessions/before/cancel"],
      ["GET", "/sessions/before/runs"],
      ["GET", "/sessions/before/queue"],
      ["POST", "/sessions", { session_id: "own", credentials }],
      ["DELETE", "/sessions/own"],
    ] as const) {
      const reply = await e.call(method, path, body);
      expect([method, path, reply.status]).toEqual([method, path, 200]);
    }
    expect((await e.json("GET", "/ready")).ready).toBe(false);
    for (const path of ["/sessions/before/events", "/events"]) {
      const stream = await e.call("GET", path);
      expect(stream.status).toBe(200);
      await stream.body?.cancel();
    }
  });

  test("is named, with the line, by every endpoint that needs it, and creates nothing", async () => {
    const before = await e.json("GET", "/sessions");
    for (const [method, path, body] of [
      ["GET", "/profiles"],
      ["GET", "/profiles/default"],
      ["POST", "/sessions", {}],
      ["POST", "/sessions", { profile: "work" }],
    ] as const) {
      const reply = await e.call(method, path, body);
      expect([method, path, reply.status, await reply.json()]).toEqual([
        method,
        path,
        500,
        complaint(),
      ]);
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
    }
    expect(await e.json("GET", "/sessions")).toEqual(before);
  });

  test("is named in the error that ends a turn, and the message stays in the conversation", async () => {
    const before = (await e.json("GET", "/sessions/before/history")).history;
    const events = await e.turn("before", "say there");
    expect(events.at(-1)?.event).toMatchObject({
      type: "error",
      code: "internal",
      message: expect.stringContaining(`${file} line 3 column 31: `),
    });
    const { history } = await e.json("GET", "/sessions/before/history");
    expect(history).toEqual([
      ...before,
      { role: "user", content: "say there", metadata: expect.any(Object) },
    ]);
  });

  test("is never written, nor quoted", async () => {
    await e.call("POST", "/sessions", {});
    const profiles = await e.call("GET", "/profiles");
    expect(await profiles.text()).not.toContain("hunter2");
    expect(e.logged.join("")).not.toContain("hunter2");
    expect(readFileSync(file, "utf8")).toBe(BROKEN);
  });

  test("does not keep an engine from starting", async () => {
    await e.restart();
    expect((await e.call("GET", "/sessions/before")).status).toBe(200);
    expect((await e.call("GET", "/profiles")).status).toBe(500);
  });

  test("needs no restart when it is mended, or gone", async () => {
    const work = { provider: "openai", model: "m" };
    writeFileSync(file, JSON.stringify({ kollabor: { llm: { profiles: { work } } } }));
    const names = (await e.json("GET", "/profiles")).profiles.map(({ name }: Json) => name);
    expect(names).toContain("work");
    expect((await e.call("POST", "/sessions", { profile: "work" })).status).toBe(200);
    writeFileSync(file, BROKEN);
    expect((await e.call("GET", "/profiles")).status).toBe(500);
    rmSync(file);
    expect((await e.call("GET", "/profiles")).status).toBe(200);
    expect((await e.turn("before", "say hi")).at(-1)?.event.type).toBe("turn_complete");
  });
});
