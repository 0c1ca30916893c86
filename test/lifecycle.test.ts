import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { version } from "../package.json" with { type: "json" };
import {
  type EngineProcess,
  type ProcessOptions,
  processesWith,
  runCommand,
  startEngineProcess,
  until,
} from "./support/engine-process.ts";
import { type Json, readSse, type SseEvent, typesOf } from "./support/sse.ts";
import { type TemporaryFolder, temporaryFolder } from "./support/temporary-folder.ts";

const MAIN = join(import.meta.dir, "../src/main.ts");

let folder: TemporaryFolder;
let at: ProcessOptions;
let tokenFile: string;
let engineFile: string;
const running: EngineProcess[] = [];
beforeEach(() => {
  folder = temporaryFolder();
  const root = realpathSync(folder.path);
  at = { home: join(root, "home"), cwd: join(root, "project") };
  for (const each of [at.home, at.cwd]) mkdirSync(each);
  tokenFile = join(at.home, ".kollab/engine.token");
  engineFile = join(at.home, ".kollab/engine/engine.json");
});
afterEach(async () => {
  for (const each of running.splice(0)) {
    each.kill("SIGKILL");
    await each.ended;
  }
  folder[Symbol.dispose]();
});

async function start(more: Partial<ProcessOptions> = {}): Promise<EngineProcess> {
  const engine = await startEngineProcess({ ...at, ...more });
  running.push(engine);
  return engine;
}

/** Seconds to sleep that no other process sleeps: a command with them can be found. */
const newMarker = () => `300.${process.pid}${String(performance.now()).replace(".", "")}`;

/** Resolves when nobody listens there any more. */
async function untilRefused(port: number): Promise<void> {
  for (;;) {
    const refused = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => resolve(false)).on("error", () => resolve(true));
      socket.on("connect", () => socket.destroy());
    });
    if (refused) return;
  }
}

/** One line for a person, and nothing that a launcher could take for READY. */
const complaint = (text: string) => ({
  signal: null,
  stdout: "",
  stderr: expect.stringMatching(new RegExp(`^kollab-engine: [^\\n]*${text}[^\\n]*\\n$`)),
});

/** All that stands in the files of a folder; empty where there is none yet. */
const logged = (logs: string): string =>
  existsSync(logs)
    ? readdirSync(logs)
        .map((name) => readFileSync(join(logs, name), "utf8"))
        .join("")
    : "";

/** The log is opened a moment after READY. */
async function appeared(path: string): Promise<void> {
  for (let tries = 0; tries < 400 && !existsSync(path); tries++) await Bun.sleep(5);
}

describe("serve", () => {
  test("says READY with the port it got, once its token is there, and nothing else", async () => {
    const engine = await start();
    expect(engine.port).toBeGreaterThan(0);
    // Read by `start` at the moment of READY: the first call with it works.
    expect((await engine.call("GET", "/sessions")).status).toBe(200);
    expect(readFileSync(tokenFile, "utf8")).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    expect(statSync(join(at.home, ".kollab/engine")).mode & 0o777).toBe(0o700);
    const logs = join(at.home, ".kollab/projects", at.cwd.slice(1).replaceAll("/", "_"), "logs");
    await until("the log is written", () => logged(logs) !== "");
    const [log, ...others] = readdirSync(logs);
    expect(others).toEqual([]);
    expect(log).toMatch(/^kollab-engine-\d{8}-\d{4}\.log$/);
    expect(statSync(join(logs, log ?? "")).mode & 0o777).toBe(0o600);
    const lines = readFileSync(join(logs, log ?? ""), "utf8");
    expect(lines).toContain("engine ready");
    expect(lines).not.toContain(readFileSync(tokenFile, "utf8"));
    expect(existsSync(engineFile)).toBe(true);
    engine.kill("SIGTERM");
    expect(await engine.ended).toEqual({
      code: 0,
      signal: null,
      stdout: `READY:${engine.port}\n`,
      stderr: "",
    });
    expect(existsSync(engineFile)).toBe(false);
    // Its clients may find it again: the file stays, and the next start writes another token.
    const before = readFileSync(tokenFile, "utf8");
    await start();
    expect(readFileSync(tokenFile, "utf8")).not.toBe(before);
  });

  test("makes no config.json, and leaves the project's folder alone", async () => {
    const engine = await start();
    const session = await engine.json("POST", "/sessions", {});
    const message = await engine.call("POST", `/sessions/${session.session_id}/message`, {
      content: "say hi",
    });
    await message.text();
    await appeared(join(at.home, ".kollab/projects"));
    expect(readdirSync(join(at.home, ".kollab")).sort()).toEqual([
      "engine",
      "engine.token",
      "projects",
    ]);
    expect(readdirSync(at.cwd)).toEqual([]);
  });

  test("with the port in use ends at once and leaves the running engine's token", async () => {
    const first = await start();
    const token = readFileSync(tokenFile, "utf8");
    const { ino } = statSync(tokenFile);
    const second = await runCommand(["serve", "--port", String(first.port)], at);
    expect(second).toMatchObject({ code: 1, ...complaint("the port is in use") });
    expect(readFileSync(tokenFile, "utf8")).toBe(token);
    expect(statSync(tokenFile).ino).toBe(ino);
    expect((await first.call("GET", "/sessions")).status).toBe(200);
  });

  test("with a port that another program has ends likewise, and writes no token", async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, "127.0.0.1", () => {
        const address = other.address();
        resolve(typeof address === "object" && address ? address.port : 0);
      });
    });
    const ended = await runCommand(["serve", "--port", String(port)], at);
    other.close();
    expect(ended).toMatchObject({ code: 1, ...complaint("the port is in use") });
    expect(readdirSync(join(at.home, ".kollab"))).not.toContain("engine.token");
  });

  test("with a home that cannot be written ends with one line", async () => {
    writeFileSync(join(at.home, "file"), "");
    for (const home of [join(at.home, "file"), "/proc/none"]) {
      const ended = await runCommand(["serve", "--port", "0"], { ...at, home });
      expect(ended).toMatchObject({ code: 1, ...complaint(home) });
    }
  });

  test("with data of a newer program ends with one line, and leaves it as it is", async () => {
    const file = join(at.home, ".kollab/engine/engine.db");
    mkdirSync(join(at.home, ".kollab/engine"), { recursive: true });
    const newer = new Database(file, { create: true });
    newer.run("PRAGMA user_version = 999");
    newer.close();
    const before = readFileSync(file);
    const ended = await runCommand(["serve", "--port", "0"], at);
    expect(ended).toMatchObject({ code: 1, ...complaint("newer") });
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(join(at.home, ".kollab"))).not.toContain("engine.token");
  });

  test("with data that is no database ends with one line, and leaves it as it is", async () => {
    const file = join(at.home, ".kollab/engine/engine.db");
    mkdirSync(join(at.home, ".kollab/engine"), { recursive: true });
    writeFileSync(file, "my notes, by mistake ".repeat(1000));
    const before = readFileSync(file);
    const ended = await runCommand(["serve", "--port", "0"], at);
    // It says which file.
    expect(ended).toMatchObject({ code: 1, ...complaint("engine\\.db") });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("refuses wrong options with one line and no READY", async () => {
    const cases: [args: string[], text: string][] = [
      [["--port", "99999"], "--port"],
      [["--port=-1"], "--port"],
      [["--port", "x"], "--port"],
      [["--port", ""], "--port"],
      [["--log-level", "loud"], "--log-level"],
      [["--permission-timeout", "0"], "--permission-timeout"],
      [["--keep-events", "0.5"], "--keep-events"],
      [["--host", "0.0.0.0"], "--allow-remote"],
      [["--host", ""], "--host"],
      [["--no-such-option"], "no-such-option"],
      [["stray"], "stray"],
    ];
    await Promise.all(
      cases.map(async ([args, text]) => {
        const ended = await runCommand(["serve", "--port", "0", ...args], at);
        expect([args, ended]).toEqual([args, { code: 2, ...complaint(text) }]);
      }),
    );
    expect(readdirSync(at.home)).toEqual([]);
  }, 30_000);

  test("keeps its data where --data-dir says", async () => {
    const data = join(at.cwd, "data");
    const engine = await start({ args: ["--port", "0", "--data-dir", data] });
    await engine.call("POST", "/sessions", { session_id: "here" });
    expect(readdirSync(data)).toContain("engine.db");
    expect(readdirSync(join(at.home, ".kollab/engine"))).toEqual(["engine.json"]);
    engine.kill("SIGTERM");
    await engine.ended;
    const next = await start({ args: ["--port", "0", "--data-dir", data] });
    expect((await next.call("GET", "/sessions/here")).status).toBe(200);
  });
});

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  test("during a turn with a command ends all of it, tells every stream, and exits 0", async () => {
    const marker = newMarker();
    const engine = await start();
    const body = { session_id: "busy", approval_mode: "trust_all" };
    expect((await engine.call("POST", "/sessions", body)).status).toBe(200);
    const follow = await engine.call("GET", "/sessions/busy/events");
    const lifecycle = await engine.call("GET", "/events?after=0");
    const message = await engine.call("POST", "/sessions/busy/message", {
      content: `run \`sleep ${marker} & echo going; sleep ${marker}\``,
    });
    const streams = [message, follow, lifecycle].map((each) => Array.fromAsync(readSse(each)));
    await until("both commands run", () => processesWith(`sleep\0${marker}`).length === 2);

    const asked = performance.now();
    engine.kill(signal);
    const ended = await engine.ended;
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(ended).toEqual({ code: 0, signal: null, stdout: `READY:${engine.port}\n`, stderr: "" });
    expect(processesWith(marker)).toEqual([]);

    const [ofMessage = [], ofSession = [], ofAll = []] = await Promise.all(streams);
    const errors = (events: SseEvent[]) =>
      events.filter(({ event }) => event.type === "error").map(({ event }) => event.code);
    expect(errors(ofMessage)).toEqual(["cancelled"]);
    expect(typesOf(ofMessage).at(-1)).toBe("error");
    expect(errors(ofSession)).toEqual(["cancelled"]);
    expect(ofSession.at(-1)?.event).toMatchObject({ type: "stream_cut", reason: "shutdown" });
    expect(typesOf(ofAll)).toEqual(["session_created", "turn_started", "turn_ended", "stream_cut"]);

    const next = await start();
    const session = await next.json("GET", "/sessions/busy");
    expect(session).toMatchObject({ active: false, last_turn_status: "canceled" });
    const after = await next.call("POST", "/sessions/busy/message", { content: "say hi" });
    expect(typesOf(await Array.fromAsync(readSse(after))).at(-1)).toBe("turn_complete");
  }, 30_000);
});

test("commands that tools run get no NODE_ENV that the user has not set", async () => {
  const engine = await start();
  const body = { session_id: "s", approval_mode: "trust_all" };
  expect((await engine.call("POST", "/sessions", body)).status).toBe(200);
  const content = "run `echo environment is $" + "{NODE_ENV-not set}`";
  const message = await engine.call("POST", "/sessions/s/message", { content });
  const events = await Array.fromAsync(readSse(message));
  const result = events.find(({ event }) => event.type === "tool_result");
  expect(result?.event.output).toContain("environment is not set");
});

test("a watcher ends with the engine that it watches", async () => {
  const child = Bun.spawn([process.execPath, "run", "--watch", MAIN, "serve", "--port", "0"], {
    cwd: at.cwd,
    env: { PATH: process.env.PATH ?? "", HOME: at.home },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    expect((await reader.read()).value).toStartWith("READY:");
    child.kill("SIGINT");
    expect(await child.exited).toBe(0);
    expect(existsSync(engineFile)).toBe(false);
  } finally {
    child.kill("SIGKILL");
    await reader.cancel();
  }
});

test("an engine that does nothing stops at once", async () => {
  const engine = await start();
  expect((await engine.call("GET", "/health")).status).toBe(200);
  const asked = performance.now();
  engine.kill("SIGTERM");
  expect((await engine.ended).code).toBe(0);
  // It takes some milliseconds; this is for a busy machine.
  expect(performance.now() - asked).toBeLessThan(1_500);
});

test("a second signal while the engine stops does not cut it short", async () => {
  const marker = newMarker();
  const engine = await start();
  await engine.call("POST", "/sessions", { session_id: "s", approval_mode: "trust_all" });
  // One that takes its time to end.
  const message = await engine.call("POST", "/sessions/s/message", {
    content: `run \`trap '' TERM INT HUP; while :; do sleep 0.05; : ${marker}; done\``,
  });
  const events = Array.fromAsync(readSse(message));
  await until("the command runs", () => processesWith(marker).length > 0);
  engine.kill("SIGTERM");
  await untilRefused(engine.port);
  for (const signal of ["SIGTERM", "SIGINT", "SIGINT", "SIGHUP"] as const) engine.kill(signal);
  expect(await engine.ended).toMatchObject({ code: 0, signal: null });
  expect((await events).at(-1)?.event).toMatchObject({ type: "error", code: "cancelled" });
  expect(processesWith(marker)).toEqual([]);
}, 30_000);

describe("two engines on one home", () => {
  test("work beside each other; a session belongs to the one that made it", async () => {
    const [first, second] = [await start(), await start()];
    for (const [engine, id] of [
      [first, "of-first"],
      [second, "of-second"],
    ] as const)
      expect((await engine.call("POST", "/sessions", { session_id: id })).status).toBe(200);
    const ids = async (engine: EngineProcess) =>
      (await engine.json("GET", "/sessions")).sessions.map((each: Json) => each.session_id);
    expect(await ids(first)).toEqual(["of-first", "of-second"]);
    expect(await ids(second)).toEqual(["of-first", "of-second"]);
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["GET", "/history", undefined],
      ["GET", "/events", undefined],
      ["POST", "/message", { content: "say hi" }],
      ["DELETE", "", undefined],
    ] as const) {
      const reply = await second.call(method, `/sessions/of-first${path}`, body);
      expect([method, path, reply.status, await reply.json()]).toEqual([
        method,
        path,
        409,
        { detail: expect.stringContaining(`pid ${first.pid}`), code: "conflict" },
      ]);
    }
    expect((await second.call("POST", "/sessions", { session_id: "of-first" })).status).toBe(409);
    // The token of the one that was started last is good for both.
    expect(
      (
        await fetch(`${first.base}/sessions`, {
          headers: { authorization: `Bearer ${readFileSync(tokenFile, "utf8")}` },
        })
      ).status,
    ).toBe(200);
    const turn = await first.call("POST", "/sessions/of-first/message", { content: "say hi" });
    expect(typesOf(await Array.fromAsync(readSse(turn))).at(-1)).toBe("turn_complete");
  });

  test("when one is killed, the other takes over its session, whose cut turn ends as interrupted", async () => {
    const marker = newMarker();
    const [first, second] = [await start(), await start()];
    await first.call("POST", "/sessions", { session_id: "s", approval_mode: "trust_all" });
    const message = await first.call("POST", "/sessions/s/message", {
      content: `run \`sleep ${marker}\``,
    });
    await until("the command runs", () => processesWith(`sleep\0${marker}`).length > 0);
    expect((await second.call("GET", "/sessions/s")).status).toBe(409);
    first.kill("SIGKILL");
    await first.ended;
    await message.body?.cancel().catch(() => {});
    await until("the command is gone", () => processesWith(marker).length === 0);
    expect((await second.json("GET", "/sessions/s")).last_turn_status).toBe("failed");
    const next = await second.call("POST", "/sessions/s/message", { content: "say hi" });
    expect(typesOf(await Array.fromAsync(readSse(next))).at(-1)).toBe("turn_complete");
    const events = await second.call("GET", "/sessions/s/events");
    const codes: string[] = [];
    for await (const { event } of readSse(events)) {
      if (event.type === "error") codes.push(event.code);
      if (event.type === "turn_complete") break;
    }
    expect(codes).toEqual(["interrupted"]);
  }, 30_000);
});

describe("the command line", () => {
  test("without a command prints the help and fails", async () => {
    const ended = await runCommand([], at);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    for (const command of ["serve", "run", "sessions", "token", "doctor", "version"])
      expect(ended.stderr).toContain(command);
  });

  test("with an unknown command says so, prints the help and fails", async () => {
    const ended = await runCommand(["fly"], at);
    expect(ended).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("'fly'") });
    for (const name of ["constructor", "toString", "__proto__"])
      expect(await runCommand([name], at)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`Unknown command '${name}'`),
      });
  });

  test.each([["help"], ["--help"], ["-h"]])("prints the help for %s", async (word) => {
    const ended = await runCommand([word], at);
    expect(ended).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("Usage:") });
  });

  test("has a help for each command, which starts nothing", async () => {
    await Promise.all(
      ["serve", "run", "sessions", "token", "doctor", "version"].map(async (command) => {
        const asked = await runCommand(["help", command], at);
        expect(asked).toMatchObject({ code: 0, stderr: "" });
        expect(asked.stdout).toContain(`Usage: kollab-engine ${command}`);
        expect(await runCommand([command, "--help"], at)).toEqual(asked);
      }),
    );
    expect(readdirSync(at.home)).toEqual([]);
  });

  test("prints its version", async () => {
    const [command, option] = await Promise.all([
      runCommand(["version"], at),
      runCommand(["--version"], at),
    ]);
    expect(command).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining(version),
    });
    expect(option).toEqual(command);
  });

  test("prints the token of the engine started last, or says that there is none", async () => {
    expect(await runCommand(["token"], at)).toMatchObject({ code: 1, ...complaint("serve") });
    await start();
    expect(await runCommand(["token"], at)).toEqual({
      code: 0,
      signal: null,
      stdout: `${readFileSync(tokenFile, "utf8")}\n`,
      stderr: "",
    });
  });
});
