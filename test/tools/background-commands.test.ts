import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { SessionId } from "../../src/domain/ids.ts";
import type { ProcessView } from "../../src/domain/process.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { BackgroundCommands } from "../../src/tools/background-commands.ts";
import { until } from "../support/engine-process.ts";
import { groupIsGone } from "../support/process-group.ts";

const guard = new ProcessGuard();
afterAll(() => guard.close());

const never = new AbortController().signal;
const session = "sess_1" as SessionId;
const other = "sess_2" as SessionId;

let commands: BackgroundCommands;
let ended: [SessionId, ProcessView][];
let nextEnd: PromiseWithResolvers<ProcessView>;

beforeEach(() => {
  ended = [];
  nextEnd = Promise.withResolvers();
  commands = newCommands(10);
});
afterEach(() => commands.close());

function newCommands(graceMs: number): BackgroundCommands {
  return new BackgroundCommands({
    guard,
    graceMs,
    onEnd(...end) {
      ended.push(end);
      nextEnd.resolve(end[1]);
      nextEnd = Promise.withResolvers();
    },
  });
}

type More = { name?: string; timeoutMs?: number; of?: SessionId; signal?: AbortSignal };

const start = (command: string, { name, timeoutMs, of = session, signal = never }: More = {}) =>
  commands.start(
    of,
    {
      name: name ?? null,
      command,
      argv: ["/bin/sh", "-c", command],
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      timeoutMs: timeoutMs ?? null,
    },
    signal,
  );

/** Starts a command that ends by itself, and waits for that. */
async function finish(command: string, more: More = {}) {
  const end = nextEnd.promise;
  const { process } = await start(command, more);
  if (process.state === "running") await end;
  return commands.get(more.of ?? session, process.name);
}

const printed = (name: string, lines: number) =>
  until(`${name} printed`, () => commands.get(session, name).lines >= lines);

const namesOf = (of: SessionId) => commands.list(of).map((view) => view.name);

test("a command that runs on is there at once, and its view says all of it", async () => {
  const before = Date.now();
  const command = "echo up; echo err >&2; exec sleep 300";
  const { process: started } = await start(command, { name: "dev" });
  await printed("dev", 2);
  const view = commands.get(session, "dev");
  expect(view).toEqual({
    name: "dev",
    command,
    cwd: "/",
    pid: started.pid,
    state: "running",
    exit_code: null,
    signal: null,
    started_at: started.started_at,
    ended_at: null,
    timed_out: false,
    lines: 2,
  });
  expect(view.started_at).toBeWithin(before, Date.now() + 1);
  expect(commands.output(session, "dev", 50)).toBe("up\nerr");
  expect(commands.list(session)).toEqual([view]);
  expect(commands.alive(session)).toBe(1);
});

test("a command that ends is told, with its exit code, and its output stays", async () => {
  const { promise } = nextEnd;
  await start("sleep 0.1; echo bye; exit 3", { name: "job" });
  const end = await promise;
  expect(end).toMatchObject({ state: "exited", exit_code: 3, signal: null, lines: 1 });
  expect(end.ended_at).toBeGreaterThanOrEqual(end.started_at);
  expect(ended).toEqual([[session, commands.get(session, "job")]]);
  expect(commands.output(session, "job", 50)).toBe("bye");
  expect(commands.alive(session)).toBe(0);
});

test("a start waits for an early end, and shows what was printed", async () => {
  commands = newCommands(10_000);
  const { process, output } = await start("echo no >&2; exit 1");
  expect(process).toMatchObject({ state: "exited", exit_code: 1 });
  expect(output).toBe("no");
});

test("a command whose time is up is ended with its children, and says so", async () => {
  const { promise } = nextEnd;
  const { process } = await start("sleep 300 & sleep 300", { timeoutMs: 200 });
  expect(await promise).toMatchObject({ timed_out: true, signal: "SIGTERM" });
  expect(await groupIsGone(process.pid)).toBe(true);
});

test("a kill is polite first, and ends all that the command started", async () => {
  const { process } = await start(
    "trap 'echo cleaned; exit 0' TERM; sh -c 'sleep 300 & echo ready; sleep 300' & wait; true",
    { name: "dev" },
  );
  await printed("dev", 1);
  expect(await commands.kill(session, "dev")).toMatchObject({ state: "exited", exit_code: 0 });
  expect(commands.output(session, "dev", 1)).toBe("cleaned");
  expect(await groupIsGone(process.pid)).toBe(true);
  expect(await commands.kill(session, "dev")).toEqual(commands.get(session, "dev"));
});

test("what a command leaves in its group when it ends dies with it", async () => {
  const view = await finish("sleep 300 & echo daemon started");
  expect(view).toMatchObject({ state: "exited", exit_code: 0 });
  expect(await groupIsGone(view.pid)).toBe(true);
});

test("a name that runs is taken, one that has ended may follow itself, and sessions have names of their own", async () => {
  await start("exec sleep 300", { name: "dev" });
  const taken = "A background command 'dev' is running already";
  await expect(start("true", { name: "dev" })).rejects.toThrow(taken);
  await start("exec sleep 300", { name: "dev", of: other });
  await finish("true", { name: "first" });
  await commands.kill(session, "dev");
  await start("echo again; exec sleep 300", { name: "dev" });
  await printed("dev", 1);
  expect(namesOf(session)).toEqual(["first", "dev"]);
  expect(commands.output(session, "dev", 1)).toBe("again");
  expect(namesOf(other)).toEqual(["dev"]);
});

test("of two starts of one name at the same moment one is refused", async () => {
  const starts = [1, 2].map(() => start("exec sleep 300", { name: "dev" }));
  const results = await Promise.allSettled(starts);
  expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected"]);
  expect(commands.alive(session)).toBe(1);
});

test("without a name it is made of the command", async () => {
  const [one, two, odd] = await Promise.all([
    start("exec sleep 300"),
    start("exec sleep 300"),
    start(": ; : \u{1f600}"),
  ]);
  expect(one.process.name).toMatch(/^execslee-\d{6}$/);
  expect(two.process.name).toMatch(/^execslee-\d{6}$/);
  expect(one.process.name).not.toBe(two.process.name);
  expect(odd.process.name).toMatch(/^command-\d{6}$/);
});

test("a name that nobody has is not found, and the names that there are are told", async () => {
  expect(() => commands.get(session, "x")).toThrow("There are: none");
  await start("true", { name: "job" });
  const missing = expect.objectContaining({
    code: "not_found",
    message: "No background command 'x'. There are: job",
  });
  expect(() => commands.output(session, "x", 1)).toThrow(missing as unknown as Error);
  await expect(commands.kill(session, "x")).rejects.toEqual(missing);
  await expect(commands.kill(other, "job")).rejects.toMatchObject({ code: "not_found" });
  expect(commands.list(other)).toEqual([]);
});

test("so many run at once and no more, and so many that have ended are kept", async () => {
  await Promise.all(Array.from({ length: 20 }, (_, n) => start("true", { name: `q${n}` })));
  await until("all have ended", () => commands.alive(session) === 0);
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => start("exec sleep 300", { name: `s${n}` })),
  );
  await expect(start("true")).rejects.toThrow("20 background commands are running already");
  await commands.killAll(session);
  expect(namesOf(session).sort()).toEqual(Array.from({ length: 20 }, (_, n) => `s${n}`).sort());
  expect(commands.alive(session)).toBe(0);
});

/** What is held, garbage aside: how much of that lies about depends on what ran before. */
function heldBytes(): number {
  Bun.gc(true);
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test("a command that floods its output costs little memory, and its last lines are there", async () => {
  const before = heldBytes();
  await start("echo first; yes", { name: "flood" });
  await start("cat /dev/zero", { name: "binary" });
  await printed("flood", 5_000_000);
  await printed("binary", 1);
  expect(commands.output(session, "flood", 5_000).split("\n")).toEqual(Array(2_000).fill("y"));
  expect(commands.output(session, "binary", 5)).toBe("[binary output not displayed]");
  expect(heldBytes() - before).toBeLessThan(32 * 1024 * 1024);
});

test("a start that is cancelled leaves nothing running", async () => {
  const cancel = new AbortController();
  commands = newCommands(10_000);
  const starting = start("exec sleep 300", { name: "dev", signal: cancel.signal });
  await until("it runs", () => commands.list(session).length === 1);
  const [{ pid } = { pid: 0 }] = commands.list(session);
  cancel.abort();
  await expect(starting).rejects.toThrow("abort");
  expect(await groupIsGone(pid)).toBe(true);
});

test("what cannot be started is an error and no command", async () => {
  const request = { name: "x", command: "x", cwd: "/", env: {}, timeoutMs: null };
  const argv = [join("/no/such/shell")];
  await expect(commands.start(session, { ...request, argv }, never)).rejects.toThrow("ENOENT");
  expect(commands.list(session)).toEqual([]);
  expect(commands.alive(session)).toBe(0);
  await finish("true", { name: "x" });
});

test("closing a session ends its commands, those that ignore it and those being started too, and no others", async () => {
  const { process: stubborn } = await start(
    "trap '' TERM; echo deaf; while :; do sleep 300; done",
    { name: "deaf" },
  );
  await printed("deaf", 1);
  const { process: kept } = await start("exec sleep 300", { of: other });
  const starts = Promise.allSettled([start("exec sleep 300"), start("exec sleep 300")]);
  await commands.closeSession(session);
  expect((await starts).map((result) => result.status)).toEqual(["rejected", "rejected"]);
  expect(await groupIsGone(stubborn.pid)).toBe(true);
  expect(commands.list(session)).toEqual([]);
  expect(ended).toEqual([]);
  expect(commands.get(other, kept.name).state).toBe("running");
  const again = await start("exec sleep 300");
  expect(again.process.state).toBe("running");
});

test("closing all ends every command, waits for sessions that are closing, and starts none any more", async () => {
  const started = await Promise.all([
    start("exec sleep 300"),
    start("sleep 300 & sleep 300", { of: other }),
  ]);
  const closing = commands.closeSession(other);
  await commands.close();
  for (const { process } of started) expect(await groupIsGone(process.pid)).toBe(true);
  await closing;
  await expect(start("true")).rejects.toThrow("The engine is stopping");
});
