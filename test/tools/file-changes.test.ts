import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { FileChange, FileState } from "../../src/domain/file-change.ts";
import {
  applyChanges,
  KEPT_BYTES_MAX,
  readState,
  sameState,
  unifiedDiff,
} from "../../src/tools/file-changes.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

let fixture: ToolFixture;
beforeEach(() => {
  fixture = toolFixture();
});
afterEach(() => fixture[Symbol.dispose]());

const at = (path: string) => join(fixture.workspace, path);
const put = (path: string, content: string) => fixture.write(join("ws", path), content);
const textAt = (path: string) => readFileSync(at(path), "utf8");
const names = (path = ".") => readdirSync(at(path)).sort();

const file = (text: string, mode = 0o644): FileState => {
  const content = new TextEncoder().encode(text);
  return { kind: "file", mode, size: content.length, content };
};
const directory: FileState = { kind: "directory" };
const change = (path: string, before: FileState, after: FileState): FileChange => ({
  path: at(path),
  before,
  after,
});

describe("readState", () => {
  test("tells files, directories, links and nothing apart", async () => {
    put("f", "text");
    chmodSync(at("f"), 0o4750);
    mkdirSync(at("d"));
    symlinkSync("nowhere", at("l"));
    expect(await readState(at("f"))).toEqual(file("text", 0o750));
    expect(await readState(at("d"))).toEqual(directory);
    expect(await readState(at("l"))).toEqual({ kind: "link", target: "nowhere" });
    expect(await readState(at("none"))).toBeNull();
    expect(await readState(at("none/below"))).toBeNull();
  });

  test("does not load what is too large to keep, and refuses a FIFO", async () => {
    ftruncateSync(openSync(at("big"), "w"), KEPT_BYTES_MAX + 1);
    expect(await readState(at("big"))).toMatchObject({ size: KEPT_BYTES_MAX + 1, content: null });
    Bun.spawnSync(["mkfifo", at("p")]);
    expect(readState(at("p"))).rejects.toThrow(`Not a regular file: ${at("p")}`);
  });
});

test("two states are the same when kind, mode and content are", () => {
  const link = (target: string): FileState => ({ kind: "link", target });
  const different = [null, directory, link("a"), link("b"), file("a"), file("b"), file("a", 0o600)];
  for (const [n, a] of different.entries())
    for (const [m, b] of different.entries()) expect(sameState(a, b)).toBe(n === m);
  expect(sameState(file("a"), file("a"))).toBe(true);
});

describe("applyChanges", () => {
  test("makes, replaces, removes and moves, all at once", async () => {
    put("old", "1");
    put("gone", "2");
    put("from", "3");
    put("empty/x", "4");
    const moving = file("3");
    const applied = await applyChanges([
      change("a", null, directory),
      change("a/b", null, directory),
      change("a/b/new", null, file("new")),
      change("old", file("1"), file("one", 0o600)),
      change("gone", file("2"), null),
      change("empty", directory, null),
      change("empty/x", file("4"), null),
      change("from", moving, null),
      change("a/to", null, moving),
      change("link", null, { kind: "link", target: "old" }),
    ]);
    expect(applied).toBe(true);
    expect(names()).toEqual(["a", "link", "old"]);
    expect([textAt("a/b/new"), textAt("old"), textAt("a/to")]).toEqual(["new", "one", "3"]);
    expect(readlinkSync(at("link"))).toBe("old");
    expect(statSync(at("old")).mode & 0o777).toBe(0o600);
    expect(statSync(at("a/b/new")).mode & 0o777).toBe(0o644);
    expect([names("a"), names("a/b")]).toEqual([["b", "to"], ["new"]]);
  });

  test("does nothing where one thing is no longer as it was", async () => {
    put("f", "as it was");
    put("other", "changed meanwhile");
    for (const stale of [
      change("other", file("before"), file("after")),
      change("other", null, file("after")),
      change("other", file("changed meanwhile", 0o600), null),
      change("none", file("before"), null),
      change("none/below", null, file("after")),
      change("other", directory, null),
      change("f/below", null, file("after")),
    ])
      expect(await applyChanges([change("f", file("as it was"), file("x")), stale])).toBe(false);
    expect(names()).toEqual(["f", "other"]);
    expect([textAt("f"), textAt("other")]).toEqual(["as it was", "changed meanwhile"]);
  });

  test("does not remove a directory that something is in", async () => {
    put("d/x", "x");
    put("f", "f");
    const changes = [change("f", file("f"), null), change("d", directory, null)];
    expect(await applyChanges(changes)).toBe(false);
    expect([names(), names("d"), textAt("f")]).toEqual([["d", "f"], ["x"], "f"]);
  });

  test("takes back what it did when it fails half way", async () => {
    put("f", "f");
    put("run", "run");
    chmodSync(at("run"), 0o750);
    put("d/x", "x");
    const inode = statSync(at("run")).ino;
    const moving = file("x");
    const failing = change("l".repeat(300), null, { kind: "link", target: "x" });
    const attempt = applyChanges([
      change("new", null, directory),
      change("new/file", null, file("n")),
      change("run", file("run", 0o750), file("changed", 0o750)),
      change("f", file("f"), null),
      change("d/x", moving, null),
      change("new/x", null, moving),
      change("d", directory, null),
      failing,
    ]);
    expect(attempt).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    await attempt.catch(() => {});
    expect([names(), names("d")]).toEqual([["d", "f", "run"], ["x"]]);
    expect([textAt("f"), textAt("run"), textAt("d/x")]).toEqual(["f", "run", "x"]);
    expect(statSync(at("run")).ino).toBe(inode);
    expect(statSync(at("run")).mode & 0o777).toBe(0o750);
  });

  test("takes back everything when the last write fails", async () => {
    put("f", "f");
    mkdirSync(at("closed"));
    const name = `closed/${"n".repeat(255)}`;
    const attempt = applyChanges([
      change("f", file("f"), file("changed")),
      change("new", null, file("n")),
      change(`${name}${"n".repeat(10)}`, null, file("x")),
    ]);
    await attempt.catch(() => {});
    expect([names(), textAt("f")]).toEqual([["closed", "f"], "f"]);
  });

  test("moves what is too large to keep, and refuses to write it", async () => {
    ftruncateSync(openSync(at("big"), "w"), KEPT_BYTES_MAX + 1);
    const big = await readState(at("big"));
    expect(applyChanges([change("copy", null, big)])).rejects.toThrow("Too large to be written");
    const changes = [change("big", big, null), change("moved", null, big)];
    expect(await applyChanges(changes)).toBe(true);
    expect(names()).toEqual(["moved"]);
    expect(statSync(at("moved")).size).toBe(KEPT_BYTES_MAX + 1);
  });

  test("moves a link, not what it points to", async () => {
    fixture.write("out/keep", "keep");
    symlinkSync(join(fixture.outside, "keep"), at("l"));
    const link = await readState(at("l"));
    expect(await applyChanges([change("l", link, null), change("m", null, link)])).toBe(true);
    expect(names()).toEqual(["m"]);
    expect(lstatSync(at("m")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(fixture.outside, "keep"), "utf8")).toBe("keep");
  });

  test("a second name of a file keeps its content", async () => {
    put("f", "old");
    linkSync(at("f"), at("second"));
    expect(await applyChanges([change("f", file("old"), file("new"))])).toBe(true);
    expect([textAt("f"), textAt("second")]).toEqual(["new", "old"]);
    expect([statSync(at("second")).nlink, names()]).toEqual([1, ["f", "second"]]);
  });

  test("two names of one file change together", async () => {
    put("f", "old");
    linkSync(at("f"), at("g"));
    const changes = [change("f", file("old"), file("1")), change("g", file("old"), file("2"))];
    expect(await applyChanges(changes)).toBe(true);
    expect([textAt("f"), textAt("g")]).toEqual(["1", "2"]);
  });

  test("of many that replace the same file at once, exactly one does", async () => {
    put("f", "old");
    const results = await Promise.all(
      ["1", "2", "3", "4", "5", "6"].map((text) =>
        applyChanges([change("f", file("old"), file(text)), change(text, null, file(text))]),
      ),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(names()).toEqual([textAt("f"), "f"]);
  });

  test("does not write through a link that took a directory's place", async () => {
    put("d/f", "f");
    fixture.write("out/f", "f");
    const before = await readState(at("d/f"));
    renameSync(at("d"), at("kept"));
    symlinkSync(fixture.outside, at("d"));
    expect(await applyChanges([change("d/f", before, file("pwned"))])).toBe(false);
    expect(readFileSync(join(fixture.outside, "f"), "utf8")).toBe("f");
    expect(readdirSync(fixture.outside)).toEqual(["f"]);
  });

  test("a directory gives way to a file, and a file to a directory", async () => {
    put("d/x", "x");
    put("f", "f");
    const applied = await applyChanges([
      change("d/x", file("x"), null),
      change("d", directory, file("now a file")),
      change("f", file("f"), directory),
      change("f/y", null, file("y")),
    ]);
    expect(applied).toBe(true);
    expect([textAt("d"), textAt("f/y"), names()]).toEqual(["now a file", "y", ["d", "f"]]);
  });
});

describe("unifiedDiff", () => {
  const diff = (...changes: FileChange[]) => unifiedDiff(changes, fixture.workspace);
  const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n + 1}\n`);

  test("shows what differs with three lines around it and git's headers", async () => {
    const lines = numbered(20);
    const changed = lines.with(9, "changed\n");
    expect(
      await diff(change("src/a.txt", file(lines.join("")), file(changed.join("")))),
    ).toBe(`diff --git a/src/a.txt b/src/a.txt
--- a/src/a.txt
+++ b/src/a.txt
@@ -7,7 +7,7 @@
 line 7
 line 8
 line 9
-line 10
+changed
 line 11
 line 12
 line 13
`);
  });

  test("finds the one line that differs, wherever it is in a long file", async () => {
    const lines = Array.from({ length: 2_048 }, (_, n) => `${String(n).padStart(7, "0")}\n`);
    const text = lines.join("");
    const marked = (diff: string) => diff.match(/^[-+][^-+\n]*$/gm)?.join(" ");
    for (const at of [0, 511, 512, 513, 1_023, 1_024, 1_535, 2_047]) {
      const changed = await diff(
        change("a", file(text), file(lines.with(at, "changed\n").join(""))),
      );
      expect(marked(changed)).toBe(`-${lines[at]?.trim()} +changed`);
      const longer = await diff(
        change("a", file(text), file(lines.toSpliced(at, 0, lines[at] ?? "").join(""))),
      );
      expect(marked(longer)).toBe(`+${lines[at]?.trim()}`);
    }
  });

  test("shows new files, deleted ones, modes, moves, links and directories", async () => {
    const moving = file("m\n");
    expect(
      await diff(
        change("d", null, directory),
        change("d/new", null, file("one\n", 0o755)),
        change("gone", file("last"), null),
        change("mode", file("m"), file("m", 0o755)),
        change("from", moving, null),
        change("to", null, moving),
        change("link", null, { kind: "link", target: "else" }),
        change("e", directory, null),
      ),
    ).toBe(`New directory: d
diff --git a/d/new b/d/new
new file mode 100755
--- /dev/null
+++ b/d/new
@@ -0,0 +1,1 @@
+one
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1,1 +0,0 @@
-last
\\ No newline at end of file
diff --git a/mode b/mode
old mode 100644
new mode 100755
diff --git a/from b/to
rename from from
rename to to
diff --git a/link b/link
new file mode 120000
--- /dev/null
+++ b/link
@@ -0,0 +1,1 @@
+else
\\ No newline at end of file
Directory removed: e
`);
  });

  test("names what is binary or too large", async () => {
    const large: FileState = { kind: "file", mode: 0o644, size: 99, content: null };
    expect(await diff(change("bin", null, file("a\0b")), change("big", large, null))).toBe(
      `diff --git a/bin b/bin
new file mode 100644
Binary files /dev/null and b/bin differ
diff --git a/big b/big
deleted file mode 100644
Files a/big and /dev/null differ, too large to show
`,
    );
  });

  test("is cut after whole lines, and still names the files that are not shown", async () => {
    const long = file(numbered(20_000).join(""));
    const cut = await diff(change("long", null, long), change("b\n.txt", null, file("b")));
    expect(cut.length).toBeLessThan(60_200);
    expect(cut).toMatch(
      /\n\+line \d+\n\[… cut: the diff is too long\. Not shown: "b\\n\.txt" …\]\n$/,
    );
  });

  test("of texts that have little in common, all lines are shown as replaced", async () => {
    const random = (seed: number) =>
      numbered(9_000).map((line, n) => `${(n * seed) % 7919} ${line}`);
    const [old, next] = [random(31).join(""), random(17).reverse().join("")];
    const shown = await diff(change("f", file(old), file(next)));
    expect(shown).toStartWith(
      "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,9000 +1,9000 @@\n-0 line 1\n",
    );
  });

  test("git applies it, whatever the change", async () => {
    const texts = [
      "",
      "\n",
      "\n\n\n",
      "a",
      "a\n",
      "a\nb",
      "a\nb\n",
      "b\na\n",
      "a\n\nb\nc\nd\ne\nf\ng\nh\ni\n",
      "x\n\nb\nc\nd\ne\nf\ng\nh\nx\n",
      "\na\n\nb\nc\nd\ne\nf\ng\nh\ni",
      "a\r\nb\r\n",
      "f\ng\nh\ni\n",
      "grüße\n😀\n",
      "grüße\n😁\n",
    ];
    const changes: FileChange[] = [];
    for (const [n, before] of texts.entries())
      for (const [m, after] of texts.entries()) {
        if (n === m) continue;
        put(`${n}-${m}`, before);
        changes.push(change(`${n}-${m}`, file(before), file(after)));
      }
    put("patch", await diff(...changes));
    const { exitCode, stderr } = Bun.spawnSync(["git", "apply", "--whitespace=nowarn", "patch"], {
      cwd: fixture.workspace,
      env: { ...process.env, GIT_CEILING_DIRECTORIES: fixture.path },
    });
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
    for (const { path, after } of changes) expect(await readState(path)).toEqual(after);
    expect(existsSync(at("patch"))).toBe(true);
    writeFileSync(at("patch"), "");
  });
});
