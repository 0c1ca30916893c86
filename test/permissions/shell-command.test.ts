import { describe, expect, test } from "bun:test";
import type { CommandPart, ShellCommand } from "../../src/permissions/command.ts";
import { createRiskAssessor } from "../../src/permissions/risk.ts";
import { DANGEROUS } from "./shell/dangerous-commands.ts";
import { EVERYDAY } from "./shell/everyday-commands.ts";

const assessor = createRiskAssessor({ home: "/home/me" });
const assess = (command: string, input: Record<string, unknown> = {}) =>
  assessor.assess(
    { name: "terminal", type: "terminal", input: { command, ...input } },
    { type: "terminal", risk: "high" },
    "/home/me/project",
  );
const read = async (command: string): Promise<ShellCommand> => {
  const { command: shell } = await assess(command);
  if (!shell) throw new Error("No command");
  return shell;
};
const partsOf = async (command: string): Promise<readonly CommandPart[]> => {
  const shell = await read(command);
  return shell.parsed ? shell.parts : [];
};
const shapeOf = async (command: string): Promise<string> => {
  const shell = await read(command);
  return shell.parsed ? shell.shape : shell.reason;
};
const wordsOf = async (command: string) => (await partsOf(command)).map(({ words }) => words);

/** The commands that are not of this level. */
const otherThan = async (level: string, commands: string[]): Promise<string[]> => {
  const found: string[] = [];
  for (const command of commands) if ((await assess(command)).level !== level) found.push(command);
  return found;
};

describe("somebody is asked about", () => {
  for (const [name, commands] of Object.entries(DANGEROUS))
    test(name, async () => expect(await otherThan("high", commands)).toEqual([]));
});

test("nobody is asked about everyday commands because of the way they are written", async () => {
  expect(EVERYDAY.length).toBeGreaterThan(150);
  expect(await otherThan("medium", EVERYDAY)).toEqual([]);
});

test("every everyday command is taken apart", async () => {
  for (const command of EVERYDAY)
    expect([command, (await read(command)).parsed]).toEqual([command, true]);
});

test("a command has every program that it would run as a part, each with its own risk", async () => {
  const parts = await partsOf(
    'cd x && npm test | tail -5; echo "$(git status)" `whoami`; sudo rm y',
  );
  expect(parts.map(({ text, level, direct }) => [text, level, direct])).toEqual([
    ["cd x", "medium", true],
    ["npm test", "medium", true],
    ["tail -5", "medium", true],
    ['echo "$(git status)" `whoami`', "medium", true],
    ["git status", "medium", false],
    ["whoami", "medium", false],
    ["sudo rm y", "high", true],
    ["rm y", "medium", false],
  ]);
});

test("what is handed over in an option is a part", async () => {
  const texts = async (command: string) =>
    (await partsOf(command)).slice(1).map(({ text }) => text);
  expect(await texts("rg --pre ./x foo")).toEqual(["./x"]);
  expect(await texts("npm --script-shell ./x test")).toEqual(["./x"]);
  expect(await texts("make SHELL=./x")).toEqual(["./x"]);
  expect(await texts("node -r ./x --import=./y z.js -r ./a")).toEqual(["node ./x", "node ./y"]);
});

test("the command is as risky as its worst part, and says why", async () => {
  const { level, reason, command } = await assess("ls && rm -rf x && pwd");
  const wanted = "Command matches high-risk pattern: removes recursively or by force";
  expect([level, reason]).toEqual(["high", wanted]);
  expect(command?.parsed && command.parts.map((part) => [part.level, part.reason])).toEqual([
    ["medium", "Default risk for tool type 'terminal'"],
    ["high", wanted],
    ["medium", "Default risk for tool type 'terminal'"],
  ]);
});

test("words are as the program gets them, and null where only the shell knows them", async () => {
  expect(await wordsOf(`a 'b c' "d\\"e" f\\ g $'h\\ti' "" 12 --x='y z' ~/k *.ts`)).toEqual([
    ["a", "b c", 'd"e', "f g", "h\ti", "", "12", "--x=y z", "~/k", "*.ts"],
  ]);
  expect(await wordsOf(`a $b "c $d" {e,f} e{1..3} $((1+2)) '~'/x "\${g}"`)).toEqual([
    ["a", null, null, null, null, null, null, null],
  ]);
  expect(await wordsOf("a {} x{}y {z 'b{c,d}'")).toEqual([["a", "{}", "x{}y", "{z", "b{c,d}"]]);
  expect((await wordsOf("l? a"))[0]).toEqual([null, "a"]);
  expect(await wordsOf("python3 - x <<'EOF'\n1\nEOF")).toEqual([["python3", "-", "x"]]);
  expect(await wordsOf("> out rm x")).toEqual([["rm", "x"]]);
  expect(await wordsOf("echo > out x")).toEqual([["echo", "x"]]);
  expect(await wordsOf("ls \\\n  -l")).toEqual([["ls", "-l"]]);
});

test("a part has what is set for it and where it is redirected to", async () => {
  const [part] = await partsOf(`A=1 B="$x" c d <<< i > "e f" 2>> $g < h 2>&1 3>&-`);
  expect(part).toMatchObject({
    words: ["c", "d"],
    sets: ["A", "B"],
    redirections: [
      { writes: false, path: null },
      { writes: true, path: "e f" },
      { writes: true, path: null },
      { writes: false, path: "h" },
    ],
  });
});

test("the file of a list is its last command's", async () => {
  const parts = await partsOf("a && b || c > d");
  expect(parts.map(({ redirections }) => redirections)).toEqual([
    [],
    [],
    [{ writes: true, path: "d" }],
  ]);
});

test("a command is simple only where it is one program and nothing besides", async () => {
  const shapes: Record<string, string[]> = {
    simple: [
      "ls",
      "ls -l > x",
      "A=1 ls",
      "ls # a | b",
      "cat <<'EOF'\nx\nEOF",
      "export A=1",
      "A=1",
      "ls $x",
    ],
    list: ["ls && pwd", "ls; pwd", "ls\npwd\n", "a || b && c", "[ -f x ] && ls", "a && b > c"],
  };
  shapes.compound = [
    "ls | cat",
    "ls &",
    "a & b",
    "(ls)",
    "{ ls; }",
    "! ls",
    "ls $(pwd)",
    "ls `pwd`",
    "ls <(pwd)",
    "A=$(pwd)",
    "if a; then b; fi",
    "for i in a; do ls; done",
    "f() { ls; }",
    "bash -c ls",
    "xargs ls",
    "env ls",
    "time ls",
    "eval ls",
    "find . -exec ls {} +",
    "cat <<EOF\n$(ls)\nEOF",
    "cat <<EOF | cat\nx\nEOF",
    "cat <<EOF && ls\nx\nEOF",
    "ls; (pwd)",
    "a && b &",
    "trap ls EXIT",
    "git -c alias.x='!ls' x",
    "",
  ];
  for (const [shape, commands] of Object.entries(shapes))
    for (const command of commands)
      expect([command, await shapeOf(command)]).toEqual([command, shape]);
});

test("relative paths count from the directory that the command runs in, and from its own cd", async () => {
  expect((await assess("echo x > hosts", { cwd: "/etc" })).level).toBe("high");
  expect((await assess("echo x > .npmrc", { cwd: ".." })).level).toBe("high");
  expect((await assess("echo x > .npmrc")).level).toBe("medium");
  expect((await assess("cd /etc/x && cd .. && echo x > hosts")).level).toBe("high");
  expect((await assess("cd /etc; (cd /home/me/project); echo x > hosts")).level).toBe("high");
  expect((await assess("cd src && echo x > hosts")).level).toBe("medium");
});

test("a background command is judged as any other", async () => {
  expect((await assess("rm -rf x", { background: true })).level).toBe("high");
});

test("commands in commands are followed only so far", async () => {
  expect((await assess(`${"env ".repeat(4)}ls`)).level).toBe("medium");
  expect(await assess(`${"env ".repeat(40)}ls`)).toMatchObject({
    level: "high",
    reason: "Command matches high-risk pattern: hides commands in commands",
  });
});

test("what is not understood is of high risk and says so", async () => {
  for (const command of ["echo 'x", "ls &&", "echo $(ls", "ls |", "if a; then b", "ls\u0007"]) {
    const { level, command: shell } = await assess(command);
    expect([command, level, shell?.parsed]).toEqual([command, "high", false]);
  }
});

test("hostile texts end in bounded time, without an exception", async () => {
  const nested = (open: string, close: string, count: number) =>
    open.repeat(count) + close.repeat(count);
  const commands = [
    nested("(", ")", 30_000),
    nested("$(", ")", 20_000),
    nested("${a:-", "}", 8_000),
    nested('"$(', ')"', 9_000),
    nested("{ a; ", "}", 9_000),
    nested("if a; then ", "fi;", 4_000),
    `${"a | ".repeat(10_000)}a`,
    "a|".repeat(30_000),
    "x=(".repeat(20_000),
    "<<E\n".repeat(15_000),
    "a && ".repeat(12_000),
    `ls ${"{a,b}".repeat(9_000)}`,
    `bash -c "${"ls | ".repeat(12_000)}"`,
    "x".repeat(5_000_000),
    `${"sudo ".repeat(12_000)}ls`,
    `${"cd x;".repeat(8)}cat ${`${"*/".repeat(2_000)} `.repeat(15)}`,
    `${"cd x;".repeat(8)}cat ${`${".*s".repeat(60)} `.repeat(330)}`,
  ];
  const startedAt = performance.now();
  for (const command of commands) expect((await assess(command)).level).toMatch(/high|medium/);
  // A parser that is not stopped takes minutes for some of them.
  expect(performance.now() - startedAt).toBeLessThan(30_000);
}, 40_000);

test("two assessors may load the grammar at the same time", async () => {
  const two = [createRiskAssessor({ home: "/a" }), createRiskAssessor({ home: "/b" })];
  const call = { name: "terminal", type: "terminal", input: { command: "ls && rm -rf x" } };
  const levels = await Promise.all(two.map(async (each) => (await each.assess(call, null)).level));
  expect(levels).toEqual(["high", "high"]);
});

test("reading thousands of commands keeps nothing of them", async () => {
  const rest = 'echo "$(pwd)" && ls -la src | tail -3; '.repeat(4);
  const memoryAfter = async (count: number) => {
    for (let n = 0; n < count; n++) await assess(`git log ${n} | head -5 && ${rest}`);
    Bun.gc(true);
    return process.memoryUsage.rss();
  };
  const before = await memoryAfter(1_000);
  // A tree that is kept has some kilobytes: it would be more than that.
  expect((await memoryAfter(5_000)) - before).toBeLessThan(32 * 1024 * 1024);
}, 30_000);
