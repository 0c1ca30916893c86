/** What a remembered approval must not cover. */
import { expect, test } from "bun:test";
import { approvalKey, approves, toolKey } from "../../src/permissions/approvals.ts";

const call = (tool: string, input: Record<string, unknown>) => ({
  tool_name: tool,
  tool_type: tool,
  input,
  risk_level: "medium" as const,
});
const covers = (approved: ReturnType<typeof call>, later: ReturnType<typeof call>) =>
  approves(approvalKey(approved), later);
const command = (text: string) => call("terminal", { command: text });

test("a file with the name of its tool is not every file", () => {
  expect(
    covers(call("file_create", { file: "file_create" }), call("file_create", { file: ".bashrc" })),
  ).toBe(false);
  expect(
    covers(call("file_read", { file: "file_read" }), call("file_read", { file: ".env" })),
  ).toBe(false);
});

test.each([
  ["CI=1 npm test", "CI=1 ./evil"],
  ["env npm test", "env ./evil"],
  ["bash build.sh", "bash -c 'exec ./evil'"],
  ["python3 build.py", "python3 -c 'import os'"],
  ["node build.js", "node -e 'process.exit'"],
  ["xargs --version", "xargs -a list ./evil"],
  ["find . -name x", "find . -exec ./evil {} +"],
  ["git log", "git -c core.pager=./evil log"],
  ["/usr/bin/python3.11 build.py", "/usr/bin/python3.11 evil.py"],
  ["BASH build.sh", "BASH evil.sh"],
  ['"bash" build.sh', '"bash" evil.sh'],
  ["$RUN a", "$RUN b"],
  ["not ls", "not ./evil"],
  ["ls && true", "ls"],
])("an approval of %s does not cover %s", (approved, later) => {
  expect(covers(command(approved), command(later))).toBe(false);
});

test.each(["ls (touch x)", "cat =(touch x)", "ls *(e:'touch x':)"])(
  "what fish or zsh would run inside %s is not simple",
  (later) => {
    expect(covers(command(later.split(" ")[0] as string), command(later))).toBe(false);
  },
);

test("a word ends where the shell says, not at any Unicode space", () => {
  expect(covers(command("./run x"), command("./run\u00a0x"))).toBe(false);
});

test("a program is approved with any arguments where they are harmless, however it is spelled", () => {
  for (const [approved, later] of [
    ["ls", "ls -la src"],
    ["  echo 1", "echo 2"],
    ["./run a", "./sub/../run b"],
    ["npm test", "npm test"],
  ] as const)
    expect([approved, covers(command(approved), command(later))]).toEqual([approved, true]);
});

test("a relative program of another directory is another program", () => {
  const inSub = call("terminal", { command: "./run x", cwd: "sub" });
  expect(covers(command("./run x"), inSub)).toBe(false);
  expect(covers(command("sub/run"), inSub)).toBe(true);
  const tests = call("terminal", { command: "npm test", cwd: "sub" });
  expect(covers(command("npm test"), tests)).toBe(false);
});

test("a file is the same however its path is written, for its own tool", () => {
  const file = call("file_edit", { file: "src/a.ts" });
  for (const spelling of ["./src/a.ts", "src//a.ts", "src/b/../a.ts"])
    expect(covers(file, call("file_edit", { file: spelling }))).toBe(true);
  expect(covers(file, call("file_edit", { file: "a.ts" }))).toBe(false);
  expect(covers(file, call("file_read", { file: "src/a.ts" }))).toBe(false);
});

test("a trusted tool is trusted with every file, and nothing of high risk", () => {
  const read = call("file_read", { file: "a" });
  expect(approves(toolKey(read), call("file_read", { file: "b" }))).toBe(true);
  expect(approves(toolKey(read), { ...read, risk_level: "high" })).toBe(false);
  expect(approves(toolKey(command("ls")), command("ls"))).toBe(false);
});
