import { heapStats } from "bun:jsc";
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "../src/engine.ts";
import { startServer } from "../src/http/server.ts";
import { startEngine, type TestEngine } from "./support/engine.ts";
import { recordedLog } from "./support/recorded-log.ts";
import { type Json, typesOf } from "./support/sse.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const openFiles = () => readdirSync("/proc/self/fd").length;
/** What would keep an engine from being forgotten. */
const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
const heap = () => {
  Bun.gc(true);
  return heapStats().heapSize;
};
const MEGABYTE = 1024 * 1024;

test("two engines in one process know nothing of each other", async () => {
  const settings = (model: string) => ({
    files: {
      ".kollab/config.json": JSON.stringify({
        kollabor: { llm: { profiles: { work: { provider: "openai", model } } } },
      }),
    },
  });
  const [one, other] = [await startEngine(settings("m-1")), await startEngine(settings("m-2"))];
  try {
    expect(one.server.port).not.toBe(other.server.port);
    for (const engine of [one, other])
      await engine.newSession({ session_id: "same", profile: "offline" });
    await one.newSession({ session_id: "only" });
    const replies = await Promise.all([
      one.turn("same", "say alpha"),
      other.turn("same", "say beta"),
    ]);
    expect(replies.map((events) => typesOf(events).at(-1))).toEqual([
      "turn_complete",
      "turn_complete",
    ]);
    const prompts = async (engine: TestEngine) =>
      (await engine.json("GET", "/sessions/same/history")).history[0].content;
    expect([await prompts(one), await prompts(other)]).toEqual(["say alpha", "say beta"]);
    const models = [one, other].map((engine) => engine.json("GET", "/profiles/work"));
    expect((await Promise.all(models)).map(({ model }: Json) => model)).toEqual(["m-1", "m-2"]);
    expect((await other.call("GET", "/sessions/only")).status).toBe(404);
    const crossed = await other.call("GET", "/sessions", undefined, {
      authorization: `Bearer ${one.server.token}`,
    });
    expect(crossed.status).toBe(401);
    await one.stop();
    expect(typesOf(await other.turn("same", "say gamma")).at(-1)).toBe("turn_complete");
  } finally {
    await other.stop();
  }
});

test("two engines on one home and data folder work beside each other", async () => {
  const one = await startEngine();
  const engine = await createEngine(one.engine.options);
  const server = await startServer(engine, { host: "127.0.0.1", port: 0 });
  const call = (path: string, body?: object) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  try {
    // In turns: both write of the lives of their sessions.
    for (const round of [1, 2, 3]) {
      expect((await one.call("POST", "/sessions", { session_id: `one-${round}` })).status).toBe(
        200,
      );
      expect((await call("/sessions", { session_id: `other-${round}` })).status).toBe(200);
      expect(typesOf(await one.turn(`one-${round}`, "say hi")).at(-1)).toBe("turn_complete");
      const turn = await call(`/sessions/other-${round}/message`, { content: "say hi" });
      expect(await turn.text()).toContain("turn_complete");
    }
    expect(one.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    expect((await call("/sessions/one-1")).status).toBe(409);
  } finally {
    await server.stop();
    await one.stop();
  }
});

test("fifty starts and stops leave nothing behind", async () => {
  const e = await startEngine();
  const live = async () => {
    const id = await e.newSession({ approval_mode: "trust_all" });
    await e.turn(id, "run `true`");
    // An open stream and a running turn, as at any stop.
    const stream = await e.call("GET", `/sessions/${id}/events`);
    await e.json("POST", `/sessions/${id}/runs`, { content: "stream 5000 words every 50 ms" });
    await e.restart();
    await stream.text();
    await e.json("DELETE", `/sessions/${id}`);
  };
  for (let round = 0; round < 5; round++) await live();
  const before = { files: openFiles(), listeners: listeners(), heap: heap() };
  for (let round = 0; round < 50; round++) await live();
  expect(openFiles()).toBeLessThanOrEqual(before.files + 3);
  expect(listeners()).toEqual(before.listeners);
  expect(heap() - before.heap).toBeLessThan(10 * MEGABYTE);
  await e.stop();
}, 60_000);

test("a stopped engine holds no timer that would keep its process", async () => {
  using folder = temporaryFolder();
  const script = join(import.meta.dir, "support/one-turn.ts");
  const child = Bun.spawn([process.execPath, script, folder.path], {
    stdout: "pipe",
    stderr: "inherit",
  });
  let stoppedAt = 0;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream()))
    if (text.includes("stopped")) stoppedAt = performance.now();
  expect(await child.exited).toBe(0);
  // It ends by itself, in some milliseconds; this is for a busy machine.
  expect(performance.now() - stoppedAt).toBeLessThan(1_500);
}, 20_000);

test("a start that fails leaves nothing open", async () => {
  const e = await startEngine();
  const port = e.server.port;
  const attempt = async () => {
    const engine = await createEngine({ ...e.engine.options, log: recordedLog().log });
    await expect(startServer(engine, { host: "127.0.0.1", port })).rejects.toThrow("in use");
    await engine.close();
    await expect(
      createEngine({ ...e.engine.options, dataDir: join(e.home, "newer") }),
    ).rejects.toThrow("newer");
  };
  await Bun.write(join(e.home, "newer/.keep"), "");
  const db = new Database(join(e.home, "newer/engine.db"), { create: true });
  db.run("PRAGMA user_version = 999");
  db.close();
  for (let round = 0; round < 3; round++) await attempt();
  Bun.gc(true);
  const before = openFiles();
  for (let round = 0; round < 20; round++) await attempt();
  expect(openFiles()).toBeLessThanOrEqual(before + 3);
  expect((await e.call("GET", "/sessions")).status).toBe(200);
  await e.stop();
});

test("two hundred sessions that came and went leave nothing in the store", async () => {
  const e = await startEngine();
  const one = async (turn: boolean) => {
    const id = await e.newSession({ system_prompt: "x", metadata: { a: 1 } });
    if (turn) await e.turn(id, "say hi");
    await e.json("DELETE", `/sessions/${id}`);
  };
  await Promise.all(Array.from({ length: 20 }, () => one(true)));
  const before = heap();
  for (let batch = 0; batch < 10; batch++)
    await Promise.all(Array.from({ length: 18 }, (_, at) => one(at % 3 === 0)));
  expect(await e.json("GET", "/sessions")).toEqual({ sessions: [] });
  expect(await e.engine.sessions.live()).toEqual([]);
  expect(heap() - before).toBeLessThan(10 * MEGABYTE);
  const db = new Database(join(e.home, ".kollab/engine/engine.db"), { readonly: true });
  const count = (what: string) =>
    db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${what}`).get()?.n;
  for (const table of ["sessions", "runs", "messages"])
    expect([table, count(table)]).toEqual([table, 0]);
  expect(count("(SELECT DISTINCT log FROM events WHERE log LIKE 'sess_%')")).toBe(0);
  db.close();
  await e.stop();
}, 20_000);
