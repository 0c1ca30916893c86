/** The engine as its user starts it: a process of its own, with a home of its own. */
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json } from "./sse.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
/** Bun's own cache would lie in each test's home, and be empty. */
const CACHE = join(tmpdir(), "kollab-engine-test-cache");
/** How long a test waits for what comes at once, also on a busy machine. */
const SOON_MS = 10_000;

export type EngineProcess = {
  pid: number;
  port: number;
  base: string;
  call(method: string, path: string, body?: unknown): Promise<Response>;
  /** The body of such a call, which must have gone well. */
  json(method: string, path: string, body?: unknown): Promise<Json>;
  kill(signal: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGKILL"): void;
  /** Resolves with the exit code and all that it printed. */
  ended: Promise<Ended>;
};

export type Ended = { code: number; signal: string | null; stdout: string; stderr: string };

export type ProcessOptions = {
  home: string;
  /** Where it is started; its log is named after it. */
  cwd: string;
  args?: readonly string[];
  env?: Record<string, string>;
};

/** Runs a command of the executable to its end. */
export async function runCommand(
  args: readonly string[],
  { home, cwd, env = {} }: ProcessOptions,
): Promise<Ended> {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd,
    env: environment(home, env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return {
    code,
    signal: child.signalCode === null ? null : String(child.signalCode),
    stdout,
    stderr,
  };
}

/** Resolves when it says that it is ready; throws what it said when it ended before. */
export async function startEngineProcess(options: ProcessOptions): Promise<EngineProcess> {
  const { home, cwd, args = ["--port", "0"], env = {} } = options;
  const child = Bun.spawn([process.execPath, MAIN, "serve", ...args], {
    cwd,
    env: environment(home, env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const ready = Promise.withResolvers<number>();
  let stdout = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += text;
      const [, port] = /^READY:(\d+)\n/.exec(stdout) ?? [];
      if (port !== undefined) ready.resolve(Number(port));
    }
  })();
  const ended = Promise.all([child.exited, reading, child.stderr.text()]).then(
    ([code, , stderr]): Ended => ({
      code,
      signal: child.signalCode === null ? null : String(child.signalCode),
      stdout,
      stderr,
    }),
  );
  const port = await Promise.race([
    ready.promise,
    ended.then((what): never => {
      throw new Error(`The engine ended before it was ready: ${JSON.stringify(what)}`);
    }),
  ]);
  const token = readFileSync(join(home, ".kollab/engine.token"), "utf8");
  const base = `http://127.0.0.1:${port}`;
  const call: EngineProcess["call"] = (method, path, body) =>
    fetch(base + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        connection: "close",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    pid: child.pid,
    port,
    base,
    call,
    async json(method, path, body) {
      const response = await call(method, path, body);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    kill: (signal) => child.kill(signal),
    ended,
  };
}

const environment = (home: string, more: Record<string, string>) => ({
  PATH: process.env.PATH ?? "",
  HOME: home,
  BUN_RUNTIME_TRANSPILER_CACHE_PATH: CACHE,
  ...more,
});

/** Processes whose command line has the text in it; those that ended and were not fetched do not count. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && commandLine(pid).includes(text));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    // It ended between the two looks.
    return "";
  }
}

/** Looks again and again until it is so. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + SOON_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`Not so after ${SOON_MS} ms: ${what}`);
    await Bun.sleep(5);
  }
}
