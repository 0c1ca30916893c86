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
