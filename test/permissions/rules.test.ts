/** Rules and modes: what is denied, asked and allowed. */
import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { PermissionRule } from "../../src/config/permission-rule.ts";
import type { PermissionRules } from "../../src/config/permission-rules.ts";
import { APPROVAL_MODES, type ApprovalMode, type RiskLevel } from "../../src/domain/permission.ts";
import type { CheckedCall } from "../../src/permissions/call.ts";
import { asks } from "../../src/permissions/modes.ts";
import { judgeByRules } from "../../src/permissions/rules.ts";
import { commandCall, fetchCall, fileCall, toolCall } from "../support/checked-call.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

const NO_RULES: PermissionRules = {
  global: [],
  project: [],
  untrusted: [],
  projectFile: "/project/.kollab/config.json",
  trusted: false,
  sha256: null,
  problems: [],
  doubt: null,
};

type Ruled = "deny" | "ask" | "ask always" | "allow" | "nothing";

function ruled(call: CheckedCall, rules: Partial<PermissionRules>, fixture?: ToolFixture): Ruled {
  const [workspace, home] = [fixture?.workspace ?? "/nowhere/ws", fixture?.home ?? "/nowhere/home"];
  const where = { workspace, project: workspace, home };
  const decision = judgeByRules({ ...NO_RULES, ...rules }, call, where);
  if (decision?.action === "ask" && decision.always) return "ask always";
  return decision?.action ?? "nothing";
}
const globally = (...global: PermissionRule[]) => ({ global });
const command = (action: PermissionRule["action"], text: string): PermissionRule => ({
  action,
  command: text,
});

test.each([
  ["git push", "git push"],
  ["git push", "git push origin main"],
  ["git push *", "git push origin main"],
  ["git push", "/usr/bin/git push"],
  ["git push", "GIT push"],
  ["git push", "git -C /x push"],
  ["git push", "git -c a.b=c --no-pager push"],
  ["git push", "git --git-dir=x push"],
  ["git push --force", "git push origin main --force"],
  ["git push -f", "git push -qf"],
  ["npm publish", "npm --prefix x publish"],
  ["docker push", "docker --context x push y"],
  ["docker compose down", "docker compose -f x.yml down"],
  ["kubectl delete", "kubectl -n prod --context=x delete pod"],
  ["git push", "ls && git push"],
  ["git push", "ls; cat x | git push"],
  ["rm", "/bin/rm x"],
  ["*", "anything"],
])("deny %s holds for %s", (rule, text) => {
  expect(ruled(commandCall(text), globally(command("deny", rule)))).toBe("deny");
});

test.each([
  ["git push", "git status"],
  ["git push", "git commit -m push"],
  ["git push", "echo git push"],
  ["git push --force", "git push origin main"],
  ["git push", "git pushy"],
  ["git push", "mygit push"],
])("deny %s leaves %s alone", (rule, text) => {
  expect(ruled(commandCall(text), globally(command("deny", rule)))).toBe("nothing");
});

test.each([
  ["git push", "$GIT push"],
  ["git push", "git $X"],
  ["git push", "git $X push"],
  ["git push", "git p*h"],
  ["git push", "/usr/bin/g?t push"],
  ["git push --force", "git push $X"],
  ["npm run deploy", "npm $X"],
])("where only the shell knows whether deny %s means %s, every mode asks", (rule, text) => {
  expect(ruled(commandCall(text), globally(command("deny", rule)))).toBe("ask always");
});

test.each([
  "sudo git push",
  "sudo -u x /usr/bin/git -C y push",
  "env X=1 git push",
  "bash -c 'git push'",
  'sh -c "ls && git push"',
  "xargs git push",
  "timeout 5 git push",
  "nohup git push &",
  "command git push",
  "find . -exec git push {} +",
  "echo $(git push)",
  "echo `git push`",
  "if true; then git push; fi",
  "push() { git push; }; push",
  "g'i't \"push\"",
  "\\git pu\\sh",
  "X=1 git push",
  "git push > out.txt",
  "eval 'git push'",
  "{git,push}",
])("a denied command is found in %s", (text) => {
  expect(ruled(commandCall(text), globally(command("deny", "git push")))).toBe("deny");
});

test.each([
  "npx git push",
  "npx -y git push",
  "bunx git push",
  "npm exec -- git push",
  "pnpm exec git push",
  "pnpm -C x exec git push",
  "yarn exec git push",
  "uv run git push",
  "uv run --with x git push",
  "poetry run git push",
  "pipenv run git push",
  "pdm run git push",
  "hatch run git push",
  "bundle exec git push",
  "mise exec node@20 -- git push",
  "mise x -c 'git push'",
  "asdf exec git push",
  "op run --env-file=x -- git push",
  "direnv exec . git push",
  "perf stat -e cycles git push",
  "perf record -o x -- git push",
  "valgrind --tool=memcheck git push",
  "gdb -q --args git push",
  "firejail --net=none git push",
  "bwrap --ro-bind / / --dev /dev --setenv A B git push",
  "proot -r x -b /a:/b git push",
  "setpriv --reuid 1 --clear-groups git push",
  "chpst -u x git push",
  "sg group 'git push'",
  "sg group -c 'git push'",
  "tmux new -d -s x 'git push'",
  "tmux -L x new-session -s x git push",
  "screen -dmS x git push",
  "capsh --drop=all -- -c 'git push'",
  "start-stop-daemon --start --exec git -- push",
  "winpty git push",
  "faketime -f '@2020-01-01' git push",
  "faketime '1 day ago' git push",
  "dbus-run-session -- git push",
  "xvfb-run -a -s '-screen 0 1x1x8' git push",
  "unbuffer git push",
  "script -qc 'git push' /dev/null",
  "systemd-run --user -p A=1 git push",
  "chrt -r 50 git push",
  "taskset -c 0-3 git push",
  "numactl --cpunodebind 0 git push",
  "cgexec -g cpu:x git push",
  "unshare -n git push",
  "nsenter -t 1 -n git push",
  "docker run --rm -v a:b image git push",
  "podman exec -it box git push",
])("a denied command is found behind %s", (text) => {
  expect(ruled(commandCall(text), globally(command("deny", "git push")))).toBe("deny");
});

test("a program that runs another is allowed by a rule that says which", () => {
  using fixture = toolFixture();
  const rules = ["npx tsc", "uv run pytest", "npx", "timeout 5 rm -rf build"];
  const allowed = globally(...rules.map((each) => command("allow", each)));
  const judge = (text: string) => ruled(commandCall(text), allowed, fixture);
  for (const text of ["npx tsc --noEmit", "uv run pytest -q && npx tsc", "timeout 5 rm -rf build"])
    expect([text, judge(text)]).toEqual([text, "allow"]);
  const others = [
    "npx eslint",
    "npx -y tsc",
    "uv run sh",
    "timeout 5 rm -rf build /",
    "env npx tsc",
  ];
  for (const text of [...others, "npx tsc > x", "npx tsc $(id)"])
    expect([text, judge(text)]).toEqual([text, "nothing"]);
  const asked = globally(command("ask", "tsc"), command("allow", "npx tsc"));
  expect(ruled(commandCall("npx tsc"), asked, fixture)).toBe("ask");
});

test.each(["eval $X", 'bash -c "$X"', "X=push; git $X", "$(echo git) push", "echo git push | sh"])(
  "a denied command may be in %s, so every mode asks",
  (text) => {
    expect(ruled(commandCall(text), globally(command("deny", "git push")))).toBe("ask always");
  },
);

test("a command that is not understood is denied where the words occur, and never allowed", () => {
  const unclear = (text: string) =>
    commandCall(text, { shell: { parsed: false, reason: "broken" } });
  const rules = globally(command("deny", "git push"), command("allow", "*"), {
    action: "deny",
    path: "~/secrets/**",
  });
  expect(ruled(unclear("((( 'g'it pu\\sh"), rules)).toBe("deny");
  expect(ruled(unclear("((( /usr/bin/git -C x push"), rules)).toBe("deny");
  expect(ruled(unclear("((( cat ~/secrets/key"), rules)).toBe("deny");
  expect(ruled(unclear("((( git status"), rules)).toBe("nothing");
});

test("deny wins wherever it stands; of the others the project's first, in order", () => {
  const text = commandCall("npm test");
  const [allow, ask, deny] = [
    command("allow", "npm test"),
    command("ask", "npm"),
    command("deny", "npm"),
  ];
  expect(ruled(text, { global: [allow, ask, deny] })).toBe("deny");
  expect(ruled(text, { project: [allow], global: [deny] })).toBe("deny");
  expect(ruled(text, { global: [allow], project: [deny] })).toBe("deny");
  expect(ruled(text, { global: [allow, ask] })).toBe("allow");
  expect(ruled(text, { global: [ask, allow] })).toBe("ask");
  expect(ruled(text, { global: [allow], project: [ask] })).toBe("ask");
  expect(ruled(text, { global: [ask], project: [allow] })).toBe("allow");
});

test("rules that are not understood ask in every mode, except about what is denied anyway", () => {
  const doubt = "config.json: kollabor.permissions.rules[0]: no such field";
  expect(ruled(commandCall("ls"), { doubt, ...globally(command("allow", "ls")) })).toBe(
    "ask always",
  );
  expect(ruled(fileCall("file_read", "a"), { doubt })).toBe("ask always");
  expect(ruled(commandCall("ls"), { doubt, ...globally(command("deny", "ls")) })).toBe("deny");
});

test.each<[string, Ruled]>([
  ["npm test", "allow"],
  ["npm test -- --watch", "allow"],
  ["npm test > out.txt", "nothing"],
  ["npm test 2> /dev/null", "allow"],
  ["cd src && npm test", "allow"],
  ["npm test | head", "allow"],
  ["npm test && curl x | sh", "nothing"],
  ["npm test && rm -rf build", "allow"],
  ["rm -rf build /", "nothing"],
  ["cd src && rm -rf build", "nothing"],
  ["NODE_OPTIONS=x npm test", "nothing"],
  ["npm test > ~/.bashrc", "nothing"],
  ["npm test > /etc/passwd", "nothing"],
  ["npm test > ../x", "nothing"],
  ["npm test > .git/config", "nothing"],
  ["npm test > $X", "nothing"],
  ["npm $X", "nothing"],
  ["/usr/bin/npm test", "nothing"],
  ["npm --prefix x test", "nothing"],
  ["cd .. && npm test", "nothing"],
  ["for PATH in x; do npm test; done", "nothing"],
  ["npm test $((PATH=1))", "nothing"],
  ["if true; then npm test; fi", "nothing"],
  ["{ npm test; } > ~/.bashrc", "nothing"],
])("with rules that allow npm test, head and rm -rf build: %s → %s", (text, expected) => {
  using fixture = toolFixture();
  mkdirSync(join(fixture.workspace, "src"));
  const call = commandCall(text);
  const rules = globally(
    command("allow", "npm test"),
    command("allow", "head"),
    command("allow", "rm -rf build"),
  );
  expect(ruled(call, rules, fixture)).toBe(expected);
});

test("a part that a rule asks about makes the whole asked about", () => {
  const rules = globally(command("ask", "git commit"), command("allow", "*"));
  expect(ruled(commandCall("git add . && git commit"), rules)).toBe("ask");
  expect(ruled(commandCall("git add ."), rules)).toBe("allow");
  expect(ruled(commandCall("git $X"), rules)).toBe("ask");
});

test("a path is denied where it leads, however it is written", () => {
  using fixture = toolFixture();
  fixture.write("ws/secrets/key", "x");
  fixture.write("home/keys/id", "x");
  symlinkSync("secrets", join(fixture.workspace, "innocent"));
  symlinkSync("secrets/new", join(fixture.workspace, "dangling"));
  const rules = globally({ action: "deny", path: "secrets/**" }, { action: "deny", path: "*.pem" });
  const home = globally({ action: "deny", path: "~/keys/**" });
  for (const path of [
    "secrets/key",
    "./secrets/key",
    "secrets",
    "SECRETS/key",
    "innocent/key",
    "dangling",
    join(fixture.workspace, "secrets/a/b"),
    "src/deep/a.pem",
    "src/a.pem/b",
  ])
    expect([path, ruled(fileCall("file_read", path), rules, fixture)]).toEqual([path, "deny"]);
  for (const path of ["secret", "src/secrets/key", "src/a.pemx"])
    expect([path, ruled(fileCall("file_read", path), rules, fixture)]).toEqual([path, "nothing"]);
  for (const path of ["~/keys/id", join(fixture.home, "keys/id")])
    expect(ruled(fileCall("file_read", path), home, fixture)).toBe("deny");
  const moved = fileCall("file_move", "a", "secrets/b");
  expect(ruled(moved, rules, fixture)).toBe("deny");
  const planned = toolCall("apply_patch", { paths: [join(fixture.workspace, "secrets/key")] });
  expect(ruled(planned, rules, fixture)).toBe("deny");
  for (const text of ["cat secrets/key", "tool --file=secrets/key", "echo x > secrets/key"])
    expect(ruled(commandCall(text), rules, fixture)).toBe("deny");
});

test("a path is allowed only where everything leads there", () => {
  using fixture = toolFixture();
  fixture.write("ws/src/a", "x");
  symlinkSync("..", join(fixture.workspace, "src/up"));
  const rules = globally({ action: "allow", path: "src", tool: "file-*" });
  expect(ruled(fileCall("file_edit", "src/a"), rules, fixture)).toBe("allow");
  expect(ruled(fileCall("file_edit", "src/up/b"), rules, fixture)).toBe("nothing");
  expect(ruled(fileCall("file_move", "src/a", "b"), rules, fixture)).toBe("nothing");
  expect(ruled(fileCall("file_edit"), rules, fixture)).toBe("nothing");
  expect(ruled(commandCall("cat src/a"), globally({ action: "allow", path: "src" }), fixture)).toBe(
    "nothing",
  );
});

test("a host is denied with all below it, in fetches and in commands", () => {
  const rules = globally(
    { action: "deny", host: "*.Evil.example" },
    { action: "allow", host: "*" },
  );
  expect(ruled(fetchCall("a.evil.example"), rules)).toBe("deny");
  expect(ruled(fetchCall("a.evil.example."), rules)).toBe("deny");
  expect(ruled(fetchCall("evil.example.org"), rules)).toBe("allow");
  expect(ruled(commandCall("curl https://a.evil.example:8080/x"), rules)).toBe("deny");
  expect(ruled(commandCall("ssh me@a.evil.example"), rules)).toBe("deny");
  expect(ruled(fileCall("file_read", "a"), rules)).toBe("nothing");
});

test("tools by either spelling; a server's tool is allowed with its server only", () => {
  const served = toolCall("file_read", {
    tool_type: "mcp_tool",
    mcp: { server: "files", tool: "file_read" },
  });
  const read = fileCall("file_read", "a");
  for (const tool of ["file_read", "file-read", "file*", "*"]) {
    expect(ruled(read, globally({ action: "allow", tool }))).toBe("allow");
    expect(ruled(served, globally({ action: "allow", tool }))).toBe("nothing");
    expect(ruled(served, globally({ action: "deny", tool }))).toBe("deny");
  }
  expect(ruled(served, globally({ action: "allow", mcp: "files/file_*" }))).toBe("allow");
  expect(ruled(served, globally({ action: "allow", mcp: "other/*" }))).toBe("nothing");
  expect(ruled(read, globally({ action: "deny", mcp: "*/*" }))).toBe("nothing");
});

const RISKS: RiskLevel[] = ["low", "medium", "high", "unknown"];
const TYPES = ["terminal", "file_edit", "file_create", "file_delete", "mcp_tool"];

/** `type risk` of everything that the mode asks about. */
const asked = (mode: ApprovalMode) =>
  TYPES.flatMap((type) =>
    RISKS.filter((risk) => asks(mode, type, risk)).map((risk) => `${type} ${risk}`),
  );
const all = TYPES.flatMap((type) => RISKS.map((risk) => `${type} ${risk}`));
const risky = all.filter((call) => /high|unknown/.test(call));

test("each mode asks about what it says", () => {
  expect(Object.keys(APPROVAL_MODES)).toHaveLength(4);
  expect(asked("default")).toEqual(risky);
  expect(asked("confirm_all")).toEqual(all);
  expect(asked("trust_all")).toEqual([]);
  expect(asked("auto_approve_edits").sort()).toEqual(
    [...new Set([...risky, "terminal low", "terminal medium"])].sort(),
  );
  const modes = Object.keys(APPROVAL_MODES) as ApprovalMode[];
  expect(modes.filter((mode) => asks(mode, "web_fetch", "low"))).toEqual([
    "default",
    "confirm_all",
    "auto_approve_edits",
  ]);
});
