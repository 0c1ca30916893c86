/** Rules and approvals against commands and repositories that want to get around them. */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PermissionRule } from "../../src/config/permission-rule.ts";
import type { PermissionRules } from "../../src/config/permission-rules.ts";
import { approvedBy, ownApprovals } from "../../src/permissions/approvals.ts";
import { judgeByRules } from "../../src/permissions/rules.ts";
import { commandCall } from "../support/checked-call.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

let folder: TemporaryFolder | null = null;
afterEach(() => {
  folder?.[Symbol.dispose]();
  folder = null;
});

function workspaceWithKey() {
  folder = temporaryFolder();
  const workspace = realpathSync(folder.path);
  mkdirSync(join(workspace, "config"));
  mkdirSync(join(workspace, "sub"));
  writeFileSync(join(workspace, "config/prod.key"), "secret");
  return { workspace, project: workspace, home: "/home/x" };
}

const rulesOf = (...rules: PermissionRule[]): PermissionRules => ({
  global: rules,
  project: [],
  untrusted: [],
  projectFile: "",
  sha256: null,
  trusted: false,
  problems: [],
  doubt: null,
});
const KEY_DENIED = rulesOf({ action: "deny", path: "config/prod.key" });

test("a file that a rule denies is not read from a folder that the command goes to", () => {
  const where = workspaceWithKey();
  const commands = [
    "cat config/prod.key",
    "cd config && cat prod.key",
    "pushd config; cat prod.key",
    "cd sub; cat ../config/prod.key",
    "cd sub && cd .. && cd config && cat prod.key",
    "(cd config; cat prod.key)",
    "bash -c 'cd config; cat prod.key'",
    "cat < config/prod.key",
    "cat config/{prod,x}.key",
    "cat {config/prod,x}.k{ey,ez}",
    "cat $X config/{x,'prod'}.key",
    "git -C config diff -- prod.key",
    "git -C sub -C ../config show prod.key",
    "make -Cconfig prod.key",
    "make --directory=config prod.key",
    "tar -cf ../x.tar -C config prod.key",
    "tar cf - --directory config prod.key",
    "cd sub && git -C ../config add prod.key",
  ];
  const judged = commands.map((each) => judgeByRules(KEY_DENIED, commandCall(each), where)?.action);
  expect(judged).toEqual(commands.map(() => "deny"));
  expect(judgeByRules(KEY_DENIED, commandCall("cd config && cat other.key"), where)).toBeNull();
  for (const command of ["cat $X", "git -C sub add prod.key", "git -C $X status", "ls {a,b}.key"])
    expect(judgeByRules(KEY_DENIED, commandCall(command), where)).toBeNull();
  const unknown = judgeByRules(KEY_DENIED, commandCall("cd $WHERE && cat prod.key"), where);
  expect(unknown?.action).toBe("ask");
});

test("a file that a rule denies is not read by a pattern that stands for it", () => {
  const where = workspaceWithKey();
  for (const command of ["cat c*/prod.key", "cat */*", "cat config/prod.ke?", "head co[m-o]fig/*"])
    expect(judgeByRules(KEY_DENIED, commandCall(command), where)?.action).toBe("deny");
  expect(judgeByRules(KEY_DENIED, commandCall("ls *.ts sub/*"), where)).toBeNull();
});

test("a file that a rule denies does not hide behind a thousand other words", () => {
  const where = workspaceWithKey();
  const words = Array.from({ length: 1_100 }, (_, at) => `w${at}`).join(" ");
  const judged = judgeByRules(KEY_DENIED, commandCall(`cat ${words} config/prod.key`), where);
  expect(judged).toMatchObject({ action: "ask", always: true });
  const hosts = rulesOf({ action: "deny", host: "evil.example" });
  const fetched = judgeByRules(hosts, commandCall(`curl ${words} evil.example`), where);
  expect(fetched).toMatchObject({ action: "ask", always: true });
});

test("as many rules as a repository may bring do not hold up everybody else for a minute", () => {
  const where = workspaceWithKey();
  const rules = Array.from(
    { length: 500 },
    (_, at): PermissionRule => ({
      action: "deny",
      path: `secret/**/x${at}`,
    }),
  );
  const words = Array.from({ length: 1_000 }, (_, at) => `a/b/c/w${at}`).join(" ");
  const startedAt = performance.now();
  judgeByRules(rulesOf(...rules), commandCall(`ls ${words}`), where);
  // Without a limit it is a minute and more.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test("a rule that allows a command allows no option that says what else is run or written", () => {
  const where = workspaceWithKey();
  const allowed = ["npm run test", "make", "sort", "rg", "printf", "ls", "git log", "git apply"];
  const rules = rulesOf(...allowed.map((command) => ({ action: "allow" as const, command })));
  const judge = (command: string) => judgeByRules(rules, commandCall(command), where)?.action;
  for (const command of ["npm run test -- --watch", "make -j4 all", "sort -u a", "git log -p"])
    expect(judge(command)).toBe("allow");
  const commands = [
    "npm run test --script-shell=./evil",
    "npm run test --prefix ../evil",
    "make -f evil.mk",
    "sort -o ../x a",
    "sort --compress-program=./evil a",
    "rg --pre ./evil x",
    "printf -v PATH .; ls",
    "git log -p --output ../x",
    "git apply --unsafe-paths x.patch",
    "npm run test *",
    "npm run test -?script-shell=x",
    "make S*",
    "rg [-]-p* x",
  ];
  for (const command of commands) expect(judge(command)).not.toBe("allow");
  const spelled = rulesOf({ action: "allow", command: "make -f build.mk" });
  expect(judgeByRules(spelled, commandCall("make -f build.mk all"), where)?.action).toBe("allow");
});

test("an approval of a checker covers no option that has it write elsewhere or load something", () => {
  const where = { workspace: "/w", project: "/w", home: "/home/x" };
  const programs = ["tsc", "jest", "vitest", "mypy", "yq", "git apply", "git worktree add"];
  const approved = ownApprovals(
    programs.map((program) => ({ key: `terminal:${program}`, level: "medium" as const })),
  );
  const isCovered = (command: string) =>
    approvedBy(approved, { call: commandCall(command), where }) !== null;
  for (const command of ["tsc --noEmit", "jest src", "vitest run", "mypy .", "git apply x.patch"])
    expect(isCovered(command)).toBe(true);
  const commands = [
    "tsc --outFile /home/x/.bashrc a.ts",
    "tsc --outdir ../x",
    "jest --config ../evil.js",
    "jest --globalSetup ../evil.js",
    "vitest --root ../evil",
    "mypy --config-file ../evil.ini",
    "yq -i '.a = 1' /home/x/config.yaml",
    "git apply --unsafe-paths x.patch",
  ];
  for (const command of commands) expect(isCovered(command)).toBe(false);
});

test("what zsh takes for a redirection is dangerous where its target is", () => {
  const commands = ["echo x >>! ~/.zshrc", "echo x >! ~/.zshrc", "echo x >&! ~/.zshrc"];
  for (const command of commands)
    expect([command, commandCall(command).assessment.level]).toEqual([command, "high"]);
});

test("a pattern that stands for the folder with keys is as dangerous as its name", () => {
  const commands = ["cat ~/.koll*/engine.token", "grep -r . ~/.k?llab", "cat ~/.ss[h]/id_rsa"];
  for (const command of commands)
    expect([command, commandCall(command).assessment.level]).toEqual([command, "high"]);
});
