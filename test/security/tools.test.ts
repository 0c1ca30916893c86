/** File tools and commands against a repository and a model that mean harm. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { toolEnvironment, withGuardedGit } from "../../src/tools/environment.ts";
import { unifiedDiff } from "../../src/tools/file-changes.ts";
import { fileTools } from "../../src/tools/files.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

let f: ToolFixture;
beforeEach(() => {
  f = toolFixture();
});
afterEach(() => f[Symbol.dispose]());

test("a patch with very many anchors is worked out as fast as one with one", async () => {
  f.write("ws/long.txt", `${"a\n".repeat(100_000)}x\n`);
  const anchors = "@@ x\n".repeat(100_000);
  const patch = `*** Begin Patch\n*** Update File: long.txt\n${anchors}-x\n+y\n*** End Patch\n`;
  const startedAt = performance.now();
  const result = await f.run(fileTools(areaOf({ home: f.home })), "apply_patch", { patch });
  expect(result).toMatchObject({ ok: true });
  // Line by line for every anchor, it is minutes.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test("a diff shows a name whose characters turn the line around as what it is", async () => {
  const names = ["\u202egpj.exe", "a\u2066b", "a\u0085b", "a\u2028b", "plain ä.txt"];
  const changes = names.map((name) => ({
    path: join(f.workspace, name),
    before: null,
    after: { kind: "directory" as const },
  }));
  expect(await unifiedDiff(changes, f.workspace)).toBe(
    [
      'New directory: "\\u202egpj.exe"',
      'New directory: "a\\u2066b"',
      'New directory: "a\\u0085b"',
      'New directory: "a\\u2028b"',
      "New directory: plain ä.txt",
      "",
    ].join("\n"),
  );
});

test("a repository that was put together from files is not one for git in a command", () => {
  const own = Bun.spawnSync(["git", "init", "-q", f.workspace]);
  expect(own.exitCode).toBe(0);
  f.write("ws/x/HEAD", "ref: refs/heads/main\n");
  f.write("ws/x/objects/a", "");
  f.write("ws/x/refs/a", "");
  const settings = `[core]\n bare = false\n worktree = .\n fsmonitor = "touch ${f.outside}/ran; false"\n`;
  f.write("ws/x/config", settings);
  const env = withGuardedGit(toolEnvironment({ PATH: process.env.PATH, HOME: f.home }));
  const inside = Bun.spawnSync(["git", "status"], { cwd: join(f.workspace, "x"), env });
  expect(inside.stderr.toString()).toContain("safe.bareRepository");
  expect(Bun.spawnSync(["ls", f.outside]).stdout.toString()).toBe("");
  expect(Bun.spawnSync(["git", "status"], { cwd: f.workspace, env }).exitCode).toBe(0);
});

test("git settings that the user has in the environment stay", () => {
  const own = {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "user.name",
    GIT_CONFIG_VALUE_0: "x",
  };
  expect(withGuardedGit(own)).toEqual({
    ...own,
    GIT_CONFIG_COUNT: "2",
    GIT_CONFIG_KEY_1: "safe.bareRepository",
    GIT_CONFIG_VALUE_1: "explicit",
  });
  expect(withGuardedGit({ GIT_CONFIG_COUNT: "x" })).toEqual({ GIT_CONFIG_COUNT: "x" });
});
