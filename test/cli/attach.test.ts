import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type CommandLine, commandLine } from "../support/command-line.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";

setDefaultTimeout(30_000);

/** A command line in the home of a running engine. */
async function withEngine(
  use: (engine: TestEngine, cli: CommandLine) => Promise<void>,
): Promise<void> {
  const engine = await startEngine();
  try {
    using cli = commandLine({ home: engine.home });
    await use(engine, cli);
  } finally {
    await engine.stop();
  }
}

test("run --url uses the engine that runs, and another client may answer its question", () =>
  withEngine(async (engine, cli) => {
    const terminal = cli.onTerminal(["run", "--url", engine.base, "run `printf one`"]);
    await terminal.transcript.shows("Allow terminal");
    const { sessions } = await engine.json("GET", "/sessions");
    const path = `/sessions/${sessions[0].session_id}`;
    const { pending } = await engine.json("GET", `${path}/permissions`);
    await engine.json("POST", `${path}/permission`, { tool_id: pending[0], decision: "approve" });
    await terminal.transcript.shows("answered elsewhere");
    await terminal.transcript.shows("✓");
    expect(await terminal.exited).toBe(0);
  }));

test("a connection that breaks is taken up again, without a lost or repeated word", () =>
  withEngine(async (engine, cli) => {
    await using proxy = await cuttingProxy(engine.server.port, [4_000, 9_000]);
    const { code, stdout } = await cli.run(["run", "--url", proxy.url, "count to 300 every 2 ms"]);
    expect(code).toBe(0);
    const [counted] = stdout.split("\n");
    expect(counted).toBe(Array.from({ length: 300 }, (_, index) => index + 1).join(" "));
    expect(proxy.cuts()).toBe(2);
  }));

test("a second Ctrl-C does not wait for an engine that does not cancel", async () => {
  const cancelled = Promise.withResolvers<void>();
  using engine = deafEngine(cancelled.resolve);
  using cli = commandLine();
  const terminal = cli.onTerminal(["run", "--url", engine.url.origin, "hello"]);
  await terminal.transcript.shows("never");
  terminal.type("\u0003");
  await cancelled.promise;
  terminal.type("\u0003");
  expect(await terminal.exited).toBe(130);
});

/** Begins a turn, takes its cancelling, and goes on. */
function deafEngine(onCancel: () => void) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/sessions") return Response.json({ session_id: "s" });
      if (pathname !== "/sessions/s/message") {
        onCancel();
        return Response.json({ ok: true });
      }
      const token = JSON.stringify({ type: "token", text: "never ends" });
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(`id: 1\r\ndata: ${token}\r\n\r\n`),
      });
      return new Response(body, { headers: { "x-run-id": "run_1" } });
    },
  });
}

test("where no engine answers, one line says how to start one", async () => {
  using cli = commandLine();
  const url = "http://127.0.0.1:1";
  const answers = await Promise.all([
    cli.run(["run", "--url", url, "hello"]),
    cli.run(["sessions", "follow", "s", "--url", url]),
  ]);
  for (const answer of answers)
    expect(answer).toEqual({
      code: 1,
      stdout: "",
      stderr: `kollab-engine: No engine answers at ${url}: start one with 'kollab-engine serve'\n`,
    });
});

test("an engine that does not take our token is named; the token goes through no proxy", () =>
  withEngine(async (engine) => {
    const asked: string[] = [];
    using proxy = Bun.serve({
      port: 0,
      fetch(request) {
        asked.push(request.url);
        return new Response();
      },
    });
    const HTTP_PROXY = proxy.url.origin;
    using cli = commandLine({ env: { HTTP_PROXY, http_proxy: HTTP_PROXY } });
    await Bun.write(join(cli.home, ".kollab", "engine.token"), "another");
    const { code, stderr } = await cli.run(["run", "--url", engine.base, "hello"]);
    expect(stderr).toStartWith(`kollab-engine: The engine at ${engine.base} does not accept`);
    expect(code).toBe(1);
    expect(asked).toEqual([]);
  }));

test("run --attach and sessions find a daemon in another process on any port", async () => {
  using cli = commandLine();
  const daemon = cli.start(["serve", "--port", "0"]);
  await daemon.stdout.shows("\n");
  const url = `http://127.0.0.1:${daemon.stdout.text.replace("READY:", "").trim()}`;
  const { code, stdout } = await cli.run(["run", "--attach", "--json", "say hello"]);
  expect(code).toBe(0);
  const { session_id } = JSON.parse(stdout.split("\n", 1)[0]!);
  const listed = await cli.run(["sessions", "list", "--url", url]);
  expect(listed.stdout).toContain(session_id);
  const { running_engine } = JSON.parse((await cli.run(["doctor", "--json"])).stdout);
  expect(running_engine).toMatchObject({ url, state: "answers" });
});

test("whoever listens where an engine was does not get the token", async () => {
  using cli = commandLine();
  const daemon = cli.start(["serve", "--port", "0"]);
  await daemon.stdout.shows("\n");
  const port = Number(daemon.stdout.text.replace("READY:", ""));
  const file = join(cli.home, ".kollab", "engine", "engine.json");
  expect(await Bun.file(file).json()).toMatchObject({ pid: daemon.process.pid, port });
  daemon.process.kill("SIGKILL");
  await daemon.exited;
  expect(await Bun.file(file).exists()).toBe(true);
  const asked: string[] = [];
  using _squatter = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch(request) {
      asked.push(request.url);
      return new Response();
    },
  });
  const answers = await Promise.all([
    cli.run(["run", "--attach", "hello"]),
    cli.run(["sessions", "follow", "s"]),
    cli.run(["sessions", "list"]),
    cli.run(["doctor", "--json"]),
  ]);
  const none = {
    code: 1,
    stdout: "",
    stderr: "kollab-engine: No engine answers here: start one with 'kollab-engine serve'\n",
  };
  expect(answers.slice(0, 2)).toEqual([none, none]);
  expect(answers[2]).toMatchObject({ code: 0, stdout: "There are no sessions yet.\n" });
  expect(JSON.parse(answers[3].stdout).running_engine).toMatchObject({ url: null, state: "none" });
  expect(asked).toEqual([]);
});
