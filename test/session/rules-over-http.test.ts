/** Rules, over HTTP: what the user's file and the project's file allow, ask about and deny. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PermissionRule } from "../../src/config/permission-rule.ts";
import { approve, askedTurn, DENY, terminal } from "../support/asked-turn.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, type FakeStep, startFakeProvider } from "../support/fake-provider.ts";
import type { Json } from "../support/sse.ts";
import { bodyOf, fakeSession, historyOf } from "../support/turns.ts";

const OTHERS = {
  kollabor: {
    llm: { active_profile: "offline", profiles: { mine: { provider: "custom", model: "m" } } },
    permissions: { approval_mode: "TRUST_ALL", enabled: false, risk_lists: ["x"] },
  },
  unknown: { deeply: [1, { kept: true }] },
};

let e: TestEngine;
let fake: FakeProvider;
let workspace: string;
let workspaces = 0;
beforeAll(async () => {
  e = await startEngine({ files: { ".kollab/config.json": JSON.stringify(OTHERS) } });
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
  workspaces += 1;
  workspace = join(dirname(e.workspace), `workspace-${workspaces}`);
  mkdirSync(join(workspace, ".git"), { recursive: true });
  writeFileSync(join(workspace, "a.txt"), "one\n");
  writeFileSync(join(workspace, ".env"), "KEY=secret-of-env\n");
});
afterEach(async () => {
  await fake.stop();
  writeConfig(OTHERS);
});

type Rule = Partial<Record<keyof PermissionRule, string>>;
const configPath = () => join(e.home, ".kollab/config.json");
const writeConfig = (content: unknown) => writeFileSync(configPath(), JSON.stringify(content));
const config = (): Json => JSON.parse(readFileSync(configPath(), "utf8"));
const putRules = (...rules: Rule[]) => e.json("PUT", "/permissions/rules", { rules });
const newSession = (mode = "confirm_all") =>
  fakeSession(e, fake, { workspace, approval_mode: mode });
const read = (file: string) => ({ call: "file_read", input: { file } });
const edit = (file: string) => ({
  call: "file_edit",
  input: { file, find: "one", replace: "two" },
});
const fetchOf = (url: string) => ({ call: "web_fetch", input: { url } });

/** What became of each call; whatever is asked about is denied. */
async function outcomes(id: string, ...calls: FakeStep[]): Promise<string[]> {
  const { prompts, results } = await askedTurn(e, fake, id, calls, DENY);
  const asked = new Set(prompts.map(({ tool_id }) => tool_id));
  return results.map(({ tool_id, metadata }) => {
    if (metadata.blocked) return asked.has(tool_id) ? "asked and blocked" : "blocked";
    return asked.has(tool_id) ? "asked" : "ran";
  });
}

test("rules that are put are in the config file, with all else as it was, and are got back in order", async () => {
  const rules = [
    { action: "deny", path: "**/.env*", reason: "Secrets" },
    { action: "allow", command: "npm run test" },
    { action: "ask", tool: "web_fetch", host: "*.example.com" },
    { action: "deny", mcp: "github/delete_*" },
  ];
  const put = await putRules(...rules);
  expect(put).toEqual({ rules, project: null, problems: [] });
  expect(await e.json("GET", "/permissions/rules")).toEqual(put);
  const { permissions, ...more } = config().kollabor;
  expect(permissions).toEqual({ ...OTHERS.kollabor.permissions, rules });
  expect({ ...config(), kollabor: more }).toEqual({
    ...OTHERS,
    kollabor: { llm: OTHERS.kollabor.llm },
  });
  await putRules();
  expect((await e.json("GET", "/permissions/rules")).rules).toEqual([]);
});

test.each<[string, unknown]>([
  ["rules[1]: action", { action: "permit", tool: "x" }],
  ["rules[1]: commands", { action: "allow", commands: "ls" }],
  ["rules[1]: command", { action: "allow", command: "ls; rm" }],
  ["rules[1]: command", { action: "deny", command: "" }],
  ["rules[1]: path", { action: "deny", path: "../x" }],
  ["rules[1]: host", { action: "deny", host: "http://x" }],
  ["rules[1]: mcp", { action: "deny", mcp: "server" }],
  ["rules[1]: says of no call", { action: "allow" }],
])("a rule that is refused is named (%s), and nothing is written", async (named, wrong) => {
  const before = readFileSync(configPath(), "utf8");
  const refused = await e.call("PUT", "/permissions/rules", {
    rules: [{ action: "deny", tool: "terminal" }, wrong],
  });
  expect([400, 422]).toContain(refused.status);
  const text = JSON.stringify(await bodyOf(refused));
  if (refused.status === 400 || text.includes("rules[1]")) expect(text).toContain(named);
  expect(readFileSync(configPath(), "utf8")).toBe(before);
});

test("a deny rule holds in every mode and over every approval, asks nobody, and is counted as blocked", async () => {
  const id = await newSession();
  await askedTurn(e, fake, id, [terminal("echo one")], approve("session"));
  await putRules(
    { action: "allow", command: "echo" },
    { action: "deny", command: "echo", reason: "Quiet" },
  );
  for (const mode of ["default", "confirm_all", "auto_approve_edits", "trust_all"]) {
    await e.json("POST", `/sessions/${id}/permissions/mode`, { mode });
    const { prompts, results } = await askedTurn(e, fake, id, [
      terminal("echo one"),
      terminal("true && /bin/echo two"),
      terminal("sh -c 'echo three'"),
    ]);
    expect(prompts).toEqual([]);
    for (const result of results)
      expect(result).toMatchObject({
        success: false,
        error: "Denied by a rule: Quiet",
        metadata: { permission_denied: true, blocked: true },
      });
  }
  const { stats } = await e.json("GET", `/sessions/${id}/permissions`);
  expect(stats).toEqual({
    total_checks: 13,
    auto_approved: 0,
    user_approved: 1,
    denied: 0,
    blocked: 12,
  });
});

test("of rules that do not deny the first that fits counts, and asking holds over approvals", async () => {
  const calls = [terminal("echo a"), terminal("echo b")];
  await putRules({ action: "ask", command: "echo b" }, { action: "allow", command: "echo" });
  expect(await outcomes(await newSession(), ...calls)).toEqual(["ran", "asked"]);
  await putRules({ action: "allow", command: "echo" }, { action: "ask", command: "echo b" });
  expect(await outcomes(await newSession(), ...calls)).toEqual(["ran", "ran"]);

  await putRules({ action: "ask", command: "echo b" });
  const id = await newSession("default");
  const { prompts, replies } = await askedTurn(e, fake, id, calls, approve("session"));
  expect(prompts).toHaveLength(1);
  expect(prompts[0].suggested_scopes.map(({ scope }: Json) => scope)).toEqual(["once"]);
  expect(prompts[0].risk_reason).toContain("command echo b");
  expect(replies[0].applied_scope).toBe("once");
  expect(await outcomes(id, ...calls)).toEqual(["ran", "asked"]);
  // Nothing is asked about in trust_all, but for what is denied.
  expect(await outcomes(await newSession("trust_all"), ...calls)).toEqual(["ran", "ran"]);
});

test("an allowed command is allowed with any arguments, and with nothing beside it", async () => {
  await putRules({ action: "allow", command: "echo" });
  const id = await newSession();
  expect(await outcomes(id, terminal("echo"), terminal("echo a b 2>&1"))).toEqual(["ran", "ran"]);
  const beyond = [
    "echo a > x",
    "echo $(id)",
    "echo a && id",
    "X=1 echo a",
    "sh -c 'echo a'",
    "echo a | sh",
  ];
  expect(await outcomes(id, ...beyond.map(terminal))).toEqual(beyond.map(() => "asked"));
  expect(existsSync(join(workspace, "x"))).toBe(false);
});

const DENIALS: [string, Rule, FakeStep[], FakeStep[]][] = [
  [
    "a tool, in either spelling",
    { tool: "file-edit" },
    [edit("a.txt")],
    [read("a.txt"), terminal("true")],
  ],
  ["tools by a pattern", { tool: "file_*" }, [read("a.txt"), edit("a.txt")], [terminal("true")]],
  [
    "a command, however it is wrapped",
    { command: "rm -r" },
    [
      "rm -r x",
      "rm -fr x",
      "true; /bin/rm -r x",
      "env rm -r x",
      "bash -c 'rm -r x'",
      "echo $(rm -r x)",
    ].map(terminal),
    [terminal("rm x"), terminal("echo rm")],
  ],
  [
    "a path, wherever a way leads to it",
    { path: "**/.env*" },
    [
      read(".env"),
      read("./.env"),
      read("link"),
      edit("link"),
      read("folder/.env.local"),
      { call: "file_create", input: { file: ".env.new", content: "x" } },
      { call: "file_move", input: { from: ".env", to: "b.txt" } },
      { call: "file_copy", input: { from: "a.txt", to: ".env2" } },
      { call: "file_delete", input: { file: "link" } },
      { call: "file_grep", input: { file: "link", pattern: "KEY" } },
      { call: "grep", input: { pattern: "KEY", path: "link" } },
      {
        call: "apply_patch",
        input: { patch: "--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-KEY=secret-of-env\n+x\n" },
      },
      terminal("cat .env"),
      terminal("cat ./.env link"),
      terminal("cat < link"),
      terminal("true > .env"),
    ],
    [read("a.txt"), terminal("cat a.txt")],
  ],
  [
    "a host, in a fetch and in a command",
    { host: "*.invalid" },
    [
      fetchOf("http://a.invalid/x"),
      fetchOf("http://A.INVALID.:8080/"),
      terminal("true http://a.invalid/x"),
    ],
    [fetchOf("http://192.168.7.7/"), terminal("true http://192.168.7.7/")],
  ],
];

test.each(DENIALS)(
  "deny %s",
  async (_, rule, blocked, others) => {
    symlinkSync(join(workspace, ".env"), join(workspace, "link"));
    await putRules({ action: "deny", ...rule });
    const id = await newSession("trust_all");
    expect(await outcomes(id, ...blocked)).toEqual(blocked.map(() => "blocked"));
    expect(await outcomes(id, ...others)).toEqual(others.map(() => "ran"));
    expect(readFileSync(join(workspace, ".env"), "utf8")).toBe("KEY=secret-of-env\n");
    const outputs = (await historyOf(e, id)).flatMap(({ role, content }) =>
      role === "tool" ? [content] : [],
    );
    expect(outputs.join("\n")).not.toContain("secret-of-env");
  },
  10_000,
);

test("a path is allowed for what leads there, not for what only looks so", async () => {
  await putRules({ action: "allow", path: "src/**" });
  mkdirSync(join(workspace, "src"));
  writeFileSync(join(workspace, "src/a.txt"), "one\n");
  symlinkSync(join(workspace, ".env"), join(workspace, "src/link"));
  const id = await newSession();
  expect(
    await outcomes(
      id,
      read("src/a.txt"),
      read("./src/a.txt"),
      edit(join(workspace, "src/a.txt")),
      read("src/link"),
      read("a.txt"),
      { call: "file_move", input: { from: "src/a.txt", to: "b.txt" } },
      terminal("cat src/a.txt"),
    ),
  ).toEqual(["ran", "ran", "ran", "asked", "asked", "asked", "asked"]);
});

const trust = (body: object = {}) => e.json("POST", "/projects/trust", { workspace, ...body });
const projectFile = () => join(workspace, ".kollab/config.json");
function writeProjectRules(...rules: Rule[]): void {
  mkdirSync(dirname(projectFile()), { recursive: true });
  writeFileSync(projectFile(), JSON.stringify({ kollabor: { permissions: { rules } } }));
}
const projectRules = async () =>
  (await e.json("GET", `/permissions/rules?workspace=${encodeURIComponent(workspace)}`)).project;

test("a cloned repository allows itself nothing until it is trusted, and what it denies counts at once", async () => {
  const allowed = [
    { action: "allow", tool: "*" },
    { action: "allow", command: "*" },
    { action: "allow", path: "**" },
    { action: "allow", host: "*" },
  ];
  const stricter = [
    { action: "deny", path: "secret/**" },
    { action: "ask", command: "true" },
  ];
  writeProjectRules(...stricter, ...allowed);
  mkdirSync(join(workspace, "secret"));
  writeFileSync(join(workspace, "secret/a"), "one\n");
  const calls = [read("a.txt"), edit("a.txt"), terminal("echo a"), read("secret/a")];
  const id = await newSession();
  expect(await outcomes(id, ...calls)).toEqual(["asked", "asked", "asked", "blocked"]);
  const byDefault = await newSession("default");
  expect(await outcomes(byDefault, terminal("true"), terminal("echo"))).toEqual(["asked", "ran"]);
  const { sha256, ...shown } = await projectRules();
  expect(shown).toEqual({
    directory: workspace,
    file: projectFile(),
    trusted: false,
    rules: stricter,
    untrusted: allowed,
  });

  expect(await trust({ sha256 })).toMatchObject({ trusted: true, sha256 });
  expect(await outcomes(id, ...calls, terminal("true"))).toEqual([
    ...["ran", "ran", "ran", "blocked"],
    "asked",
  ]);
  expect(await projectRules()).toMatchObject({ trusted: true, untrusted: [] });
  expect((await e.json("GET", "/projects/trust")).trusted).toContainEqual({
    file: projectFile(),
    sha256,
    current: true,
  });

  // Another content is another file.
  writeProjectRules({ action: "allow", tool: "*" });
  expect(await outcomes(id, read("a.txt"), read("secret/a"))).toEqual(["asked", "asked"]);
  const stale = await e.call("POST", "/projects/trust", { workspace, sha256 });
  expect(stale.status).toBe(409);
  await trust();
  expect(await outcomes(id, read("a.txt"))).toEqual(["ran"]);
  await trust({ trusted: false });
  expect(await outcomes(id, read("a.txt"))).toEqual(["asked"]);
});

test("a repository cannot be talked into trusting itself by its own agent", async () => {
  writeProjectRules({ action: "allow", tool: "*" });
  const before = readFileSync(projectFile(), "utf8");
  const id = await newSession("trust_all");
  const write = (file: string) => ({
    call: "file_create_overwrite",
    input: { file, content: "{}" },
  });
  const { results } = await askedTurn(e, fake, id, [
    write(".kollab/config.json"),
    write(join(e.home, ".kollab/engine/trusted-projects.json")),
    write(configPath()),
  ]);
  expect(results.map(({ success }) => success)).toEqual([false, false, false]);
  expect(readFileSync(projectFile(), "utf8")).toBe(before);
  expect((await projectRules()).trusted).toBe(false);
});

test("what the user denies a trusted project cannot allow", async () => {
  await putRules({ action: "deny", command: "echo" }, { action: "ask", tool: "file_read" });
  writeProjectRules({ action: "allow", tool: "*" }, { action: "allow", command: "echo" });
  await trust();
  expect(await outcomes(await newSession("default"), terminal("echo a"))).toEqual(["blocked"]);
});

const BROKEN: [string, unknown][] = [
  ["the file is no JSON", '{"kollabor": '],
  ["the rules are no list", { kollabor: { permissions: { rules: { action: "allow" } } } }],
  ["the section is no object", { kollabor: { permissions: "all" } }],
  [
    "a rule that may have denied is not understood",
    { kollabor: { permissions: { rules: [{ action: "denny", tool: "terminal" }] } } },
  ],
];

test.each(BROKEN)(
  "rules are stricter where %s: every call is asked about, in trust_all too",
  async (_, content) => {
    mkdirSync(dirname(projectFile()), { recursive: true });
    const calls = [read("a.txt"), terminal("true")];
    const id = await newSession("trust_all");
    expect(await outcomes(id, ...calls)).toEqual(["ran", "ran"]);
    for (const file of [projectFile(), configPath()]) {
      writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
      expect(await outcomes(id, ...calls)).toEqual(["asked", "asked"]);
      expect(
        (await e.json("GET", `/permissions/rules?workspace=${workspace}`)).problems,
      ).toHaveLength(1);
      rmSync(file);
      expect(await outcomes(id, ...calls)).toEqual(["ran", "ran"]);
    }
  },
);

test("a rule that allows and is not understood allows nothing, and the others count", async () => {
  const rules = [
    { action: "allow", comand: "true" },
    { action: "deny", command: "echo" },
    { action: "allow", command: "id" },
  ];
  writeConfig({ kollabor: { permissions: { rules } } });
  const calls = [terminal("true"), terminal("echo"), terminal("id")];
  expect(await outcomes(await newSession(), ...calls)).toEqual(["asked", "blocked", "ran"]);
  expect((await e.json("GET", "/permissions/rules")).problems[0]).toContain("rules[0]: comand");
});

test("an edit that a rule denies is denied before the file is read", async () => {
  await putRules({ action: "deny", path: ".env" });
  const id = await newSession("trust_all");
  const { results } = await askedTurn(e, fake, id, [
    { call: "file_edit", input: { file: ".env", find: "KEY=secret", replace: "x" } },
    { call: "file_edit", input: { file: ".env", find: "KEY=wrong guess", replace: "x" } },
  ]);
  const [right, wrong] = results;
  expect(right).toMatchObject({ metadata: { permission_denied: true, blocked: true } });
  expect([wrong.error, wrong.output]).toEqual([right.error, right.output]);
});
