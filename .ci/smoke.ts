/**
 * The compiled executable as a new user meets it: a fresh home, no key, one turn with a command that is
 * allowed, one that is denied, a search, an edit and its undo, a kill in the middle that leaves no command
 * behind, a clean stop. `bun .ci/smoke.ts <executable>`
 */
import { mkdtempSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readSse, type SseEvent, textOf, typesOf } from "../test/support/sse.ts";

const executable = resolve(process.argv[2] ?? "dist/kollab-engine");
const home = realpathSync(mkdtempSync(join(tmpdir(), "kollab-smoke-")));
const env = { HOME: home, PATH: process.env.PATH ?? "/usr/bin:/bin", LANG: "C.UTF-8" };
const READY_MS = 15_000;
const GONE_MS = 5_000;

function check(holds: boolean, what: string): void {
  console.log(`${holds ? "ok  " : "FAIL"} ${what}`);
  if (!holds) throw new Error(what);
}

let running: Bun.Subprocess | null = null;

async function serve() {
  const child = Bun.spawn([executable, "serve", "--port", "0"], {
    env,
    cwd: home,
    stdio: ["ignore", "pipe", "inherit"],
  });
  running = child;
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS);
  let printed = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    printed += chunk;
    if (printed.includes("\n")) break;
  }
  clearTimeout(timer);
  const port = /^READY:(\d+)\n$/.exec(printed)?.[1];
  check(port !== undefined, `serve prints READY and the port: ${printed.trim()}`);
  const token = await Bun.file(join(home, ".kollab/engine.token")).text();
  const call = (method: string, path: string, body?: unknown, headers: object = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return { child, call };
}

type Engine = Awaited<ReturnType<typeof serve>>;

async function turn({ call }: Engine, content: string, decision: string): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  for await (const each of readSse(await call("POST", "/sessions/smoke/message", { content }))) {
    events.push(each);
    if (each.event.type === "permission_request")
      await call("POST", "/sessions/smoke/permission", { tool_id: each.event.tool_id, decision });
  }
  return events;
}

const outputOf = (events: SseEvent[], tool: string): string =>
  events.find(({ event }) => event.type === "tool_result" && event.tool_name === tool)?.event
    .output ?? "";

/** Whether the process ends soon. */
async function isGone(pid: number): Promise<boolean> {
  for (let waited = 0; waited < GONE_MS; waited += 50) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await Bun.sleep(50);
  }
  return false;
}

try {
  const version = await Bun.$`${executable} version`.env(env).text();
  check(/^kollab-engine \d+\.\d+\.\d+ \(/.test(version), `version: ${version.trim()}`);

  let engine = await serve();
  const health = await (await engine.call("GET", "/health")).json();
  check(health.status === "healthy", "it is healthy");
  check(
    (statSync(join(home, ".kollab/engine.token")).mode & 0o777) === 0o600,
    "its token is private",
  );
  check((await engine.call("GET", "/openapi.json")).ok, "it describes itself");
  await Bun.write(join(home, "work/note.txt"), "hello\n");
  const session = { session_id: "smoke", workspace: join(home, "work") };
  check((await engine.call("POST", "/sessions", session)).ok, "a session is created");

  const allowed = await turn(engine, "run cat note.txt", "approve");
  const result = allowed.find(({ event }) => event.type === "tool_result")?.event;
  check(result?.output === "hello\n", "an allowed command runs in the workspace");
  check(
    typesOf(allowed).at(-1) === "turn_complete",
    `its turn completes: ${textOf(allowed).slice(0, 60)}…`,
  );
  const denied = await turn(engine, "run touch denied.txt", "deny");
  check(!(await Bun.file(join(home, "work/denied.txt")).exists()), "a denied one does not");
  check(typesOf(denied).at(-1) === "turn_complete", "and its turn completes too");

  const asked = denied.find(({ event }) => event.type === "permission_request")?.event;
  check(
    asked?.parts[0]?.text === "touch denied.txt" && asked.risk_level === "medium",
    "commands are taken apart",
  );
  const found = await turn(engine, "search for hello", "approve");
  check(
    outputOf(found, "grep").startsWith("note.txt:1:hello"),
    "a search runs in a process of its own",
  );

  await turn(engine, "create made.txt with one line", "approve");
  const list = await (await engine.call("GET", "/sessions/smoke/checkpoints")).json();
  const [checkpoint] = list.checkpoints;
  const made = join(home, "work/made.txt");
  check(checkpoint !== undefined && (await Bun.file(made).exists()), "a turn that writes is kept");
  const undo = `/sessions/smoke/checkpoints/${checkpoint.checkpoint_id}/restore`;
  const undone = await engine.call("POST", undo, {});
  check(undone.ok && !(await Bun.file(made).exists()), "and can be undone");

  await turn(engine, "start `sleep 300` in the background", "approve");
  const { processes } = await (await engine.call("GET", "/sessions/smoke/processes")).json();
  check(processes[0]?.state === "running", "a background command runs");

  const cut = await engine.call("POST", "/sessions/smoke/message", {
    content: "stream 5000 words every 5 ms",
  });
  for await (const { event } of readSse(cut)) if (event.type === "token") break;
  engine.child.kill("SIGKILL");
  await engine.child.exited;
  check(await isGone(processes[0].pid), "a killed engine leaves no command behind");
  engine = await serve();
  const last = denied.at(-1)?.id ?? 0;
  const rest = await engine.call("GET", "/sessions/smoke/events", undefined, {
    "last-event-id": `${last}`,
  });
  const seen: SseEvent[] = [];
  for await (const each of readSse(rest)) {
    seen.push(each);
    if (each.event.type === "error") break;
  }
  check(seen.at(-1)?.event.code === "interrupted", "a killed engine's turn ends as interrupted");
  check(
    seen.every(({ id }, at) => id === last + 1 + at),
    "without a lost or repeated event",
  );
  check(
    typesOf(await turn(engine, "say hi", "deny")).at(-1) === "turn_complete",
    "the next message works",
  );

  engine.child.kill("SIGTERM");
  check((await engine.child.exited) === 0, "it stops when it is asked to");
  console.log("The executable works.");
} finally {
  running?.kill("SIGKILL");
  rmSync(home, { recursive: true, force: true });
}
