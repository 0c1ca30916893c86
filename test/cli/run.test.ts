import { afterAll, beforeAll, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { join } from "node:path";
import { command } from "../../src/cli/run.ts";
import { type CommandLine, commandLine } from "../support/command-line.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";

// Every test starts programs, on machines that are busy.
setDefaultTimeout(30_000);

const TRUSTING = ["run", "--approval-mode", "trust_all"];

/** Where it does not matter whose engine it is, this one: a command starts faster without. */
let engine: TestEngine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const attachedCommandLine = (env: Record<string, string> = {}) =>
  commandLine({ home: engine.home, env });
const url = () => ["--url", engine.base];

test("the reply goes to stdout, all else to stderr, both as they come", async () => {
  using cli = commandLine();
  const prompt = "run `printf '\\033[31mone'` then say done";
  const { code, stdout, stderr } = await cli.run([...TRUSTING, prompt]);
  expect(code).toBe(0);
  expect(stdout).toStartWith("I run `printf '\\033[31mone'`.\n`printf '\\033[31mone'` ended");
  expect(stdout).toContain("\n\u001b[31mone\n");
  expect(stdout).toEndWith("\n");
  expect(stderr).toMatch(
    /^▸ terminal {2}printf '\\033\[31mone'\n {2}✓ \d\.\d\d s\n {4}\S+one\nsession sess_\w+\n$/,
  );
});

test("--json prints the events with their seq, one a line; where nobody can be asked, calls are denied", async () => {
  using cli = commandLine();
  const { code, stdout, stderr } = await cli.run(["run", "--json", "run `touch made`"]);
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(code).toBe(0);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events[0]).toMatchObject({ type: "turn_started", prompt: "run `touch made`" });
  expect(events.map(({ type }) => type)).toContain("permission_denied");
  expect(events.at(-1)).toMatchObject({ type: "turn_complete", stop_reason: "end_turn" });
  expect(stderr).toMatch(/^✗ terminal denied: nobody can be asked here.*--approval-mode.*\n$/);
  expect(await Bun.file(join(cli.workspace, "made")).exists()).toBe(false);
});

test("retries are shown, and a turn that fails ends the command with 1", async () => {
  using cli = attachedCommandLine();
  const { code, stderr } = await cli.run(["run", ...url(), "fail once then fail with auth_error"]);
  expect(code).toBe(1);
  expect(stderr).toContain("↻ again in 0.05 s: The offline model was asked to fail");
  expect(stderr).toContain("✗ auth_error: The offline model was asked to fail");
});

test("a limit that ends the turn is shown, and is no failure", async () => {
  using cli = attachedCommandLine();
  const limited = [...TRUSTING, ...url(), "--max-turns", "1", "run `printf one`"];
  const { code, stderr } = await cli.run(limited);
  expect(code).toBe(0);
  expect(stderr).toContain("■ stopped: max_turns");
});

const MISUSES: [string[], string][] = [
  [["--frobnicate", "hi"], "--frobnicate"],
  [["--approval-mode", "yolo", "hi"], "--approval-mode is one of default, confirm_all"],
  [["--max-turns", "0", "hi"], "--max-turns is a whole number"],
  [["--url", "ftp://x", "hi"], "--url is an http address"],
  [["--url", "http://example.org", "hi"], "would show the token to the network"],
  [["--url", "http://127.0.0.1@example.org", "hi"], "would show the token to the network"],
  [["--attach", "--data-dir", "/tmp", "hi"], "--data-dir is for an engine of its own"],
  [["--session", "s", "--profile", "p", "hi"], "--profile is for a new session"],
  [[" "], "no prompt"],
];
test.each(MISUSES)("run %j is exit code 2", async (args, problem) => {
  using said = spyOn(console, "error").mockImplementation(() => {});
  expect(await command.run(args, {})).toBe(2);
  expect(said.mock.calls).toEqual([[expect.stringMatching(/^kollab-engine: [^\n]+$/)]]);
  expect(said.mock.calls[0]![0]).toContain(problem);
});

test("on a terminal y allows, n denies, a allows the like, and what was typed before is no answer", async () => {
  using cli = attachedCommandLine();
  const steps = [
    "stream 30 words every 10 ms",
    "run `printf one`",
    "run `echo two`",
    "run `echo three`",
    "run `pwd`",
  ];
  const terminal = cli.onTerminal(["run", ...url(), steps.join(" then ")]);
  const { transcript, type } = terminal;
  await transcript.shows("quick");
  type("y\n");
  await transcript.shows("Allow terminal (medium risk): printf one");
  await transcript.shows("terminal:printf");
  await transcript.shows("Allow it? [y]es / [n]o / [a]lways / [p]roject ");
  type("what\n");
  await transcript.shows("Allow it?");
  type("y\n");
  await transcript.shows("Allow terminal (medium risk): echo two");
  await transcript.shows("Allow it?");
  type("always\n");
  await transcript.shows("▸ terminal");
  await transcript.shows("echo three");
  await transcript.shows("Allow terminal (medium risk): pwd");
  await transcript.shows("Allow it?");
  type("n\n");
  await transcript.shows("User denied");
  expect(await terminal.exited).toBe(0);
  expect(transcript.text.match(/Allow terminal/g)).toHaveLength(3);
});

test("a change of files is shown as its diff before it is asked about", async () => {
  using cli = attachedCommandLine();
  const terminal = cli.onTerminal(["run", ...url(), "create notes.txt with first\nsecond"]);
  for (const line of ["Allow file_create", "file: notes.txt", "+first", "+second"])
    await terminal.transcript.shows(line);
  await terminal.transcript.shows("Allow it? [y]es / [n]o");
  terminal.type("y\n");
  expect(await terminal.exited).toBe(0);
  expect(await Bun.file(join(cli.workspace, "notes.txt")).text()).toContain("second");
});

test("a high risk can be allowed once only; the end of the input denies; NO_COLOR is respected", async () => {
  using cli = attachedCommandLine({ NO_COLOR: "1" });
  const terminal = cli.onTerminal(["run", ...url(), "run `sudo rm -rf build`"]);
  await terminal.transcript.shows("Allow terminal (high risk): sudo rm -rf build");
  await terminal.transcript.shows("high: ");
  await terminal.transcript.shows("Allow it? [y]es / [n]o ");
  terminal.type("a\n");
  await terminal.transcript.shows("That is not offered here: y allows this call only.");
  await terminal.transcript.shows("Allow it?");
  terminal.type("\u0004");
  await terminal.transcript.shows("User denied");
  expect(await terminal.exited).toBe(0);
  expect(terminal.transcript.text).not.toContain("[a]lways");
  expect(terminal.transcript.text).not.toContain("\u001b");
});

test("p remembers the like for the project, on disk: another session there runs it unasked", async () => {
  using cli = attachedCommandLine();
  const first = cli.onTerminal(["run", ...url(), "run `printf one`"]);
  await first.transcript.shows("[p]roject, remembered on disk");
  await first.transcript.shows("Allow it?");
  first.type("p\n");
  expect(await first.exited).toBe(0);
  expect(first.transcript.text).not.toContain("only");
  const { code, stderr } = await cli.run(["run", ...url(), "run `printf two`"]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^▸ terminal {2}printf two\n {2}✓ /);
});

test("what a subagent wants to run is asked about in its parent's run", async () => {
  using cli = attachedCommandLine();
  const { transcript, type, exited } = cli.onTerminal([
    "run",
    ...url(),
    "delegate run `printf a; false`",
  ]);
  await transcript.shows("Allow subagent (low risk)");
  await transcript.shows("Allow it?");
  type("y\n");
  await transcript.shows("↳ subagent sess_");
  await transcript.shows("Allow terminal (medium risk): printf a; false");
  await transcript.shows("  a subagent asks, session sess_");
  await transcript.shows("Allow it?");
  type("y\n");
  await transcript.shows("The subagent answered:");
  expect(await exited).toBe(0);
});

test("a question is asked on the terminal, and its answer goes on with the session", async () => {
  using cli = attachedCommandLine();
  const terminal = cli.onTerminal(["run", ...url(), "ask me which colour to use"]);
  const { transcript, type } = terminal;
  await transcript.shows("? Which colour to use?");
  await transcript.shows("Your answer: ");
  type("blue\n");
  await transcript.shows("You answered “blue”.");
  await transcript.shows("session sess_");
  expect(await terminal.exited).toBe(0);
  expect(transcript.text).not.toContain("stopped");
});

test("Ctrl-C at a question of the agent leaves, and so does an empty line", async () => {
  using cli = attachedCommandLine();
  for (const [keys, code] of [
    ["\u0003", 130],
    ["\n", 0],
    ["\u0004", 0],
  ] as const) {
    const terminal = cli.onTerminal(["run", ...url(), "ask me which colour to use"]);
    await terminal.transcript.shows("Your answer: ");
    terminal.type(keys);
    await terminal.transcript.shows("session sess_");
    expect(await terminal.exited).toBe(code);
  }
});

test("without a terminal the question is shown with the command that answers it", async () => {
  using cli = attachedCommandLine();
  const { code, stdout, stderr } = await cli.run(["run", ...url(), "ask me which colour to use"]);
  expect(code).toBe(0);
  expect(stdout).toStartWith("Which colour to use?");
  const [, id = "", more = ""] =
    /^\? Which colour to use\?\n {2}to answer: kollab-engine run --url \S+ --session (\S+) "…"\n(.*)/m.exec(
      stderr,
    ) ?? [];
  expect(more).toBe(`session ${id}`);
  const answered = await cli.run(["run", ...url(), "--session", id, "blue"]);
  expect(answered.stdout).toStartWith("You answered “blue”.");
  const json = await cli.run(["run", ...url(), "--json", "ask me which colour to use"]);
  expect(json.stdout).toContain('"type":"question_gate"');
  expect(json.stderr).toBe("");
});

test("Ctrl-C cancels the turn and its command", async () => {
  using cli = commandLine();
  const terminal = cli.onTerminal([...TRUSTING, "run `sleep 30`"]);
  await terminal.transcript.shows("▸ terminal");
  terminal.type("\u0003");
  await terminal.transcript.shows("✗ cancelled: Turn cancelled by user");
  expect(await terminal.exited).toBe(130);
});

test("Ctrl-C at a question takes it back and cancels the turn", async () => {
  using cli = attachedCommandLine();
  const terminal = cli.onTerminal(["run", ...url(), "run `printf one`"]);
  await terminal.transcript.shows("[a]lways");
  terminal.type("\u0003");
  await terminal.transcript.shows("✗ cancelled");
  expect(await terminal.exited).toBe(130);
});

test("what models and tools say cannot take over the terminal", async () => {
  using cli = attachedCommandLine();
  const command = "run `printf '\\033]0;pwned\\007\\033[2Jmine\\rhid\\302\\233A'`";
  const terminal = cli.onTerminal([...TRUSTING, ...url(), command]);
  expect(await terminal.exited).toBe(0);
  const { text } = terminal.transcript;
  expect(text).toContain("␛]0;pwned␇␛[2Jmine␍hid\ufffdA");
  // Of the control characters, only ends of lines and our own colours are left.
  expect(Bun.stripANSI(text).replaceAll("\r\n", "")).not.toMatch(/\p{Cc}/u);
});

test("a reader that has had enough cancels the turn quietly", async () => {
  using cli = commandLine();
  const { code, stderr } = await pipedToHead(cli, "count to 5000 every 1 ms");
  expect(stderr).toMatch(/^✗ cancelled[^\n]*\nsession sess_\w+\n$/);
  expect(code).toBe(130);
});

/** `code` is that of the first command, not of the pipe. */
async function pipedToHead(cli: CommandLine, prompt: string) {
  const script = `{ ${cli.command} run '${prompt}' 2>errors; echo $? >code; } | head -c 20 >cut`;
  await Bun.spawn(["sh", "-c", script], { cwd: cli.workspace, env: cli.env }).exited;
  const read = (name: string) => Bun.file(join(cli.workspace, name)).text();
  return { code: Number(await read("code")), stderr: await read("errors") };
}
