/** Rules about paths, over HTTP: what looks through folders passes over what they close, whatever changes files stays away from it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { approve, askedTurn, DENY } from "../support/asked-turn.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import type { Json } from "../support/sse.ts";
import { fakeSession } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
let workspace: string;
let workspaces = 0;
beforeAll(async () => {
  e = await startEngine();
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
  workspaces += 1;
  workspace = join(dirname(e.workspace), `closed-${workspaces}`);
  for (const file of ["src/a.txt", "secrets/key.txt", "src/deep/b.pem", "drafts/d.txt"]) {
    mkdirSync(dirname(join(workspace, file)), { recursive: true });
    writeFileSync(join(workspace, file), "hit\n");
  }
});
afterEach(() => fake.stop());

const putRules = (...rules: Record<string, string>[]) =>
  e.json("PUT", "/permissions/rules", { rules });
const newSession = (mode: string) => fakeSession(e, fake, { workspace, approval_mode: mode });
const grep = (path = ".") => ({ call: "grep", input: { pattern: "hit", path } });
const glob = { call: "glob", input: { pattern: "**/*.{txt,pem}" } };
const list = { call: "file_list", input: { depth: 3, all: true } };
const outputsOf = (results: Json[]) => results.map(({ output }) => output);

test("what rules deny is neither searched, found nor listed, and it is said that it was left out", async () => {
  await putRules(
    { action: "deny", path: "secrets/**" },
    { action: "deny", path: "*.PEM", tool: "file-*" },
    { action: "deny", path: join(workspace, "src/deep"), tool: "g*" },
    { action: "deny", path: "src/**", command: "cat" },
  );
  const id = await newSession("trust_all");
  const { results } = await askedTurn(e, fake, id, [grep(), glob, list, grep("secrets")], DENY);
  const [found, files, tree, refused] = outputsOf(results);
  expect(found).toBe(
    "drafts/d.txt:1:hit\nsrc/a.txt:1:hit\n\n" +
      "[2 matches in 2 files; 2 files searched; left out: 2 that a rule denies or asks about]",
  );
  expect(files.split("\n").slice(0, -2).sort()).toEqual(["drafts/d.txt", "src/a.txt"]);
  expect(files).toContain("left out: 2 that a rule denies or asks about");
  expect(tree).toBe(
    "./\n  drafts/\n    d.txt (4 B)\n  src/\n    deep/\n    a.txt (4 B)\n\n" +
      "[left out: 2 that a rule denies or asks about]",
  );
  expect(refused).toStartWith("Denied by a rule");
});

test("what rules ask about is left out where nobody was asked, and searched where somebody was", async () => {
  await putRules({ action: "ask", path: "secrets" }, { action: "allow", tool: "grep" });
  const id = await newSession("default");
  const asked = await askedTurn(e, fake, id, [grep(), grep("secrets")], approve());
  const [everywhere, there] = outputsOf(asked.results);
  expect(everywhere).not.toContain("secrets");
  expect(everywhere).toContain("left out: 1 that a rule denies or asks about");
  expect(asked.prompts.map(({ input }) => input.path)).toEqual(["secrets"]);
  expect(there).toStartWith("secrets/key.txt:1:hit");

  await e.json("POST", `/sessions/${id}/permissions/mode`, { mode: "trust_all" });
  const trusted = await askedTurn(e, fake, id, [grep()], DENY);
  expect(outputsOf(trusted.results)[0]).toContain("secrets/key.txt:1:hit");
});

test("rules that are too many for one search make it fail, with what to do", async () => {
  const wordy = Array.from({ length: 200 }, (_, index) => ({
    action: "deny",
    path: `${"x".repeat(900)}${index}`,
  }));
  await putRules(...wordy);
  const { results } = await askedTurn(e, fake, await newSession("trust_all"), [grep()], DENY);
  expect(results[0]).toMatchObject({
    success: false,
    error: "Too much to search for: make the pattern shorter, or the rules fewer",
  });
});

test("nothing changes what a rule denies, or takes a copy of it, by whatever name", async () => {
  symlinkSync("secrets", join(workspace, "link"));
  mkdirSync(join(workspace, "empty/inner"), { recursive: true });
  await putRules(
    { action: "deny", path: "secrets/**" },
    { action: "deny", path: "empty/inner/**" },
  );
  const patch = [
    "*** Begin Patch",
    "*** Update File: src/a.txt",
    "@@",
    "-hit",
    "+changed",
    "*** Add File: link/new.txt",
    "+new",
    "*** End Patch",
  ].join("\n");
  const rename =
    "diff --git a/secrets/key.txt b/src/key.txt\nsimilarity index 100%\n" +
    "rename from secrets/key.txt\nrename to src/key.txt\n";
  const calls = [
    { call: "file_copy", input: { from: "secrets/key.txt", to: "copy.txt" } },
    { call: "file_copy", input: { from: "link/key.txt", to: "copy.txt" } },
    { call: "file_copy_overwrite", input: { from: "link/key.txt", to: "src/a.txt" } },
    { call: "file_copy_overwrite", input: { from: "src/a.txt", to: "link/key.txt" } },
    { call: "file_move", input: { from: "link/key.txt", to: "src/key.txt" } },
    { call: "file_move", input: { from: "src/a.txt", to: "secrets/deep/a.txt" } },
    { call: "file_mkdir", input: { path: "link/folder" } },
    { call: "file_rmdir", input: { path: "empty/inner" } },
    { call: "file_delete", input: { file: "link/key.txt" } },
    { call: "apply_patch", input: { patch } },
    { call: "apply_patch", input: { patch: rename } },
  ];
  const { results } = await askedTurn(e, fake, await newSession("trust_all"), calls, DENY);
  expect(results.map(({ metadata }) => metadata.blocked)).toEqual(calls.map(() => true));
  expect(readFileSync(join(workspace, "src/a.txt"), "utf8")).toBe("hit\n");
  expect(readFileSync(join(workspace, "secrets/key.txt"), "utf8")).toBe("hit\n");
  for (const made of ["copy.txt", "src/key.txt", "secrets/deep", "secrets/folder"])
    expect(existsSync(join(workspace, made))).toBe(false);
  expect(existsSync(join(workspace, "empty/inner"))).toBe(true);
});
