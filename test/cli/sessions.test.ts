import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { command } from "../../src/cli/sessions.ts";
import { type CommandLine, commandLine } from "../support/command-line.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { readUntil } from "../support/sse.ts";

setDefaultTimeout(30_000);

test("without an engine, sessions are read from the store; run --session goes on with one", async () => {
  using cli = commandLine();
  expect(await cli.run(["sessions"])).toEqual({
    code: 0,
    stdout: "There are no sessions yet.\n",
    stderr: "",
  });
  const first = await cli.run(["run"], "run `printf one`\n");
  const [, id = ""] = /session (sess_\w+)/.exec(first.stderr) ?? [];
  const second = await cli.run(["run", "--session", id, "-"], "say two\n");
  expect(second).toMatchObject({ code: 0, stdout: "two\n" });

  const listed = await cli.run(["sessions", "list"]);
  const [head, row] = listed.stdout.trimEnd().split("\n");
  expect(head).toMatch(/^ID +CREATED +PROFILE +TURNS +WORKSPACE$/);
  expect(row).toMatch(new RegExp(`^${id}  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d  default  2 `));
  const json = await cli.run(["sessions", "list", "--json"]);
  expect(JSON.parse(json.stdout).sessions).toMatchObject([{ session_id: id, total_turns: 2 }]);

  const shown = await cli.run(["sessions", "show", id]);
  expect(shown.stdout).toMatch(/^session +sess_/);
  expect(shown.stdout).toContain("› run `printf one`\n");
  expect(shown.stdout).toContain("▸ terminal  printf one\n    Error: User denied\n");
  expect(shown.stdout).toContain("› say two\n\ntwo\n");
  const whole = await cli.run(["sessions", "show", id, "--json"]);
  const { session, history } = JSON.parse(whole.stdout);
  expect(session).toMatchObject({ session_id: id, history_length: 6 });
  expect(history.at(-1)).toMatchObject({ role: "assistant", content: "two" });

  expect(await cli.run(["sessions", "show", "nobody"])).toEqual({
    code: 1,
    stdout: "",
    stderr: "kollab-engine: Session not found\n",
  });
});

async function withSession(
  use: (engine: TestEngine, cli: CommandLine, id: string) => Promise<void>,
): Promise<void> {
  const engine = await startEngine();
  try {
    using cli = commandLine({ home: engine.home });
    await use(engine, cli, await engine.newSession());
  } finally {
    await engine.stop();
  }
}

test("follow shows what happened and what happens, and without a terminal leaves prompts to others", () =>
  withSession(async (engine, cli, id) => {
    await engine.turn(id, "say first");
    const follower = cli.start(["sessions", "follow", id, "--url", engine.base]);
    await follower.stdout.shows("first");
    await follower.stderr.shows("› say first");
    const turn = engine.turn(id, "run `printf one`");
    await follower.stderr.shows("waits for permission");
    const { pending } = await engine.json("GET", `/sessions/${id}/permissions`);
    const answer = { tool_id: pending[0], decision: "approve" };
    await engine.json("POST", `/sessions/${id}/permission`, answer);
    await turn;
    await follower.stdout.shows("ended with exit code 0");
    follower.process.kill("SIGINT");
    expect(await follower.exited).toBe(130);
  }));

test("follow --json --after prints the events after that one", () =>
  withSession(async (engine, cli, id) => {
    const events = await engine.turn(id, "say first");
    const args = ["sessions", "follow", id, "--url", engine.base, "--json", "--after", "2"];
    const follower = cli.start(args);
    await follower.stdout.shows("turn_complete");
    await follower.stdout.shows("\n");
    const printed = follower.stdout.text.trimEnd().split("\n");
    expect(printed.map((line) => JSON.parse(line))).toEqual(
      events.slice(2).map(({ id: seq, event }) => ({ seq, ...event })),
    );
    follower.process.kill("SIGINT");
    expect(await follower.exited).toBe(130);
  }));

test("follow asks on a terminal, but not about what was answered long ago; it ends with its session", () =>
  withSession(async (engine, cli, id) => {
    const first = engine.turn(id, "run `printf one`");
    await answerNext(engine, id);
    await first;
    const follower = cli.onTerminal(["sessions", "follow", id, "--url", engine.base]);
    await follower.transcript.shows("ended with exit code 0");
    const second = engine.turn(id, "run `printf two`");
    await follower.transcript.shows("Allow terminal (medium risk): printf two");
    await follower.transcript.shows("Allow it?");
    follower.type("y\n");
    await second;
    await follower.transcript.shows("ended with exit code 0");
    expect(follower.transcript.text).not.toContain("Allow terminal (medium risk): printf one");
    await engine.json("DELETE", `/sessions/${id}`);
    expect(await follower.exited).toBe(0);
  }));

/** Approves the prompt that comes next. */
async function answerNext(engine: TestEngine, id: string): Promise<void> {
  const response = await engine.call("GET", `/sessions/${id}/events`);
  const seen = await readUntil(response, "permission_request");
  const answer = { tool_id: seen.at(-1)?.event.tool_id, decision: "approve" };
  await engine.json("POST", `/sessions/${id}/permission`, answer);
}

const MISUSES: [string[], string][] = [
  [["remove"], "there is no 'sessions remove', but list, show, follow"],
  [["show"], "sessions show takes one id"],
  [["follow", "a", "b"], "sessions follow takes one id"],
  [["list", "a"], "sessions list takes no id"],
  [["show", "a", "--after", "3"], "--after is for sessions follow"],
  [["follow", "a", "--after", "x"], "--after is a whole number"],
  [["list", "--url", "nowhere"], "--url is an http address"],
  [["list", "--url", "http://10.0.0.1:7433"], "would show the token to the network"],
  [["list", "--url", "http://x", "--data-dir", "/tmp"], "--data-dir reads what is stored"],
];
test.each(MISUSES)("sessions %j is exit code 2", async (args, problem) => {
  using said = spyOn(console, "error").mockImplementation(() => {});
  expect(await command.run(args, {})).toBe(2);
  expect(said.mock.calls).toEqual([[expect.stringMatching(/^kollab-engine: [^\n]+$/)]]);
  expect(said.mock.calls[0]![0]).toContain(problem);
});
