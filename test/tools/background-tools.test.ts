import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Tool } from "../../src/domain/tool.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { BackgroundCommands } from "../../src/tools/background-commands.ts";
import { terminalTools } from "../../src/tools/terminal.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { until } from "../support/engine-process.ts";
import { groupIsGone } from "../support/process-group.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

const guard = new ProcessGuard();
afterAll(() => guard.close());

let fixture: ToolFixture;
let background: BackgroundCommands;
let tools: Tool[];

beforeEach(() => {
  fixture = toolFixture();
  waitForEnds(10);
});
afterEach(async () => {
  await background.close();
  fixture[Symbol.dispose]();
});

/** How long a start waits for an early end. */
function waitForEnds(graceMs: number): void {
  background = new BackgroundCommands({ guard, graceMs });
  tools = terminalTools({
    shell: "/bin/sh",
    env: { PATH: "/usr/bin:/bin", GREETING: "hello" },
    guard,
    areaOf: areaOf({ home: fixture.home }),
    background,
  });
}

const call = (name: string, input: Record<string, unknown>, signal?: AbortSignal) =>
  fixture.run(tools, name, input, signal);
const start = (command: string, more: Record<string, unknown> = {}) =>
  call("terminal", { command, background: true, ...more });
const viewOf = (name: string) => background.get(fixture.context().session.id, name);
const pidOf = (name: string) => viewOf(name).pid;
const printed = (name: string, lines: number) =>
  until(`${name} printed`, () => viewOf(name).lines >= lines);

test("a background command goes through the shell, in the workspace, with the environment of others", async () => {
  mkdirSync(join(fixture.workspace, "sub"));
  const result = await start(
    'until [ -e ../go ]; do sleep 0.01; done; echo a b | tr a-z A-Z && echo "$PWD $GREETING"; exec sleep 300',
    {
      name: "dev",
      cwd: "sub",
    },
  );
  const pid = pidOf("dev");
  const sub = join(fixture.workspace, "sub");
  expect(result).toEqual({
    ok: true,
    output: `✓ Started 'dev' in the background (pid ${pid}). Follow it with terminal_output and terminal_status, end it with terminal_kill.`,
    metadata: { background: true, name: "dev", pid, cwd: sub },
  });
  fixture.write("ws/go", "");
  await printed("dev", 2);
  expect((await call("terminal_output", { name: "dev" })).output).toEndWith(
    `\nOutput, all:\n\nA B\n${sub} hello`,
  );
});

test("a command that fails at once is a failed result with what it printed", async () => {
  waitForEnds(10_000);
  const result = await start("echo starting; echo 'port 80 is taken' >&2; exit 7", { name: "web" });
  expect(result).toMatchObject({
    ok: false,
    error: "Ended at once, exit code 7: starting | port 80 is taken",
    metadata: { background: true, name: "web", exit_code: 7 },
  });
  expect(result.output).toEndWith("Output, all:\n\nstarting\nport 80 is taken");
});

test("a command that leaves its work to the shell's own background ends at once, and the text tells", async () => {
  waitForEnds(10_000);
  const result = await start("sleep 300 &", { name: "web" });
  expect(result).toMatchObject({ ok: true, metadata: { exit_code: 0 } });
  expect(result.output).toStartWith("Ended at once. web: dead, exit code 0 after ");
});

test("status says of one command or of all whether they are alive, their pid, time and exit code", async () => {
  expect((await call("terminal_status", { name: "*" })).output).toBe("No background commands.");
  await start("exec sleep  300", { name: "dev" });
  await start("exit 4", { name: "job" });
  await until("job has ended", () => viewOf("job").state === "exited");
  const one = await call("terminal_status", { name: "dev" });
  expect(one.output).toMatch(
    /^dev: alive for \d+s, pid \d+, 0 lines of output\. Command: exec sleep 300$/,
  );
  const all = await call("terminal_status", { name: "*" });
  expect(all.output).toMatch(/^dev: alive .*\njob: dead, exit code 4 after \d+s, pid \d+, .*$/);
  expect(all.metadata).toEqual({
    processes: background.list(fixture.context().session.id),
  });
});

test("output shows the last lines that were asked for, and says how many there are", async () => {
  await start("seq 1 3000; exec sleep 300", { name: "dev" });
  await printed("dev", 3_000);
  const linesOf = async (input: Record<string, unknown>) =>
    (await call("terminal_output", { name: "dev", ...input })).output;
  const all = await linesOf({ lines: 1_000_000 });
  expect(all).toContain("\nOutput, the last 2000 of 3000 lines:\n\n1001\n");
  expect(all).toEndWith("\n3000");
  expect(await linesOf({})).toContain("\nOutput, the last 50 of 3000 lines:\n\n2951\n");
  expect(await linesOf({ lines: "2" })).toEndWith("lines:\n\n2999\n3000");
  expect((await call("terminal_output", { name: "dev", lines: 0 })).error).toBe(
    "Parameter 'lines' must be at least 1",
  );
});

test("long lines are cut, and an output stays within the limit of a text", async () => {
  await start("head -c 300000 /dev/zero | tr '\\0' x | fold -w 5000; echo; exec sleep 300", {
    name: "dev",
  });
  await printed("dev", 60);
  const result = await call("terminal_output", { name: "dev", lines: 100 });
  expect(result.output.length).toBeLessThanOrEqual(80_000);
  expect(result.output).toMatch(/Output, the last 39 of 60 lines:\n\nx{2000} \[… line cut\]\n/);
});

test("kill ends one command or all, with their children, and says how they ended", async () => {
  await start("sleep 300 & sleep 300", { name: "one" });
  await start("sleep 300 & sleep 300", { name: "two" });
  await start("sleep 300 & sleep 300", { name: "three" });
  const pids = ["one", "two", "three"].map(pidOf);
  expect((await call("terminal_kill", { name: "one" })).output).toMatch(
    /^one: dead, ended by SIGTERM after /,
  );
  expect((await call("terminal_kill", { name: "*" })).output).toMatch(
    /^two: dead, .*\nthree: dead, /,
  );
  for (const pid of pids) expect(await groupIsGone(pid)).toBe(true);
  expect((await call("terminal_kill", { name: "*" })).output).toBe(
    "No background command was running.",
  );
  expect((await call("terminal_kill", { name: "one" })).output).toStartWith("one: dead, ");
});

test("a kill that nobody wants to wait for any more goes on without him", async () => {
  await start("trap 'sleep 0.3; exit' TERM; echo ready; while :; do sleep 0.01; done", {
    name: "slow",
  });
  await printed("slow", 1);
  const cancel = new AbortController();
  const killing = call("terminal_kill", { name: "slow" }, cancel.signal);
  cancel.abort();
  await expect(killing).rejects.toThrow("abort");
  expect(await groupIsGone(pidOf("slow"))).toBe(true);
});

test("a timeout ends a background command, and without one it has none", async () => {
  await start("exec sleep 300", { name: "timed", timeout: "0.2s" });
  await until("its time is up", () => viewOf("timed").state === "exited");
  expect((await call("terminal_status", { name: "timed" })).output).toStartWith(
    "timed: dead, ended by its timeout after ",
  );
  expect((await start("exec sleep 300", { timeout: "9999999h" })).ok).toBe(true);
});

test("bad input ends in a result that says what to do, before anything runs", async () => {
  await start("exec sleep 300", { name: "dev" });
  const errorOf = async (command: string, more: Record<string, unknown> = {}) =>
    (await start(command, more)).error;
  expect(await errorOf("touch ran", { name: "dev" })).toBe(
    "A background command 'dev' is running already: end it with terminal_kill or choose another name",
  );
  for (const name of ["", "*", "a b", "../x", "-x", "x".repeat(65)])
    expect(await errorOf("touch ran", { name })).toStartWith("Parameter 'name' must be 1 to 64 ");
  expect(await errorOf("touch ran", { timeout: "soon" })).toStartWith("Parameter 'timeout'");
  expect(await errorOf("touch ran", { cwd: fixture.outside })).toStartWith("Outside the workspace");
  expect(await errorOf(" ")).toBe("Parameter 'command' must not be empty");
  expect(await errorOf("touch ran\0")).toBe("The command contains a NUL byte");
  expect(await errorOf("kollab coder --detached")).toBe(
    "Agents cannot be started from the terminal",
  );
  expect(await errorOf(`echo ${"x".repeat(3_000_000)}`)).toEndWith(": the command is too long");
  for (const name of ["terminal_status", "terminal_output", "terminal_kill"])
    expect((await call(name, { name: "none" })).error).toBe(
      "No background command 'none'. There are: dev",
    );
  expect(existsSync(join(fixture.workspace, "ran"))).toBe(false);
});

test("an engine that is killed by SIGKILL takes its background commands and their children with it", async () => {
  const engine = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, "../support/doomed-terminal.ts")],
    env: {},
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await engine.stdout.getReader().read();
  const groups = new TextDecoder().decode(value).trim().split(" ").map(Number);
  expect(groups).toHaveLength(2);
  engine.kill("SIGKILL");
  await engine.exited;
  for (const group of groups) expect(await groupIsGone(group)).toBe(true);
});
