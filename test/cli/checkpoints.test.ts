import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { join } from "node:path";
import { command } from "../../src/cli/checkpoints.ts";
import { type CommandLine, commandLine } from "../support/command-line.ts";

// Every test starts programs, on machines that are busy.
setDefaultTimeout(30_000);

const COMMAND = join(import.meta.dir, "../../src/cli/checkpoints.ts");
const SCRIPT = `const { command } = await import(${JSON.stringify(COMMAND)});
process.exitCode = await command.run(process.argv.slice(1), { ...process.env });`;

/** The command as a process of its own. */
async function checkpoints(cli: CommandLine, ...args: string[]) {
  const child = Bun.spawn([process.execPath, "-e", SCRIPT, "--", ...args], {
    cwd: cli.workspace,
    env: cli.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, stdout, stderr] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { code, stdout, stderr };
}

const PROMPT = 'replace "one" with "two" in a.txt then create new.txt with hi';

test("without an engine, what a run changed is listed, shown, refused over later changes, and undone", async () => {
  using cli = commandLine();
  const file = (name: string) => Bun.file(join(cli.workspace, name));
  await Bun.write(file("a.txt"), "one\n");
  const { stderr } = await cli.run(["run", "--approval-mode", "trust_all", PROMPT]);
  const [, session = ""] = /session (sess_\w+)/.exec(stderr) ?? [];
  const [, id = ""] = /^ {2}(ckpt_\w+) can undo the change of /m.exec(stderr) ?? [];
  expect(await file("a.txt").text()).toBe("two\n");

  const listed = await checkpoints(cli, session);
  const [head, row] = listed.stdout.trimEnd().split("\n");
  expect(head).toMatch(/^ID +CREATED +KIND +FILES$/);
  expect(row).toStartWith(`${id}  `);
  expect(row).toMatch(/ {2}turn {2}~a\.txt, \+new\.txt$/);

  const diff = await checkpoints(cli, session, "diff", id, "--file", "a.txt");
  expect(diff.stdout).toContain("--- a/a.txt\n+++ b/a.txt\n@@ -1,1 +1,1 @@\n-one\n+two\n");
  expect(diff.stdout).not.toContain("new.txt");

  await Bun.write(file("a.txt"), "mine\n");
  const refused = await checkpoints(cli, session, "restore", id);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toBe(
    "✗ a.txt: It has changed since\n" +
      "With --force also what has changed since is brought back.\n" +
      "kollab-engine: nothing was restored\n",
  );
  expect(await file("new.txt").exists()).toBe(true);

  const forced = await checkpoints(cli, session, "restore", id, "--force");
  expect(forced.code).toBe(0);
  expect(forced.stdout).toContain("✓ a.txt\n");
  expect(await file("a.txt").text()).toBe("one\n");
  expect(await file("new.txt").exists()).toBe(false);

  const [, undo = ""] = / restore (ckpt_\w+)\n$/.exec(forced.stdout) ?? [];
  const json = await checkpoints(cli, session, "restore", undo, "--json", "--file", "a.txt");
  expect(JSON.parse(json.stdout)).toMatchObject({ restored: ["a.txt"], unchanged: [] });
  expect(await file("a.txt").text()).toBe("mine\n");
});

const MISUSES: [string[], string][] = [
  [[], "whose checkpoints?"],
  [["s", "remove"], "there is no 'checkpoints s remove', but list, diff, restore"],
  [["s", "list", "c"], "checkpoints list takes no id"],
  [["s", "diff"], "checkpoints diff takes one id"],
  [["s", "restore", "a", "b"], "checkpoints restore takes one id"],
  [["s", "--file", "a"], "--file is for checkpoints diff and restore"],
  [["s", "diff", "c", "--force"], "--force is for checkpoints restore"],
  [["s", "--url", "nowhere"], "--url is an http address"],
  [["s", "--url", "http://x", "--data-dir", "/tmp"], "--data-dir is for an engine of its own"],
];
test.each(MISUSES)("checkpoints %j is exit code 2", async (args, problem) => {
  using said = spyOn(console, "error").mockImplementation(() => {});
  expect(await command.run(args, {})).toBe(2);
  expect(said.mock.calls).toEqual([[expect.stringMatching(/^kollab-engine: [^\n]+$/)]]);
  expect(said.mock.calls[0]![0]).toContain(problem);
});
