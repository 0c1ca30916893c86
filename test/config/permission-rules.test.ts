/** Rules in the config files: what counts, and what a file that is not understood does. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openPermissionRules } from "../../src/config/permission-rules.ts";
import {
  forgetProject,
  openTrustedProjects,
  trustedProjects,
  trustProject,
} from "../../src/config/trusted-projects.ts";
import { recordedLog } from "../support/recorded-log.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const never = new AbortController().signal;
const GLOBAL = "home/.kollab/config.json";
const LOCAL = "project/.kollab/config.json";
const withRules = (rules: unknown) => ({ kollabor: { permissions: { rules } } });

function rulesIn(folder: TemporaryFolder) {
  const { log, lines } = recordedLog();
  const home = join(folder.path, "home");
  const files = openPermissionRules({ home, log, trusted: openTrustedProjects(home, log) });
  const project = join(folder.path, "project");
  return { ...files, read: () => files.read(project), home, project, lines };
}

const deny = { action: "deny", command: "git push", reason: "releases are made by CI" } as const;
const allow = { action: "allow", command: "npm test" } as const;

test("a project can forbid at once, and allow only while it is trusted as it is", () => {
  using folder = temporaryFolder();
  const rules = rulesIn(folder);
  folder.write(GLOBAL, withRules([deny]));
  const file = folder.write(LOCAL, withRules([{ action: "allow", tool: "*" }, allow, deny]));
  expect(rules.read()).toMatchObject({
    global: [deny],
    project: [deny],
    untrusted: [{ action: "allow", tool: "*" }, allow],
    trusted: false,
    problems: [],
    doubt: null,
  });
  const sha256 = trustProject(rules.home, file);
  expect(rules.read()).toMatchObject({ project: [{ tool: "*" }, allow, deny], trusted: true });
  expect(trustedProjects(rules.home)).toEqual([{ file, sha256, current: true }]);

  folder.write(LOCAL, withRules([allow, deny]));
  expect(rules.read()).toMatchObject({ project: [deny], trusted: false });
  expect(trustedProjects(rules.home)[0]?.current).toBe(false);
  expect(() => trustProject(rules.home, file, sha256)).toThrow("has changed");

  trustProject(rules.home, file);
  expect(rules.read().trusted).toBe(true);
  expect([forgetProject(rules.home, file), forgetProject(rules.home, file)]).toEqual([true, false]);
  expect(rules.read().trusted).toBe(false);
});

test.each([
  ["no JSON", "{"],
  ["no list", withRules({})],
  ["a section that is no object", { kollabor: { permissions: [] } }],
  ["a broken deny", withRules([{ ...deny, comand: "x" }])],
  ["a broken ask", withRules([{ action: "ask", path: 5 }])],
  ["an unknown action", withRules([{ action: "forbid", tool: "*" }])],
  ["a rule that is no object", withRules(["deny"])],
])("%s makes the engine ask about everything, wherever it stands", (_, content) => {
  for (const file of [GLOBAL, LOCAL]) {
    using folder = temporaryFolder();
    const rules = rulesIn(folder);
    const path = folder.write(file, content);
    expect(rules.read().doubt).toContain(path);
    expect(rules.read().problems).toHaveLength(1);
    expect(rules.lines).toHaveLength(1);
  }
});

test("a broken allow is left out, and nothing else changes", () => {
  using folder = temporaryFolder();
  const rules = rulesIn(folder);
  folder.write(GLOBAL, withRules([{ action: "allow", tool: "*", when: "night" }, allow, deny]));
  expect(rules.read()).toMatchObject({ global: [allow, deny], doubt: null });
  expect(rules.read().problems[0]).toContain("rules[0]: when: there is no such field");
});

test("without files nothing is ruled, and the user's own file is no project's", () => {
  using folder = temporaryFolder();
  const rules = rulesIn(folder);
  expect(rules.read()).toMatchObject({ global: [], project: [], trusted: false, doubt: null });
  folder.write(GLOBAL, withRules([allow]));
  const { log } = recordedLog();
  const files = openPermissionRules({
    home: rules.home,
    log,
    trusted: openTrustedProjects(rules.home, log),
  });
  expect(files.read(rules.home)).toMatchObject({ global: [allow], project: [], untrusted: [] });
});

test("the user's rules are replaced and the rest of the file stays", async () => {
  using folder = temporaryFolder();
  const rules = rulesIn(folder);
  const path = folder.write(GLOBAL, {
    kollabor: { permissions: { approval_mode: "x" }, llm: { a: 1 } },
    extra: "ü",
  });
  expect(await rules.replaceGlobal([deny, allow], never)).toEqual([deny, allow]);
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
    kollabor: { permissions: { approval_mode: "x", rules: [deny, allow] }, llm: { a: 1 } },
    extra: "ü",
  });
  expect(rules.read().global).toEqual([deny, allow]);
});

test.each<[unknown, string]>([
  [{}, "rules: must be a list"],
  [[deny, { action: "deny" }], "rules[1]: says of no call"],
  [[{ action: "block", tool: "x" }], "rules[0]: action:"],
  [[{ action: "deny", tool: "" }], "rules[0]: tool:"],
  [[{ action: "deny", tool: ["x"] }], "rules[0]: tool:"],
  [[{ action: "deny", tol: "x" }], "rules[0]: tol:"],
  [[{ action: "deny", command: "git push | sh" }], "rules[0]: command:"],
  [[{ action: "deny", command: "git * x" }], "rules[0]: command:"],
  [[{ action: "deny", path: "../x" }], "rules[0]: path:"],
  [[{ action: "deny", host: "https://example.com/" }], "rules[0]: host:"],
  [[{ action: "deny", host: "a*.com" }], "rules[0]: host:"],
  [[{ action: "deny", mcp: "server" }], "rules[0]: mcp:"],
  [[{ action: "deny", mcp: "a/b", path: "x" }], "rules[0]: mcp:"],
  [[{ action: "deny", tool: "x", reason: 5 }], "rules[0]: reason:"],
])("%j is refused with what is wrong, and nothing is written", async (wrong, problem) => {
  using folder = temporaryFolder();
  const rules = rulesIn(folder);
  const path = folder.write(GLOBAL, withRules([allow]));
  const failure = await rules.replaceGlobal(wrong, never).catch((error) => error);
  expect(failure).toMatchObject({ code: "invalid_request" });
  expect(failure.message).toStartWith(problem);
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(withRules([allow]));
});

test("every form of a rule is taken", async () => {
  using folder = temporaryFolder();
  const rules = [
    { action: "allow", command: "npm run test *" },
    { action: "ask", command: "*" },
    { action: "deny", path: "~/secrets/**" },
    { action: "deny", path: "**/*.pem", tool: "file-*" },
    { action: "allow", host: "*.example.com" },
    { action: "deny", host: "[::1]" },
    { action: "ask", mcp: "github/*" },
  ];
  expect(await rulesIn(folder).replaceGlobal(rules, never)).toEqual(rules as never);
});
