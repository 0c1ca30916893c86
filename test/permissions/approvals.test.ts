/** What a remembered approval covers, and what it must not cover. */
import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import {
  approvedBy,
  lastingApproval,
  ownApprovals,
  sharedApprovals,
  suggestedScopes,
} from "../../src/permissions/approvals.ts";
import type { CheckedCall } from "../../src/permissions/call.ts";
import { firstWords } from "../../src/permissions/first-words.ts";
import { commandCall, fetchCall, fileCall, toolCall } from "../support/checked-call.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

const where = ({ workspace, home }: ToolFixture) => ({ workspace, project: workspace, home });

/** What approving one call for the session says about another. */
function covers(fixture: ToolFixture, approved: CheckedCall, later: CheckedCall): boolean {
  const lasting = lastingApproval("session", { call: approved, where: where(fixture) });
  const approvals = ownApprovals(lasting?.approvals ?? []);
  return approvedBy(approvals, { call: later, where: where(fixture) }) !== null;
}
const coversCommand = (fixture: ToolFixture, approved: string, later: string) =>
  covers(fixture, commandCall(approved), commandCall(later));

/** What keys of the shared file say about a call. */
const sharedCovers = (fixture: ToolFixture, keys: string[], call: CheckedCall) =>
  approvedBy(sharedApprovals(keys), { call, where: where(fixture) }) !== null;

test.each([
  ["git status", "git status"],
  ["git status --short", "git status"],
  ["git stash list", "git stash list"],
  ["npm test", "npm test"],
  ["npm run test -- --watch", "npm run test"],
  ["npm run test:unit", "npm run test:unit"],
  ["bun run build", "bun run build"],
  ["bun test src", "bun test"],
  ["cargo build --release", "cargo build"],
  ["go test ./...", "go test"],
  ["docker compose up -d", "docker compose up"],
  ["docker ps", "docker ps"],
  ["kubectl get pods", "kubectl get"],
  ["make build", "make build"],
  ["python3 -m pytest -x", "python3 -m pytest"],
  ["gh pr view 1", "gh pr view"],
  ["ls -la", "ls"],
  ["pytest tests/a.py", "pytest"],
  ["unheard deploy x", "unheard deploy"],
])("%s is known by %s", (text, words) => {
  expect(firstWords(text.split(" "))?.join(" ")).toBe(words);
});

test.each(
  [
    [
      "bash build.sh",
      "sh -c x",
      "python3 build.py",
      "python3.11 -c x",
      "node build.js",
      "bun -e x",
    ],
    [
      "eval x",
      "xargs ls",
      "sudo ls",
      "env ls",
      "ssh host",
      "npx x",
      "curl https://a.example",
      "find .",
    ],
    ["git", "npm run", "make", "git -C x status", "git config a b", "git -c a=b log"],
    ["git log --output=x", "git push --receive-pack=x", "git fetch --upload-pack=x"],
    ["npm install x", "npm exec x", "npm run test --prefix x", "npm run test --script-shell=x"],
    ["make test SHELL=./x", "make -f x test", "make test -C x", "go run x", "go test -exec x"],
    ["docker run x", "docker compose exec x", "kubectl exec x", "kubectl get --kubeconfig=x"],
    ["python -m pip install x", "python -m runpy x", "sort -o x y", "rg --pre x y", "cp a b"],
    [
      "unheard",
      "unheard --run x",
      "unheard ./x",
      "BASH x",
      "/usr/bin/python3.11 x",
      "export PATH=x",
    ],
  ].flat(),
)("%s is known only as a whole", (text) => {
  expect(firstWords(text.split(" "))).toBeNull();
});

test.each([
  ["npm run test", "npm run test"],
  ["npm run test", "npm run test -- --watch"],
  ["npm run test", "npm run test 2> /dev/null"],
  ["npm run test > out.txt", "npm run test > out.txt"],
  ["npm run test", "npm run test -- *"],
  ["cd src && npm run test", "cd src && npm run test"],
  ["git log", "git log --format=[%h]"],
  ["ls", "ls -la src; ls"],
  ["  ls", "ls x"],
  ["./run go", "./src/../run go"],
  ["bash build.sh", "bash build.sh"],
  ["npm run test && npm run lint", "npm run test && npm run lint"],
  ["cat a | head", "cat a | head"],
  ["echo hi > out.txt | cat", "echo hi > out.txt | cat"],
])("an approval of %s covers %s", (approved, later) => {
  using fixture = toolFixture();
  mkdirSync(join(fixture.workspace, "src"));
  expect(coversCommand(fixture, approved, later)).toBe(true);
});

test.each([
  ["npm run test", "npm run test && curl x | sh"],
  ["npm run test", "npm run test > out.txt"],
  ["npm run test", "npm run test > ~/.bashrc"],
  ["npm run test", "npm run test > /etc/x"],
  ["npm run test", "npm run test > ../x"],
  ["npm run test", "npm run test > src/../../x"],
  ["npm run test", "npm run test > out-link"],
  ["npm run test", "npm run test > .git/hooks/pre-commit"],
  ["npm run test", "npm run test > src/.KOLLAB/config.json"],
  ["npm run test", "npm run test > $X"],
  ["npm run test", "NODE_OPTIONS=x npm run test"],
  ["npm run test", "PATH=x; npm run test"],
  ["npm run test", "npm run test; ls"],
  ["npm run test", "npm run tests"],
  ["npm run test", "npm run $X"],
  ["npm run test", "npm run test | cat"],
  ["npm run test", "npm run test $(x)"],
  ["npm run test", "cd .. && npm run test"],
  ["npm run test", "cd outside-link && npm run test"],
  ["npm run test", "cd src && npm run test"],
  ["npm run test", "pushd src && npm run test"],
  ["cd src && npm run test", "npm run test"],
  ["ls", "cd src && ls"],
  ["npm run test", "npm run test *"],
  ["npm run test", "npm run test -?script-shell=x"],
  ["npm run test", "npm run test [-]-*"],
  ["make", "make S*"],
  ["make all", "make all S*"],
  ["git log", "git log --o*"],
  ["sort a", "sort ?o* a"],
  ["npm run test", "cd src && npm run test > x"],
  ["npm run test", "cd src && cd $X && npm run test"],
  ["npm run test", "npm test"],
  ["npm run test", "/tmp/npm run test"],
  ["git status", "git push"],
  ["git log", "git -c core.pager=./evil log"],
  ["git log", "git log --output=x"],
  ["ls", "ls && rm -rf /"],
  ["./run go", "cd src && ./run go"],
  ["bash build.sh", "bash build.sh x"],
  ["npm run test && npm run lint", "npm run lint"],
  ["cat a | head", "cat a"],
  ["env ls", "env ./evil"],
  ["ls", "ls (touch x)"],
  ["cat a", "cat =(touch x)"],
  ["ls", "ls *(e:'touch x':)"],
  ["ls", "ls $((PATH=1))"],
  ["ls", "ls \u0024{PATH:=x}"],
  ["ls", "for PATH in x; do ls; done"],
  ["printf x", "printf -v PATH x"],
  ["npm run test", "npm run test > =ls"],
  ["ls", "ls $(npm test)"],
  ["timeout 5 ls", "timeout 5 npm test"],
  ["$RUN a", "$RUN b"],
  ["ls *.log", "terminal_exact:ls x"],
  ["rm *.log", "rm x.log"],
  ["echo hi >> ../outside.txt", "echo hi >> ../outside.txt"],
  ["echo hi > /tmp/x | cat", "echo hi > /tmp/x | cat"],
  ["echo hi > $X", "echo hi > $X"],
  ["cd src && echo hi > x", "cd src && echo hi > x"],
])("an approval of %s does not cover %s", (approved, later) => {
  using fixture = toolFixture();
  mkdirSync(join(fixture.workspace, "src"));
  symlinkSync(join(fixture.home, ".bashrc"), join(fixture.workspace, "out-link"));
  symlinkSync(fixture.outside, join(fixture.workspace, "outside-link"));
  expect(coversCommand(fixture, approved, later)).toBe(false);
});

test("a command is the same in its own folder only, where it is known as a whole or by a path", () => {
  using fixture = toolFixture();
  mkdirSync(join(fixture.workspace, "sub"));
  const inSub = (text: string) => commandCall(text, { cwd: "sub" });
  expect(covers(fixture, commandCall("bash x"), inSub("bash x"))).toBe(false);
  expect(covers(fixture, inSub("bash x"), inSub("bash x"))).toBe(true);
  expect(covers(fixture, inSub("bash x"), commandCall("bash x"))).toBe(false);
  expect(covers(fixture, commandCall("./run go"), inSub("./run go"))).toBe(false);
  expect(covers(fixture, commandCall("sub/run go"), inSub("./run go"))).toBe(false);
  expect(covers(fixture, inSub("./run go"), inSub("./run go away"))).toBe(true);
});

test("what was approved in the workspace is not what another folder of it says under the same words", () => {
  using fixture = toolFixture();
  mkdirSync(join(fixture.workspace, "vendor/evil"), { recursive: true });
  symlinkSync(".", join(fixture.workspace, "here"));
  const inEvil = (text: string) => commandCall(text, { cwd: "vendor/evil" });
  for (const text of ["npm run test", "make all", "git status", "pytest", "unheard deploy"]) {
    expect(covers(fixture, commandCall(text), inEvil(text))).toBe(false);
    expect(covers(fixture, inEvil(text), commandCall(text))).toBe(false);
    expect(covers(fixture, inEvil(text), inEvil(`${text} x`))).toBe(true);
    expect(covers(fixture, commandCall(text), commandCall(text, { cwd: "here" }))).toBe(true);
  }
  for (const text of ["ls", "cat a", "pwd"])
    expect(covers(fixture, commandCall(text), inEvil(text))).toBe(true);
  expect(sharedCovers(fixture, ["terminal:npm"], commandCall("npm test"))).toBe(true);
  expect(sharedCovers(fixture, ["terminal:*", "terminal:npm"], inEvil("npm test"))).toBe(false);
  expect(sharedCovers(fixture, ["terminal:l*"], inEvil("ls"))).toBe(true);
  const [, session] = suggestedScopes(
    { call: inEvil("npm run test"), where: where(fixture) },
    false,
  );
  expect(session).toEqual({
    scope: "session",
    keys: ["terminal@vendor%2Fevil:npm run test"],
    covers: "npm run test in vendor/evil with any arguments, in this session",
  });
});

test("always edits says what it covers", () => {
  using fixture = toolFixture();
  const scopes = suggestedScopes(
    { call: fileCall("file_edit", "a"), where: where(fixture) },
    false,
  );
  expect(scopes.find(({ scope }) => scope === "always_edits")?.covers).toBe(
    "file edits, and what mode default does not ask about; commands still ask",
  );
});

test("no approval covers more risk than was approved, and none what is dangerous", () => {
  using fixture = toolFixture();
  const low = commandCall("ls", { level: "low" });
  expect(covers(fixture, low, commandCall("ls", { level: "low" }))).toBe(true);
  expect(covers(fixture, low, commandCall("ls", { level: "medium" }))).toBe(false);
  for (const level of ["high", "unknown"] as const) {
    const dangerous = commandCall("ls", { level });
    expect(covers(fixture, commandCall("ls"), dangerous)).toBe(false);
    expect(covers(fixture, dangerous, dangerous)).toBe(false);
    expect(sharedCovers(fixture, ["terminal:*", "terminal_exact:ls"], dangerous)).toBe(false);
    for (const scope of ["session", "project", "trust_tool"] as const)
      expect(lastingApproval(scope, { call: dangerous, where: where(fixture) })).toBeNull();
    expect(suggestedScopes({ call: dangerous, where: where(fixture) }, false)).toEqual([
      { scope: "once", keys: [], covers: "this call only" },
    ]);
  }
});

test("keys of the shared file by the first word, also as patterns, cover simple commands only", () => {
  using fixture = toolFixture();
  for (const keys of [["terminal:npm"], ["terminal:n*"], ["other", "terminal:*"]]) {
    expect(sharedCovers(fixture, keys, commandCall("npm install x"))).toBe(true);
    for (const text of [
      "npm test && npm test",
      "npm test; ls",
      "npm test | sh",
      "npm test > ~/.bashrc",
      "X=1 npm test",
      "$X test",
    ])
      expect([text, sharedCovers(fixture, keys, commandCall(text))]).toEqual([text, false]);
  }
  expect(sharedCovers(fixture, ["terminal:npm"], commandCall("npmx"))).toBe(false);
  // Of ours: the same words mean no more when they come from the file.
  expect(sharedCovers(fixture, ["terminal:npm test"], commandCall("npm install x"))).toBe(false);
  expect(sharedCovers(fixture, ["terminal_exact:rm *"], commandCall("rm x"))).toBe(false);
});

test("a file is the same however its path is written, for its own tool", () => {
  using fixture = toolFixture();
  fixture.write("ws/src/a.ts", "x");
  symlinkSync("src/a.ts", join(fixture.workspace, "link"));
  symlinkSync("b.ts", join(fixture.workspace, "src/c.ts"));
  const file = fileCall("file_edit", "src/a.ts");
  for (const path of ["./src/a.ts", "src//a.ts", join(fixture.workspace, "src/a.ts"), "link"])
    expect(covers(fixture, file, fileCall("file_edit", path))).toBe(true);
  expect(covers(fixture, file, fileCall("file_edit", "a.ts"))).toBe(false);
  expect(covers(fixture, file, fileCall("file_read", "src/a.ts"))).toBe(false);
  expect(
    covers(fixture, fileCall("file_edit", "src/c.ts"), fileCall("file_edit", "src/b.ts")),
  ).toBe(true);
  const move = fileCall("file_move", "a", "b");
  expect(covers(fixture, move, fileCall("file_move", "a", "c"))).toBe(false);
  expect(covers(fixture, move, move)).toBe(true);
});

test("no name of a file or a host passes for a pattern or for a whole tool", () => {
  using fixture = toolFixture();
  for (const name of ["file_edit", "*", "src/*", "[a-z]", "a?c"])
    expect([
      name,
      covers(fixture, fileCall("file_edit", name), fileCall("file_edit", name)),
      covers(fixture, fileCall("file_edit", name), fileCall("file_edit", "src/abc")),
      covers(fixture, fileCall("file_edit", name), fileCall("file_edit", "abc")),
    ]).toEqual([name, true, false, false]);
  expect(covers(fixture, fetchCall("web_fetch"), fetchCall("evil.example"))).toBe(false);
  const served = (name: string) => toolCall(name, { tool_type: "mcp_tool" });
  expect(covers(fixture, served("*"), served("x"))).toBe(false);
  expect(covers(fixture, served("x"), served("x"))).toBe(true);
});

test("a fetch is approved for its host", () => {
  using fixture = toolFixture();
  expect(covers(fixture, fetchCall("a.example"), fetchCall("a.example"))).toBe(true);
  expect(covers(fixture, fetchCall("a.example"), fetchCall("b.example"))).toBe(false);
  expect(covers(fixture, fetchCall("a.example"), fetchCall("x.a.example"))).toBe(false);
});

test("patterns of the shared file never reach what Git ignores, or what is outside", () => {
  using fixture = toolFixture();
  fixture.write("ws/.gitignore", "*.env\n!keep.env\n/build/\n");
  fixture.write("ws/packages/.gitignore", "local/*\n");
  symlinkSync("a.env", join(fixture.workspace, "plain.txt"));
  const read = (path: string) =>
    sharedCovers(fixture, ["file_read:*"], fileCall("file_read", path));
  for (const path of ["src/a.ts", "keep.env", "src/build/x", "packages/x"])
    expect([path, read(path)]).toEqual([path, true]);
  for (const path of ["a.env", "src/b.env", "build/x/y", "packages/local/x", "plain.txt", "~/x"])
    expect([path, read(path)]).toEqual([path, false]);
  expect(sharedCovers(fixture, ["file_read:a.env"], fileCall("file_read", "a.env"))).toBe(true);
  expect(sharedCovers(fixture, ["file_read:./a.env"], fileCall("file_read", "a.env"))).toBe(true);
  // There it is a file of that name; a tool is trusted for a session only.
  expect(sharedCovers(fixture, ["file_read:file_read"], fileCall("file_read", "x"))).toBe(false);
});

test("a list of ignored files that is too long to be held against a path ignores it", () => {
  using fixture = toolFixture();
  const read = (path: string) =>
    sharedCovers(fixture, ["file_read:*"], fileCall("file_read", path));
  fixture.write("ws/.gitignore", "*.env\n".repeat(3_000));
  expect(read("src/a.ts")).toBe(true);
  expect(read(`${"a/".repeat(500)}a.ts`)).toBe(false);
  // Each of them alone is short enough.
  fixture.write("ws/src/.gitignore", "*.env\n".repeat(3_000));
  expect(read("src/a.ts")).toBe(false);
  expect(read("a.ts")).toBe(true);
});

test("what each scope would store is suggested word for word", () => {
  using fixture = toolFixture();
  const suggested = (call: CheckedCall) =>
    suggestedScopes({ call, where: where(fixture) }, false).map(({ scope, keys }) => [scope, keys]);
  expect(suggested(commandCall("npm run test -- -x"))).toEqual([
    ["once", []],
    ["session", ["terminal:npm run test"]],
    ["project", ["terminal:npm run test"]],
  ]);
  expect(suggested(commandCall("ls | head"))).toEqual([
    ["once", []],
    ["session", ["terminal_exact:ls | head"]],
    ["project", ["terminal_exact:ls | head"]],
  ]);
  expect(suggested(fileCall("file_edit", "a"))).toEqual([
    ["once", []],
    ["session", ["file_edit:a"]],
    ["project", ["file_edit:a"]],
    ["always_edits", []],
    ["trust_tool", ["file_edit:file_edit"]],
  ]);
  expect(suggested(fileCall("file_read", "a"))).toEqual([
    ["once", []],
    ["session", ["file_read:a"]],
    ["project", ["file_read:*"]],
    ["trust_tool", ["file_read:file_read"]],
  ]);
  expect(suggested(fetchCall("a.example"))[1]).toEqual(["session", ["web_fetch:a.example"]]);
  const [, session] = suggestedScopes(
    { call: commandCall("npm run test"), where: where(fixture) },
    false,
  );
  expect(session?.covers).toBe("npm run test with any arguments, in this session");
});

test("a trusted tool is trusted with everything but what is dangerous", () => {
  using fixture = toolFixture();
  const read = fileCall("file_read", "a");
  const lasting = lastingApproval("trust_tool", { call: read, where: where(fixture) });
  const trusted = (call: CheckedCall) =>
    approvedBy(ownApprovals(lasting?.approvals ?? []), { call, where: where(fixture) }) !== null;
  expect(trusted(fileCall("file_read", "b"))).toBe(true);
  expect(trusted(fileCall("file_edit", "b"))).toBe(false);
  expect(trusted(toolCall("file_read", { level: "high" }))).toBe(false);
  const command = { call: commandCall("ls"), where: where(fixture) };
  expect(lastingApproval("trust_tool", command)).toBeNull();
});
