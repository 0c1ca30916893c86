/** Deciding, asking and answering: order, counts, scopes, who wins, and how a question ends. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { approvalsPath, openApprovals } from "../../src/config/approvals.ts";
import { openPermissionRules } from "../../src/config/permission-rules.ts";
import { openTrustedProjects, trustProject } from "../../src/config/trusted-projects.ts";
import type { SessionId, ToolCallId } from "../../src/domain/ids.ts";
import type { ApprovalMode, ApprovalScope, StoredApproval } from "../../src/domain/permission.ts";
import { type Asking, type CheckedCall, Permissions } from "../../src/permissions/permissions.ts";
import { commandCall, fetchCall, fileCall, toolCall } from "../support/checked-call.ts";
import { recordedLog } from "../support/recorded-log.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

const never = new AbortController().signal;
const approve = (scope: ApprovalScope = "once") => ({ decision: "approve", scope }) as const;
const deny = { decision: "deny", scope: "once" } as const;

/** A session's permissions with real files; `shown` is what its clients saw. */
function session(fixture: ToolFixture, mode: ApprovalMode, more: Partial<Asking> = {}) {
  const { workspace, home } = fixture;
  const { log, lines } = recordedLog();
  const state = { mode, approvals: [] as StoredApproval[] };
  const stats = { total_checks: 0, auto_approved: 0, user_approved: 0, denied: 0, blocked: 0 };
  const shown: string[] = [];
  const rules = openPermissionRules({ home, log, trusted: openTrustedProjects(home, log) });
  const approvals = openApprovals(home, log).forProject(workspace);
  const permissions = new Permissions({
    mode: () => state.mode,
    setMode(changed) {
      state.mode = changed;
    },
    stats: () => stats,
    where: () => ({ workspace, project: workspace, home }),
    rules: () => rules.read(workspace),
    projectApprovals: () => approvals,
    approvals: () => state.approvals,
    remember: (approval) => void state.approvals.push(approval),
    log: () => log,
    attended: () => true,
    timeoutMs: () => 60_000,
    onRequest: ({ tool_id }) => shown.push(`asks ${tool_id}`),
    onGranted: ({ tool_id }, scope) => void shown.push(`grants ${tool_id} ${scope}`),
    onDenied: ({ tool_id }, reason) => void shown.push(`denies ${tool_id} ${reason}`),
    ...more,
  });
  const check = (call: CheckedCall, signal = never) => permissions.check(call, signal);
  /** Checks the call and answers the question; null: there was none. */
  async function answering(call: CheckedCall, scope: ApprovalScope = "once") {
    const verdict = check(call);
    if (permissions.pending().length === 0) {
      await verdict;
      return null;
    }
    const applied = await permissions.answer(call.tool_id, approve(scope));
    await verdict;
    return applied.applied_scope;
  }
  /** Whether a call is asked about; the question is denied. */
  async function asks(call: CheckedCall) {
    const verdict = check(call);
    const asked = permissions.pending().length > 0;
    permissions.denyAll("cancelled");
    await verdict;
    return asked;
  }
  return { permissions, state, stats, shown, lines, check, answering, asks };
}

const withRules = (...rules: object[]) => ({ kollabor: { permissions: { rules } } });

test("counts add up over every way a call can end, and a denied rule shows no question", async () => {
  using fixture = toolFixture();
  fixture.write("home/.kollab/config.json", withRules({ action: "deny", command: "git push" }));
  const s = session(fixture, "default");
  const denied = s.check(toolCall("file_delete", { level: "high" }));
  s.permissions.denyAll("unattended");
  expect(await denied).toEqual({ allowed: false, reason: "Nobody is attached to approve it" });
  await s.answering(commandCall("rm -rf x", { level: "high" }));
  await s.check(commandCall("ls"));
  const before = s.shown.length;
  expect(await s.permissions.blocked(commandCall("git push"))).toBe(
    "Denied by a rule: command git push",
  );
  expect(s.stats.total_checks).toBe(3);
  expect(await s.check(commandCall("git push"))).toEqual({
    allowed: false,
    reason: "Denied by a rule: command git push",
    blocked: true,
  });
  expect(s.shown).toHaveLength(before);
  expect(s.stats).toEqual({
    total_checks: 4,
    auto_approved: 1,
    user_approved: 1,
    denied: 1,
    blocked: 1,
  });
});

test("deny wins over trust_all, and a rule that is not understood asks even there", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "trust_all");
  expect(await s.check(commandCall("rm -rf /", { level: "high" }))).toMatchObject({
    allowed: true,
  });
  fixture.write(
    "home/.kollab/config.json",
    withRules({ action: "deny", path: "**/*.key", reason: "keys stay where they are" }),
  );
  expect(await s.check(fileCall("file_read", "a/b.key"))).toEqual({
    allowed: false,
    reason: "Denied by a rule: keys stay where they are",
    blocked: true,
  });
  expect(await s.asks(fileCall("file_read", "a"))).toBe(false);
  fixture.write("home/.kollab/config.json", withRules({ action: "deny", pth: "x" }));
  expect(await s.asks(fileCall("file_read", "a"))).toBe(true);
});

test("a cloned repository that allows itself everything is asked about as any other, until it is trusted", async () => {
  using fixture = toolFixture();
  const file = fixture.write(
    "ws/.kollab/config.json",
    withRules({ action: "allow", tool: "*" }, { action: "deny", command: "make deploy" }),
  );
  const s = session(fixture, "confirm_all");
  expect(await s.asks(commandCall("make x"))).toBe(true);
  expect(await s.asks(fileCall("file_read", "a"))).toBe(true);
  expect(await s.permissions.blocked(commandCall("make deploy"))).not.toBeNull();
  trustProject(fixture.home, file);
  expect(await s.asks(commandCall("make x"))).toBe(false);
  expect(await s.permissions.blocked(commandCall("make deploy"))).not.toBeNull();
  fixture.write("ws/.kollab/config.json", withRules({ action: "allow", tool: "?*" }));
  expect(await s.asks(commandCall("make x"))).toBe(true);
});

test("scope session: the same command runs unasked, joined to another it asks again", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "confirm_all");
  expect(await s.answering(commandCall("npm run test"), "session")).toBe("session");
  expect(s.state.approvals).toEqual([{ key: "terminal:npm run test", level: "medium" }]);
  expect(await s.check(commandCall("npm run test"))).toEqual({
    allowed: true,
    reason: "Approved before: terminal:npm run test",
  });
  expect(await s.asks(commandCall("npm run test && curl x | sh"))).toBe(true);
  expect(await s.asks(commandCall("npm run test", { level: "high" }))).toBe(true);
});

test("a rule and approvals together allow a list", async () => {
  using fixture = toolFixture();
  fixture.write("home/.kollab/config.json", withRules({ action: "allow", command: "git add" }));
  const s = session(fixture, "confirm_all");
  await s.answering(commandCall("git commit"), "session");
  expect(await s.asks(commandCall("git add . && git commit"))).toBe(false);
  expect(await s.asks(commandCall("git add . && git rebase"))).toBe(true);
  expect(await s.asks(commandCall("git add . | git commit"))).toBe(true);
});

test("what a rule asks about is asked each time, whatever was approved", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "default");
  fixture.write("home/.kollab/config.json", withRules({ action: "ask", command: "npm publish" }));
  const call = commandCall("npm publish");
  const verdict = s.check(call);
  const [request] = s.permissions.pending();
  expect(request?.risk_reason).toBe(
    "as the test says. Asked because of a rule: command npm publish",
  );
  expect(request?.suggested_scopes.map(({ scope }) => scope)).toEqual(["once"]);
  expect(await s.permissions.answer(call.tool_id, approve("session"))).toEqual({
    applied_scope: "once",
    persisted: false,
  });
  await verdict;
  expect(s.state.approvals).toEqual([]);
});

test("scope project is written to the project's file before it counts, for that project only", async () => {
  using fixture = toolFixture();
  using elsewhere = toolFixture();
  const s = session(fixture, "confirm_all");
  const call = commandCall("git status");
  const verdict = s.check(call);
  expect(await s.permissions.answer(call.tool_id, approve("project"))).toEqual({
    applied_scope: "project",
    persisted: true,
  });
  await verdict;
  const path = approvalsPath(fixture.home, fixture.workspace);
  expect(JSON.parse(readFileSync(path, "utf8")).approved_keys).toEqual(["terminal:git status"]);
  expect(await session(fixture, "confirm_all").asks(commandCall("git status -s"))).toBe(false);
  const other = { ...elsewhere, home: fixture.home };
  expect(await session(other, "confirm_all").asks(commandCall("git status"))).toBe(true);
});

test("an approval that cannot be written is an error, and the question waits on", async () => {
  using fixture = toolFixture();
  const path = approvalsPath(fixture.home, fixture.workspace);
  fixture.write(path.slice(fixture.path.length + 1), "{ broken");
  const s = session(fixture, "confirm_all");
  const call = commandCall("git status");
  const verdict = s.check(call);
  const failure = await s.permissions.answer(call.tool_id, approve("project")).catch((e) => e);
  expect(failure).toMatchObject({ code: "config_invalid" });
  expect(s.permissions.pending()).toHaveLength(1);
  expect(await s.permissions.answer(call.tool_id, approve())).toMatchObject({ persisted: false });
  expect((await verdict).allowed).toBe(true);
  expect(readFileSync(path, "utf8")).toBe("{ broken");
});

test("of two answers at once the first counts, also while it is being written", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "confirm_all");
  const call = commandCall("git status");
  const verdict = s.check(call);
  const results = await Promise.allSettled([
    s.permissions.answer(call.tool_id, approve("project")),
    s.permissions.answer(call.tool_id, deny),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(results[1]).toMatchObject({ reason: { code: "not_found" } });
  expect((await verdict).allowed).toBe(true);
  await expect(s.permissions.answer(call.tool_id, deny)).rejects.toMatchObject({
    code: "not_found",
  });
  expect(s.shown).toEqual([`asks ${call.tool_id}`, `grants ${call.tool_id} project`]);
});

test("a scope that does not fit is refused and the question waits on", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "confirm_all");
  const command = commandCall("ls");
  const verdict = s.check(command);
  for (const scope of ["always_edits", "trust_tool"] as const)
    await expect(s.permissions.answer(command.tool_id, approve(scope))).rejects.toMatchObject({
      code: "bad_request",
    });
  expect(s.permissions.pending().map(({ tool_id }) => tool_id)).toEqual([command.tool_id]);
  // With a denial nobody looks at it.
  await s.permissions.answer(command.tool_id, { decision: "deny", scope: "trust_tool" });
  expect(await verdict).toEqual({ allowed: false, reason: "User denied" });
});

test("always_edits and trust_tool do what they say, for this session", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "confirm_all");
  expect(await s.answering(fetchCall("a.example"), "trust_tool")).toBe("trust_tool");
  expect(await s.asks(fetchCall("b.example"))).toBe(false);
  expect(await s.answering(fileCall("file_edit", "a"), "always_edits")).toBe("always_edits");
  expect(s.state.mode).toBe("auto_approve_edits");
  for (const tool of ["file_create", "file_append", "file_insert_after", "apply_patch"])
    expect(await s.asks(fileCall(tool, "b"))).toBe(false);
  expect(await s.asks(commandCall("ls"))).toBe(true);
  expect(await s.asks(toolCall("file_delete", { level: "high" }))).toBe(true);
});

test("no scope makes a dangerous call count for later", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "confirm_all");
  for (const scope of ["session", "project"] as const)
    expect(await s.answering(commandCall("rm -rf x", { level: "high" }), scope)).toBe("once");
  expect(await s.answering(toolCall("file_edit", { level: "unknown" }), "always_edits")).toBe(
    "once",
  );
  expect(s.state).toEqual({ mode: "confirm_all", approvals: [] });
});

test("a mode that changes counts for the next call, not for the open question", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "confirm_all");
  const first = commandCall("ls");
  const verdict = s.check(first);
  s.state.mode = "trust_all";
  expect(s.permissions.pending()).toHaveLength(1);
  await s.permissions.answer(first.tool_id, deny);
  expect((await verdict).allowed).toBe(false);
  expect((await s.check(commandCall("ls"))).allowed).toBe(true);
});

test("a question ends by its time, by its signal, and at once with nobody there", async () => {
  using fixture = toolFixture();
  const timed = session(fixture, "confirm_all", { timeoutMs: () => 1 });
  expect(await timed.check(commandCall("ls"))).toEqual({
    allowed: false,
    reason: "Permission request timed out",
  });
  const stopped = session(fixture, "confirm_all");
  const stop = new AbortController();
  const verdict = stopped.check(commandCall("ls"), stop.signal);
  stop.abort();
  expect(await verdict).toEqual({ allowed: false, reason: "Cancelled by user" });
  const alone = session(fixture, "confirm_all", { attended: () => false });
  expect(await alone.check(commandCall("ls"))).toMatchObject({ allowed: false });
  for (const { permissions, shown } of [timed, stopped, alone]) {
    expect(permissions.pending()).toEqual([]);
    expect(shown.map((line) => line.split(" ")[0])).toEqual(["asks", "denies"]);
  }
});

test("an answer that comes as the question is shown is never too early", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "confirm_all", {
    onRequest({ tool_id }) {
      void s.permissions.answer(tool_id, approve());
      return 1;
    },
  });
  for (let nth = 0; nth < 200; nth++) expect((await s.check(commandCall("ls"))).allowed).toBe(true);
});

test("a check that fails denies, and says so in the log", async () => {
  using fixture = toolFixture();
  const s = session(fixture, "trust_all", {
    rules() {
      throw new Error("no rules");
    },
  });
  expect((await s.check(commandCall("ls"))).allowed).toBe(false);
  expect(await s.permissions.blocked(commandCall("ls"))).not.toBeNull();
  expect(s.stats).toMatchObject({ total_checks: 1, denied: 1 });
  expect(s.lines).toHaveLength(2);
});

/** A child whose questions its parent shows too, under an id of their own. */
function family(fixture: ToolFixture) {
  const parent = session(fixture, "confirm_all");
  const child = session(fixture, "confirm_all", {
    alsoAsk(prompt, answer) {
      const subagent = { session_id: "child" as SessionId, tool_id: prompt.tool_id };
      const tool_id = `parent_${prompt.tool_id}` as ToolCallId;
      return parent.permissions.relay({ ...prompt, tool_id, subagent }, answer).retract;
    },
  });
  return { parent, child };
}

test("a child's question is answered on its parent, with the child's scopes", async () => {
  using fixture = toolFixture();
  const { parent, child } = family(fixture);
  const verdict = child.check(commandCall("git status"));
  const [relayed] = parent.permissions.pending();
  expect(relayed).toMatchObject({ subagent: { session_id: "child" }, tool_name: "terminal" });
  const id = relayed!.tool_id;
  await expect(parent.permissions.answer(id, approve("trust_tool"))).rejects.toMatchObject({
    code: "bad_request",
  });
  expect(await parent.permissions.answer(id, approve("session"))).toEqual({
    applied_scope: "session",
    persisted: false,
  });
  expect((await verdict).allowed).toBe(true);
  expect(child.state.approvals).toHaveLength(1);
  expect(parent.shown).toEqual([`asks ${id}`, `grants ${id} session`]);
  expect([parent.permissions.pending(), child.permissions.pending()]).toEqual([[], []]);
  expect(parent.stats.total_checks).toBe(0);
});

test("a child's question that ends elsewhere ends on its parent, and the other way round", async () => {
  using fixture = toolFixture();
  const { parent, child } = family(fixture);
  const own = commandCall("ls");
  const first = child.check(own);
  await child.permissions.answer(own.tool_id, deny);
  await first;
  expect(parent.shown.at(-1)).toBe(`denies parent_${own.tool_id} user`);
  expect(parent.permissions.pending()).toEqual([]);

  const stop = new AbortController();
  const second = child.check(commandCall("ls"), stop.signal);
  stop.abort();
  await second;
  expect(parent.shown.at(-1)).toEndWith("cancelled");

  const third = child.check(commandCall("ls"));
  parent.permissions.denyAll("unattended");
  expect(await third).toEqual({ allowed: false, reason: "Nobody is attached to approve it" });
  expect(child.shown.at(-1)).toEndWith("unattended");
  expect([...parent.lines, ...child.lines]).toEqual([]);
});

test("of an answer to the child and one to its parent one counts", async () => {
  using fixture = toolFixture();
  const { parent, child } = family(fixture);
  const call = commandCall("git status");
  const verdict = child.check(call);
  const results = await Promise.allSettled([
    child.permissions.answer(call.tool_id, approve("project")),
    parent.permissions.answer(`parent_${call.tool_id}` as ToolCallId, deny),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect((await verdict).allowed).toBe(true);
  expect(parent.shown.at(-1)).toBe(`grants parent_${call.tool_id} project`);
  expect(parent.permissions.pending()).toEqual([]);
});

test("an answer that came in time counts, however long it takes to store", async () => {
  using fixture = toolFixture();
  const stored = Promise.withResolvers<void>();
  const slow = { keys: () => [], add: () => stored.promise, remove: async () => {} };
  const s = session(fixture, "confirm_all", { timeoutMs: () => 20, projectApprovals: () => slow });
  const call = commandCall("ls");
  const verdict = s.check(call);
  const answered = s.permissions.answer(call.tool_id, approve("project"));
  await Bun.sleep(40);
  stored.resolve();
  expect(await answered).toEqual({ applied_scope: "project", persisted: true });
  expect((await verdict).allowed).toBe(true);
});

test("where it cannot be stored by then, the time is up", async () => {
  using fixture = toolFixture();
  const stored = Promise.withResolvers<void>();
  const broken = { keys: () => [], add: () => stored.promise, remove: async () => {} };
  const s = session(fixture, "confirm_all", {
    timeoutMs: () => 20,
    projectApprovals: () => broken,
  });
  const call = commandCall("ls");
  const verdict = s.check(call);
  const answered = s.permissions.answer(call.tool_id, approve("project"));
  await Bun.sleep(40);
  stored.reject(new Error("disk full"));
  await expect(answered).rejects.toThrow("disk full");
  expect(await verdict).toEqual({ allowed: false, reason: "Permission request timed out" });
});
