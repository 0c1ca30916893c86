import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import type { Tool } from "../../src/domain/tool.ts";
import { applyPatch } from "../../src/tools/apply-patch.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

let fixture: ToolFixture;
let tools: Tool[];

beforeEach(() => {
  fixture = toolFixture();
  tools = [applyPatch(areaOf({ home: fixture.home }))];
});
afterEach(() => fixture[Symbol.dispose]());

const at = (path: string) => join(fixture.workspace, path);
const put = (path: string, content: string) => fixture.write(join("ws", path), content);
const textAt = (path: string) => readFileSync(at(path), "utf8");
const patch = (text: string) => fixture.run(tools, "apply_patch", { patch: text });
const names = () =>
  readdirSync(fixture.workspace, { recursive: true })
    .map(String)
    .filter((name) => !name.endsWith(".bak"))
    .sort();

const TEN = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
const FIVE = "--- a/f\n+++ b/f\n@@ -3,5 +3,5 @@\n 3\n 4\n-5\n+five\n 6\n 7\n";
const hunk = (body: string, header = "@@ -1 +1 @@") => `--- a/f\n+++ b/f\n${header}\n${body}`;
const envelope = (body: string) => `*** Begin Patch\n${body}\n*** End Patch`;
const fived = TEN.replace("5", "five");

type Case = [name: string, before: string, patch: string, after: string];

const UNIFIED: Case[] = [
  ["a plain one", TEN, FIVE, fived],
  [
    "git's headers and a message before them",
    TEN,
    `A message\n\ndiff --git a/f b/f\nindex 1..2 100644\n${FIVE}`,
    fived,
  ],
  [
    "paths without a/ and b/, and times after them",
    TEN,
    FIVE.replace("a/f", "f\t2024-01-01 00:00").replace("b/f", "f\t2024"),
    fived,
  ],
  ["an absolute path in the workspace", TEN, "ABSOLUTE", fived],
  ["a section after the numbers", TEN, FIVE.replace("@@\n", "@@ function five() {\n"), fived],
  ["numbers that are off", TEN, FIVE.replace("-3,5 +3,5", "-9,5 +9,5"), fived],
  ["counts that are wrong", TEN, FIVE.replace("-3,5 +3,5", "-3,9 +3,2"), fived],
  ["no numbers at all", TEN, FIVE.replace("@@ -3,5 +3,5 @@", "@@"), fived],
  ["dots for numbers", TEN, FIVE.replace("@@ -3,5 +3,5 @@", "@@ ... @@"), fived],
  ["a fence around it", TEN, `\`\`\`diff\n${FIVE}\`\`\`\n`, fived],
  ["no break at its end", TEN, FIVE.trimEnd(), fived],
  ["blank lines at its end", TEN, `${FIVE}\n\n`, fived],
  ["the signature of a mail after it", TEN, `${FIVE}-- \n2.40.0\n`, fived],
  ["CRLF line ends throughout", TEN, FIVE.replaceAll("\n", "\r\n"), fived],
  [
    "a file with CRLF line ends, and a patch without",
    TEN.replaceAll("\n", "\r\n"),
    FIVE,
    fived.replaceAll("\n", "\r\n"),
  ],
  [
    "a file with CRLF line ends, and body lines with them",
    TEN.replaceAll("\n", "\r\n"),
    FIVE.replace(/^([ +-]\w+)$/gm, "$1\r"),
    fived.replaceAll("\n", "\r\n"),
  ],
  [
    "empty context lines without their space",
    "a\n\nb\n",
    hunk(" a\n\n-b\n+c\n", "@@ -1,3 +1,3 @@"),
    "a\n\nc\n",
  ],
  [
    "two hunks, the second by its old number",
    TEN,
    `${hunk(" 1\n+1a\n+1b\n 2\n", "@@ -1,2 +1,4 @@")}@@ -9,2 +11,2 @@\n 9\n-10\n+ten\n`,
    "1\n1a\n1b\n2\n3\n4\n5\n6\n7\n8\n9\nten\n",
  ],
  [
    "a hunk of new lines only, by its number",
    TEN,
    hunk("+new\n", "@@ -2,0 +3 @@"),
    TEN.replace("2\n", "2\nnew\n"),
  ],
  ["new lines at the beginning", TEN, hunk("+new\n", "@@ -0,0 +1 @@"), `new\n${TEN}`],
  [
    "removed lines that look like a header",
    "-- a\n-- b\nc\n",
    hunk("--- a\n--- b\n c\n", "@@ -1,3 +1,1 @@"),
    "c\n",
  ],
  [
    "removed and added lines that look like headers",
    "-- a\nc\n",
    hunk("--- a\n+++ b\n c\n", "@@ -1,2 +1,2 @@"),
    "++ b\nc\n",
  ],
  [
    "a last line without a break that stays",
    "a\nb",
    hunk("-a\n+x\n b\n\\ No newline at end of file\n", "@@ -1,2 +1,2 @@"),
    "x\nb",
  ],
  [
    "a last line that gets a break",
    "a\nb",
    hunk(" a\n-b\n\\ No newline at end of file\n+b\n", "@@ -1,2 +1,2 @@"),
    "a\nb\n",
  ],
  [
    "a last line that loses its break",
    "a\nb\n",
    hunk(" a\n-b\n+b\n\\ No newline at end of file\n", "@@ -1,2 +1,2 @@"),
    "a\nb",
  ],
  [
    "a line after a last one without a break",
    "a\nb",
    hunk(" a\n b\n+c\n", "@@ -1,2 +1,3 @@"),
    "a\nb\nc\n",
  ],
  [
    "the last line of one without a break goes",
    "a\nb",
    hunk(" a\n-b\n\\ No newline at end of file\n", "@@ -1,2 +1 @@"),
    "a\n",
  ],
  ["everything goes", "a\nb\n", hunk("-a\n-b\n", "@@ -1,2 +0,0 @@"), ""],
  ["a byte order mark stays", "\ufeffa\nb\n", hunk("-b\n+c\n", "@@ -2 +2 @@"), "\ufeffa\nc\n"],
  [
    "the same context twice, told apart by the number",
    "x\na\nx\na\n",
    hunk(" x\n-a\n+b\n", "@@ -3,2 +3,2 @@"),
    "x\na\nx\nb\n",
  ],
];

const ENVELOPE: Case[] = [
  ["one change", TEN, "*** Update File: f\n@@\n 4\n-5\n+five\n 6", fived],
  ["a first hunk without @@", TEN, "*** Update File: f\n 4\n-5\n+five\n 6", fived],
  ["line numbers after @@", TEN, "*** Update File: f\n@@ -1,3 +1,3 @@\n 4\n-5\n+five\n 6", fived],
  [
    "two hunks",
    TEN,
    "*** Update File: f\n@@\n-2\n+two\n@@\n-9\n+nine\n 10\n*** End of File",
    TEN.replace("2", "two").replace("9", "nine"),
  ],
  [
    "an anchor that tells two places apart",
    "class A\n  x\nclass B\n  x\n",
    "*** Update File: f\n@@ class B\n-  x\n+  y",
    "class A\n  x\nclass B\n  y\n",
  ],
  [
    "two anchors",
    "class A\n  def m\n    x\nclass B\n  def m\n    x\n",
    "*** Update File: f\n@@ class B\n@@   def m\n-    x\n+    y",
    "class A\n  def m\n    x\nclass B\n  def m\n    y\n",
  ],
  [
    "the end of the file tells two places apart",
    "x\ny\nx\n",
    "*** Update File: f\n@@\n-x\n+z\n*** End of File",
    "x\ny\nz\n",
  ],
  ["new lines only go to the end", "x\n", "*** Update File: f\n@@\n+y", "x\ny\n"],
];

describe("apply_patch takes", () => {
  test.each(UNIFIED)("%s", async (_name, before, text, after) => {
    put("f", before);
    const result = await patch(
      text === "ABSOLUTE" ? FIVE.replace("a/f", at("f")).replace("b/f", at("f")) : text,
    );
    expect([result.error, textAt("f")]).toEqual([undefined, after]);
    expect(textAt("f.bak")).toBe(before);
  });

  test.each(ENVELOPE)("an envelope: %s", async (_name, before, text, after) => {
    put("f", before);
    const result = await patch(envelope(text));
    expect([result.error, textAt("f")]).toEqual([undefined, after]);
  });

  test("several files: changed, new, deleted, renamed and copied", async () => {
    put("changed", "a\n");
    put("gone", "g\n");
    put("old name", "o\n");
    put("pure", "p\n");
    put("copied", "c\n");
    chmodSync(at("changed"), 0o755);
    const inode = statSync(at("pure")).ino;
    const result = await patch(`diff --git a/changed b/changed
--- a/changed
+++ b/changed
@@ -1 +1 @@
-a
+b
diff --git a/new/file b/new/file
new file mode 100755
--- /dev/null
+++ b/new/file
@@ -0,0 +1,2 @@
+one
+two
\\ No newline at end of file
diff --git a/empty b/empty
new file mode 100644
index 0000000..e69de29
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-g
diff --git a/old name b/sub/new name
similarity index 50%
rename from old name
rename to sub/new name
--- a/old name
+++ b/sub/new name
@@ -1 +1 @@
-o
+n
diff --git a/pure b/moved
similarity index 100%
rename from pure
rename to moved
diff --git a/copied b/copy
copy from copied
copy to copy
`);
    expect(result.error).toBeUndefined();
    expect(result.output).toStartWith(
      `✓ Patched 9 files in ${fixture.workspace}\nchanged ${at("changed")}\n`,
    );
    expect(result.output).toContain(`\nBackup: ${at("changed")}.bak`);
    expect(result.output).toContain(`\nBackup: ${at("gone")}.deleted`);
    expect(result.metadata?.diff).toContain("rename from pure\nrename to moved\n");
    expect(names()).toEqual([
      "changed",
      "copied",
      "copy",
      "empty",
      "gone.deleted",
      "moved",
      "new",
      "new/file",
      "old name.deleted",
      "sub",
      "sub/new name",
    ]);
    expect([textAt("changed"), textAt("new/file"), textAt("sub/new name"), textAt("copy")]).toEqual(
      ["b\n", "one\ntwo", "n\n", "c\n"],
    );
    expect(statSync(at("changed")).mode & 0o777).toBe(0o755);
    expect(statSync(at("new/file")).mode & 0o777).toBe(0o755);
    expect(statSync(at("moved")).ino).toBe(inode);
  });

  test("an envelope changes several files at once", async () => {
    put("a", "x\n");
    put("b", "y\n");
    put("c", "z\n");
    const result = await patch(
      envelope(
        "*** Add File: d/new\n+one\n+\n+two\n*** Delete File: a\n*** Update File: b\n*** Move to: e/b\n@@\n-y\n+yy\n*** Update File: c\n@@\n-z\n+zz\n",
      ),
    );
    expect(result.error).toBeUndefined();
    expect(names()).toEqual(["a.deleted", "b.deleted", "c", "d", "d/new", "e", "e/b"]);
    expect([textAt("d/new"), textAt("e/b"), textAt("c")]).toEqual(["one\n\ntwo\n", "yy\n", "zz\n"]);
  });

  test("the same file twice, the second on top of the first", async () => {
    put("f", TEN);
    const second = "--- a/f\n+++ b/f\n@@ -5 +5 @@\n-five\n+V\n";
    expect((await patch(FIVE + second)).ok).toBe(true);
    expect(textAt("f")).toBe(TEN.replace("5", "V"));
    expect(textAt("f.bak")).toBe(TEN);
  });

  test("modes, with and without other changes", async () => {
    put("f", "x\n");
    chmodSync(at("f"), 0o644);
    const result = await patch("diff --git a/f b/f\nold mode 100644\nnew mode 100755\n");
    expect(result.error).toBeUndefined();
    expect([statSync(at("f")).mode & 0o777, textAt("f")]).toEqual([0o755, "x\n"]);
  });

  test("names that git quotes are understood", async () => {
    put("grüße\t1", "x\n");
    const name = "gr\\303\\274\\303\\237e\\t1";
    const result = await patch(`--- "a/${name}"\n+++ "b/${name}"\n@@ -1 +1 @@\n-x\n+y\n`);
    expect([result.error, textAt("grüße\t1")]).toEqual([undefined, "y\n"]);
  });
});

describe("apply_patch changes nothing and says why", () => {
  const MALFORMED: [name: string, patch: string, error: string | RegExp][] = [
    ["of nothing", "", /^The patch changes nothing: it has no file header/],
    ["of other text", "please change line 5", /^The patch changes nothing/],
    [
      "of a hunk without a file",
      "@@ -1 +1 @@\n-1\n+x\n",
      /^Malformed patch, line 1: a hunk without a file header/,
    ],
    [
      "of a header without a hunk",
      "--- a/f\n+++ b/f\n",
      "Malformed patch, line 3: expected a hunk (@@) for f",
    ],
    [
      "of a hunk without lines",
      hunk(""),
      "Malformed patch, line 3: the hunk changes nothing: @@ -1 +1 @@",
    ],
    ["of context alone", hunk(" 1\n"), /the hunk changes nothing/],
    [
      "of a line that is none of a hunk",
      hunk("-1\nx\n+2\n"),
      "Malformed patch, line 5: expected a line that begins with ' ', '-', '+' or '@@': x",
    ],
    [
      "of binary data",
      "diff --git a/f b/f\nGIT binary patch\nliteral 3\n",
      "Malformed patch, line 2: binary files cannot be patched: GIT binary patch",
    ],
    [
      "of binary files",
      "diff --git a/f b/f\nindex 1..2\nBinary files a/f and b/f differ\n",
      /binary files cannot be patched/,
    ],
    [
      "of a link",
      "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n",
      "Patches change regular files only, not links or modules (mode 120000)",
    ],
    [
      "of two paths that differ",
      FIVE.replace("b/f", "b/g"),
      /the two paths differ; a rename needs/,
    ],
    [
      "of /dev/null twice",
      "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-1\n+2\n",
      /both paths are \/dev\/null/,
    ],
    [
      "of an envelope without its end",
      "*** Begin Patch\n*** Delete File: f\n",
      /it ends without '\*\*\* End Patch'/,
    ],
    [
      "of an envelope without a header",
      envelope("@@\n-5\n+five"),
      /expected '\*\*\* Update File: '/,
    ],
    [
      "of an envelope without its beginning",
      "*** Update File: f\n@@\n-5\n+five\n*** End Patch",
      /expected '\*\*\* Begin Patch'/,
    ],
    [
      "of an envelope without a path",
      envelope("*** Delete File: "),
      /the path is missing|expected/,
    ],
    ["of an envelope that changes nothing", envelope("*** Update File: f"), /no change of f/],
    [
      "of a new file with a bare line",
      envelope("*** Add File: g\nbare"),
      "Malformed patch, line 3: each line of a new file begins with '+': bare",
    ],
    ["of a file that is not there", FIVE.replaceAll("/f", "/none"), /^File not found: .*\/none$/],
    [
      "of a new file that is there",
      "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n",
      /already exists$/,
    ],
    [
      "of a deletion that leaves something",
      "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n",
      /there is more in it/,
    ],
    [
      "of a line past the end",
      hunk("+x\n", "@@ -20,0 +21 @@"),
      /hunk 1 \(@@ -20,0 \+21 @@\) of .*\/f does not match/,
    ],
    [
      "of a path outside",
      "--- ../out/f\n+++ ../out/f\n@@ -1 +1 @@\n-1\n+x\n",
      "'..' is not allowed in a path: ../out/f",
    ],
    [
      "of a new file outside",
      envelope("*** Add File: /etc/x\n+x"),
      "Outside the workspace: /etc/x",
    ],
    [
      "of .git",
      "--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+x\n",
      "Files of .git are not written to: .git/hooks/x",
    ],
    [
      "that moves into .git",
      "diff --git a/f b/.git/x\nrename from f\nrename to .git/x\n",
      "Files of .git are not written to: .git/x",
    ],
    [
      "that deletes what is protected",
      envelope("*** Delete File: main.py"),
      /^Protected, and neither deleted nor moved/,
    ],
    [
      "that renames what is protected",
      envelope("*** Update File: node_modules/m\n*** Move to: m"),
      /^Protected/,
    ],
    ["of a directory", envelope("*** Delete File: node_modules"), /^Protected|^Is a directory/],
    [
      "of a file that is a directory as well",
      envelope("*** Add File: x\n+1\n*** Add File: x/y\n+2"),
      /both as a file and as a directory/,
    ],
  ];

  test.each(MALFORMED)("%s", async (_name, text, error) => {
    put("f", TEN);
    put("main.py", "m\n");
    put("node_modules/m", "m\n");
    const before = names();
    const other = "--- /dev/null\n+++ b/other\n@@ -0,0 +1 @@\n+x\n";
    const result = await patch(text);
    expect(result.ok).toBe(false);
    expect(result.error).toMatch(
      typeof error === "string" ? new RegExp(`^${RegExp.escape(error)}$`) : error,
    );
    if (text.startsWith("--- ")) expect((await patch(other + text)).ok).toBe(false);
    expect([names(), textAt("f"), existsSync(at("f.bak"))]).toEqual([before, TEN, false]);
  });

  test("what a hunk expects and what is there, with line numbers", async () => {
    put("src/f.ts", "a\nfunction f() {\n    return 1;\n}\nb\n");
    const header = "--- a/src/f.ts\n+++ b/src/f.ts\n@@ -2,3 +2,3 @@\n";
    const indented = await patch(`${header} function f() {\n-  return 1;\n+  return 2;\n }\n`);
    expect(indented).toEqual({
      ok: false,
      error: `Nothing changed: hunk 1 (@@ -2,3 +2,3 @@) of ${at("src/f.ts")} does not match: closest is line 3, which differs only in indentation`,
      output:
        "The file has\n      return 1;\nwhere the patch has\n    return 1;\n\n2\tfunction f() {\n3\t    return 1;\n4\t}",
    });
    const stale = await patch(`${header} function f() {\n-    return 9;\n+    return 2;\n }\n`);
    expect(stale.error).toEndWith("does not match: closest is line 3");
    const foreign = await patch(`${header} nothing\n-of this\n+x\n`);
    expect(foreign.output).toContain("None of its lines is in the file");
    const late = await patch(
      "--- a/src/f.ts\n+++ b/src/f.ts\n@@ -5 +5 @@\n-b\n+c\n@@ -1 +1 @@\n-a\n+x\n",
    );
    expect(late.error).toContain("hunk 2 (@@ -1 +1 @@)");
    expect(textAt("src/f.ts")).toBe("a\nfunction f() {\n    return 1;\n}\nb\n");
  });

  test("the line that is meant, where the only line of a hunk is wrong", async () => {
    put("f.ts", "import a;\n\n}\nconst retries = 3;\nconst delay = 10;\n}\n");
    const only = "--- a/f.ts\n+++ b/f.ts\n@@ -1 +1 @@\n-const retries = 4;\n+const retries = 5;\n";
    expect(await patch(only)).toEqual({
      ok: false,
      error: `Nothing changed: hunk 1 (@@ -1 +1 @@) of ${at("f.ts")} does not match: closest is line 4`,
      output:
        "The file has\n  const retries = 3;\nwhere the patch has\n  const retries = 4;\n\n4\tconst retries = 3;",
    });
    const beside =
      "--- a/f.ts\n+++ b/f.ts\n@@ -1,2 +1,1 @@\n-const delay = 20; // ms\n-}\n+delay();\n";
    expect((await patch(beside)).error).toEndWith("closest is line 5");
  });

  test("places that a hunk cannot be told apart by", async () => {
    put("f", "x\na\nx\na\n");
    const result = await patch(hunk(" x\n-a\n+b\n", "@@ -20,2 +20,2 @@"));
    expect(result.error).toBe(
      `Nothing changed: hunk 1 (@@ -20,2 +20,2 @@) of ${at("f")} matches in 2 places`,
    );
    expect(result.output).toEndWith("1\tx\n3\tx");
    const anchored = await patch(envelope("*** Update File: f\n@@ absent\n-a\n+b"));
    expect(anchored.output).toContain("There is no line that says\n  absent");
  });

  test("links: what they point to is neither deleted nor moved, nor reached outside", async () => {
    put("real", "r\n");
    fixture.write("out/s", "s\n");
    symlinkSync("real", at("l"));
    symlinkSync(join(fixture.outside, "s"), at("o"));
    expect((await patch(envelope("*** Delete File: l"))).error).toBe(
      `Is a symbolic link: ${at("l")}`,
    );
    expect((await patch("--- a/o\n+++ b/o\n@@ -1 +1 @@\n-s\n+x\n")).error).toBe(
      "Outside the workspace: o",
    );
    expect((await patch("--- a/l\n+++ b/l\n@@ -1 +1 @@\n-r\n+x\n")).ok).toBe(true);
    expect([textAt("real"), readFileSync(join(fixture.outside, "s"), "utf8")]).toEqual([
      "x\n",
      "s\n",
    ]);
  });

  test("files that are not text are refused", async () => {
    put("bin", "a\0b\n");
    mkdirSync(at("d"));
    expect((await patch("--- a/bin\n+++ b/bin\n@@ -1 +1 @@\n-a\n+x\n")).error).toStartWith(
      "Cannot edit binary file",
    );
    expect((await patch("--- a/d\n+++ b/d\n@@ -1 +1 @@\n-a\n+x\n")).error).toBe(
      `Is a directory: ${at("d")}`,
    );
  });
});

test("its paths are known before it is applied", () => {
  const [tool] = tools;
  expect(
    tool?.subject({ patch: `${FIVE}diff --git a/x b/y\nrename from x\nrename to y\n` }),
  ).toEqual({
    paths: ["f", "x", "y"],
    host: null,
  });
  expect(tool?.subject({ patch: "no patch" })).toEqual({ paths: [], host: null });
});

test("a file of more lines than others can wait for is refused", async () => {
  put("f", "\n".repeat(1_000_001));
  const result = await patch(hunk("-\n+x\n"));
  expect(result.error).toBe(
    `Too many lines for a patch: ${at("f")} has 1000001, the limit is 1000000; use file_edit`,
  );
  expect(existsSync(at("f.bak"))).toBe(false);
});

test("a hunk that matches nowhere in a large file of equal lines is answered soon", async () => {
  put("f", "same\n".repeat(1_000_000));
  const old = " same\n".repeat(5_000);
  const started = performance.now();
  const result = await patch(hunk(`${old}-other\n+x\n`, "@@ -1,5001 +1,5001 @@"));
  expect(result.error).toContain("does not match");
  expect(performance.now() - started).toBeLessThan(5_000);
});
