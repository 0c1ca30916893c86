import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { ToolCallId } from "../../src/domain/ids.ts";
import type { Tool } from "../../src/domain/tool.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { BackgroundCommands } from "../../src/tools/background-commands.ts";
import { terminalTools } from "../../src/tools/terminal.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { groupIsGone } from "../support/process-group.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

const guard = new ProcessGuard();
afterAll(() => guard.close());

let fixture: ToolFixture;
let tools: Tool[];

beforeEach(() => {
  fixture = toolFixture();
  tools = newTools();
});
afterEach(() => fixture[Symbol.dispose]());

const newTools = (shell = "/bin/sh") =>
  terminalTools({
    shell,
    env: { PATH: "/usr/bin:/bin", GREETING: "hello" },
    guard,
    areaOf: areaOf({ home: fixture.home }),
    background: new BackgroundCommands({ guard }),
  });

const terminal = () => tools.find((tool) => tool.name === "terminal")!;

const run = (command: string, more: Record<string, unknown> = {}, signal?: AbortSignal) =>
  fixture.run(tools, "terminal", { command, ...more }, signal);

test("a command runs in the workspace, with the environment it was given", async () => {
  expect(await run('pwd; echo "$PWD $GREETING"')).toEqual({
    ok: true,
    output: `${fixture.workspace}\n${fixture.workspace} hello\n`,
    metadata: { exit_code: 0, cwd: fixture.workspace },
  });
});

test("a command that succeeds shows its output, then its errors", async () => {
  expect((await run("echo err >&2; printf out")).output).toBe("out\nerr\n");
});

test("a command that fails shows both, and its error quotes the last lines", async () => {
  expect(await run("echo 1 passed; echo one >&2; echo two >&2; exit 2")).toEqual({
    ok: false,
    output: "1 passed\none\ntwo\n",
    error: "Exit code 2: one | two",
    metadata: { exit_code: 2, cwd: fixture.workspace },
  });
  expect((await run("echo only out; exit 1")).error).toBe("Exit code 1: only out");
  expect((await run("exit 7")).error).toBe("Exit code 7");
});

test("a command that a signal ended has the exit code that shells give it", async () => {
  expect(await run("kill -SEGV $$")).toMatchObject({
    error: "Exit code 139",
    metadata: { exit_code: 139 },
  });
});

test("a command over its time limit keeps what it printed", async () => {
  expect(await run("echo before; sleep 300", { timeout: "0.3s" })).toEqual({
    ok: false,
    output: "before\n",
    error: "Command timed out after 0.3s",
    metadata: { exit_code: 143, timed_out: true, cwd: fixture.workspace },
  });
});

test("a time limit is seconds, minutes or hours; anything else is refused before the command runs", async () => {
  for (const timeout of ["5", "30s", "5m", "1h", "1.5 m", " 9s "])
    expect(await run("true", { timeout })).toMatchObject({ ok: true });
  for (const timeout of ["soon", "0", "-1s", "5d", "", "1e3"])
    expect(await run("touch ran", { timeout })).toMatchObject({
      error: "Parameter 'timeout' must be a duration such as 30s, 5m or 1h",
    });
  expect(existsSync(join(fixture.workspace, "ran"))).toBe(false);
});

test("a cancelled command ends with its children and says so", async () => {
  const cancel = new AbortController();
  const result = await terminal().run(
    { command: "echo $$; sleep 300 & sleep 300" },
    fixture.context({ signal: cancel.signal, progress: () => cancel.abort() }),
  );
  expect(result).toMatchObject({
    ok: false,
    error: "Cancelled by user",
    metadata: { cancelled: true, cwd: fixture.workspace },
  });
  expect(await groupIsGone(Number.parseInt(result.output, 10))).toBe(true);
});

test("cwd is a directory inside the workspace", async () => {
  mkdirSync(join(fixture.workspace, "sub"));
  fixture.write("ws/file", "");
  symlinkSync(fixture.outside, join(fixture.workspace, "link"));
  const sub = join(fixture.workspace, "sub");
  expect(await run("pwd", { cwd: "sub" })).toMatchObject({
    output: `${sub}\n`,
    metadata: { cwd: sub },
  });
  expect(await run("pwd", { cwd: sub })).toMatchObject({ output: `${sub}\n` });
  const errors = [];
  for (const cwd of ["..", fixture.outside, "link", "~", "none", "file", ""])
    errors.push((await run("touch ran", { cwd })).error);
  expect(errors).toEqual([
    "'..' is not allowed in a path: ..",
    `Outside the workspace: ${fixture.outside}`,
    "Outside the workspace: link",
    "Outside the workspace: ~",
    "No such directory: none",
    "Not a directory: file",
    "The path is empty",
  ]);
  expect(existsSync(join(fixture.outside, "ran"))).toBe(false);
});

test("long output loses its middle, and the whole is in a file that the text names", async () => {
  const result = await run("echo first; seq 1 50000; seq 1 50000 >&2; echo last >&2");
  const file = join(fixture.outputs, "call_1.txt");
  expect(result.metadata).toEqual({
    exit_code: 0,
    truncated: true,
    output_file: file,
    cwd: fixture.workspace,
  });
  expect(result.output.length).toBeLessThanOrEqual(80_000);
  expect(result.output).toStartWith("first\n1\n2\n");
  expect(result.output).toEndWith("\n50000\nlast\n");
  expect(result.output.match(/characters left out here/g)).toHaveLength(1);
  expect(result.output).toContain(
    `; the whole output (${statSync(file).size} bytes) can be read by parts, with file_read and its offset and limit: ${file} …]`,
  );
  const seq = Array.from({ length: 50_000 }, (_, n) => String(n + 1));
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(lines.sort()).toEqual(["first", ...seq, ...seq, "last"].sort());
});

test("output that is not cut makes no file", async () => {
  const short = await run("seq 1 5000; seq 1 5000 >&2");
  expect(short.metadata).toEqual({ exit_code: 0, cwd: fixture.workspace });
  expect(existsSync(fixture.outputs)).toBe(false);
});

test("the file of a long output is there while the command still runs", async () => {
  const file = join(fixture.outputs, "call_2.txt");
  const result = await terminal().run(
    { command: `seq 1 50000; until [ -s ${file} ]; do sleep 0.01; done; echo seen; exit 3` },
    fixture.context({ callId: "call_2" as ToolCallId }),
  );
  expect(result).toMatchObject({ ok: false, error: "Exit code 3: 49999 | 50000 | seen" });
  expect(readFileSync(file, "utf8")).toEndWith("\n50000\nseen\n");
});

test("a command is not the worse for an output that cannot be kept", async () => {
  fixture.write("outputs", "a file where the folder should be");
  const result = await run("seq 1 50000");
  expect(result.ok).toBe(true);
  expect(result.output).toContain("characters left out here; it could not be kept (");
  expect(result.metadata).toEqual({ exit_code: 0, truncated: true, cwd: fixture.workspace });
});

test("what a command prints is shown while it runs, in pieces that are passed on soon", async () => {
  const seen = join(fixture.workspace, "seen");
  const shown: string[] = [];
  const result = await terminal().run(
    { command: "echo one; until [ -e seen ]; do sleep 0.01; done; echo two" },
    fixture.context({
      progress(text) {
        shown.push(text);
        fixture.write("ws/seen", "");
      },
    }),
  );
  expect(existsSync(seen)).toBe(true);
  expect(shown.join("")).toBe("one\ntwo\n");
  expect(result.output).toBe("one\ntwo\n");
});

test("a command that never stops printing is ended in time, in bounded memory", async () => {
  const result = await run("yes", { timeout: "0.5s" });
  expect(result.error).toBe("Command timed out after 0.5s");
  expect(result.output.length).toBeLessThanOrEqual(80_000);
  expect(statSync(join(fixture.outputs, "call_1.txt")).size).toBeLessThanOrEqual(10 * 1024 * 1024);
  expect(fixture.shown.join("").length).toBeLessThan(300_000);
});

test("binary output is not shown", async () => {
  expect((await run("head -c 2000 /dev/zero")).output).toBe("[binary output not displayed]");
});

test("commands that start agents are refused", async () => {
  for (const command of [
    "kollab coder --detached",
    "cd x && kollab --agent coder",
    "python main.py --agent a",
    "python3  main.py x &",
    "echo\nkollab coder & ",
  ])
    expect((await run(command)).error).toBe("Agents cannot be started from the terminal");
  for (const command of [
    "true kollab",
    "true kollab-engine --agent",
    "true --agent kollab",
    "true &",
  ])
    expect((await run(command)).ok).toBe(true);
});

test("a hostile command is judged in no time", async () => {
  const startedAt = performance.now();
  await run(`# ${"kollab ".repeat(15_000)}`);
  await run(`# ${"& ".repeat(50_000)}`);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test("a command that cannot be started is a result that says why", async () => {
  expect((await run("  ")).error).toBe("Parameter 'command' must not be empty");
  expect((await run("echo a\0b")).error).toBe("The command contains a NUL byte");
  expect((await run(`echo ${"x".repeat(3_000_000)}`)).error).toEndWith(": the command is too long");
  tools = newTools("/no/such/shell");
  expect((await run("true")).error).toBe(
    `Cannot start /no/such/shell in ${fixture.workspace}: one of them does not exist`,
  );
});

test("the terminal tools have the names, risks and parameters that prompts rely on", () => {
  const parametersOf = ({ parameters }: Tool) => Object.keys(parameters.properties as object);
  expect(
    tools.map((tool) => [
      tool.name,
      tool.type,
      tool.risk,
      parametersOf(tool),
      tool.parameters.required,
    ]),
  ).toEqual([
    [
      "terminal",
      "terminal",
      "high",
      ["command", "background", "name", "timeout", "cwd"],
      ["command"],
    ],
    ["terminal_status", "terminal_status", "low", ["name"], ["name"]],
    ["terminal_output", "terminal_output", "low", ["name", "lines"], ["name"]],
    ["terminal_kill", "terminal_kill", "medium", ["name"], ["name"]],
  ]);
});
