import { expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunId } from "../../src/domain/ids.ts";
import { fileTools } from "../../src/tools/files.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { checkpointFixture } from "../support/checkpoints.ts";

test("whatever the file tools do in a turn, undo brings back the tree, and its undo what they did", async () => {
  await using f = await checkpointFixture();
  f.write("ws/README.md", "one\ntwo\nthree\n");
  f.write("ws/src/a.ts", "const a = 1;\n");
  f.write("ws/src/b.ts", "const b = 1;\n");
  f.write("ws/src/old/c.ts", "const c = 1;\n");
  f.write("ws/src/a.ts.bak", "an older backup\n");
  const before = treeOf(f.workspace);

  const tools = fileTools(areaOf({ home: f.home }));
  const base = f.context();
  const session = {
    ...base.session,
    changing: (changes: Parameters<typeof base.session.changing>[0]) =>
      f.checkpoints.changing("run_1" as RunId, changes),
  };
  const calls: [string, Record<string, unknown>][] = [
    ["file_edit", { file: "src/a.ts", find: "1", replace: "2" }],
    ["file_edit", { file: "src/a.ts", find: "2", replace: "3" }],
    ["file_create", { file: "new/deep/d.ts", content: "d" }],
    ["file_append", { file: "new/deep/d.ts", content: "d" }],
    ["file_move", { from: "src/b.ts", to: "moved/b.ts" }],
    ["file_copy", { from: "README.md", to: "copy.md" }],
    ["file_delete", { file: "src/old/c.ts" }],
    ["file_create_overwrite", { file: "README.md", content: "all new\n" }],
    ["file_insert_after", { file: "README.md", pattern: "all new", content: "more" }],
    ["apply_patch", { patch: PATCH }],
    ["file_mkdir", { path: "empty" }],
    ["file_mkdir", { path: "gone" }],
    ["file_rmdir", { path: "gone" }],
  ];
  for (const [name, input] of calls) {
    const tool = tools.find((each) => each.name === name)!;
    const result = await tool.run(input, { ...base, session });
    expect([name, result.ok, result.error]).toEqual([name, true, undefined]);
  }
  const after = treeOf(f.workspace);
  expect(after).not.toEqual(before);

  const [checkpoint] = await f.checkpoints.list();
  const undone = await f.restore(checkpoint!.id);
  expect(treeOf(f.workspace)).toEqual(before);
  await f.restore(undone.checkpoint!);
  expect(treeOf(f.workspace)).toEqual(after);
});

test("backups and directories on the way come along: shown when asked for, and undone with the rest", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "one\n");
  f.write("ws/b.txt", "b\n");
  const tools = fileTools(areaOf({ home: f.home }));
  const base = f.context();
  const run = async (name: string, input: Record<string, unknown>) => {
    const session = {
      ...base.session,
      changing: (changes: Parameters<typeof base.session.changing>[0]) =>
        f.checkpoints.changing("run_1" as RunId, changes),
    };
    const result = await tools.find((each) => each.name === name)!.run(input, { ...base, session });
    expect(result.error).toBeUndefined();
  };
  await run("apply_patch", { patch: MAKING });
  await run("file_move", { from: "b.txt", to: "moved/b.txt" });
  const [summary] = await f.checkpoints.list();
  const id = summary!.id;
  expect(f.events).toMatchObject([{ type: "checkpoint", files: ["a.txt", "deep/er/new.txt"] }]);
  const weights = Object.fromEntries(summary!.files.map(({ path, aside }) => [path, aside]));
  expect(weights).toEqual({
    deep: true,
    "deep/er": true,
    "a.txt.bak": true,
    "a.txt": false,
    "deep/er/new.txt": false,
    moved: true,
    "b.txt": false,
    "moved/b.txt": false,
  });
  const filesIn = (diff: string) =>
    [...diff.matchAll(/^(?:diff --git a\/(\S+) |New directory: (\S+)$)/gm)].map(
      ([, a, b]) => a ?? b,
    );
  expect(filesIn(await f.checkpoints.diff(id)).sort()).toEqual([
    "a.txt",
    "b.txt",
    "deep/er/new.txt",
    "moved/b.txt",
  ]);
  expect(filesIn(await f.checkpoints.diff(id, ["a.txt.bak"]))).toEqual(["a.txt.bak"]);

  const undone = await f.restore(id);
  expect(readdirSync(f.workspace).sort()).toEqual(["a.txt", "b.txt"]);
  const files = f.events.flatMap((event) => (event.type === "checkpoint" ? [event.files] : []));
  expect(files[1]!.sort()).toEqual(["a.txt", "b.txt", "deep/er/new.txt", "moved/b.txt"]);
  await f.restore(undone.checkpoint!);
  expect(readdirSync(f.workspace).sort()).toEqual(["a.txt", "a.txt.bak", "deep", "moved"]);

  // What the turn changes for its own sake counts as such, whatever came before.
  await run("file_append", { file: "a.txt.bak", content: "mine" });
  const [, , turn] = await f.checkpoints.list();
  expect(turn!.files.find(({ path }) => path === "a.txt.bak")).toMatchObject({ aside: false });
});

const MAKING = `--- a/a.txt
+++ b/a.txt
@@ -1 +1 @@
-one
+two
--- /dev/null
+++ b/deep/er/new.txt
@@ -0,0 +1 @@
+new
`;

const PATCH = `--- a/src/a.ts
+++ b/src/a.ts
@@ -1 +1 @@
-const a = 3;
+const a = 4;
--- a/copy.md
+++ /dev/null
@@ -1,3 +0,0 @@
-one
-two
-three
--- /dev/null
+++ b/patched/e.ts
@@ -0,0 +1 @@
+e
`;

/** Every path with its permission bits, and its content. */
function treeOf(directory: string): Record<string, string> {
  const paths = readdirSync(directory, { recursive: true }).map(String).sort();
  return Object.fromEntries(
    paths.map((path) => {
      const status = lstatSync(join(directory, path));
      const content = status.isFile() ? readFileSync(join(directory, path), "utf8") : "";
      return [path, `${(status.mode & 0o7777).toString(8)} ${content}`];
    }),
  );
}
