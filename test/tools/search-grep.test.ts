/** Searching by content: what is searched, what is shown, what is refused. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { searchBench as bench } from "../support/search-bench.ts";

describe("what is searched", () => {
  test("ignore files of every level, the nearest first, a later line over an earlier one", async () => {
    const never = ["a.log", "dist/x", "p/build/x", "foo/a", "sub/1/2/deep.txt", "z/1", "x.tmp"];
    const ignored = ["#odd", "a.set", "k/gen/x", "sub/local/x", "ign/one", "inner/c.mine"];
    const searched = ["build", "foo/bar/c", "ign/z.log", "inner/a.log", "keep.log", "p/dist/x"];
    await using b = bench([...never, ...ignored, ...searched, "sub/a.log", "sub/build/y", "z2/a"]);
    b.write(
      "ws/.gitignore",
      "# a comment\n*.log\n!keep.log\n/dist\nbuild/\nfoo/*\n!foo/bar\nsub/**/deep.txt\n" +
        "\\#odd\n[ab].set\n**/gen/\nz/**   \n",
    );
    b.write("ws/sub/.gitignore", "!*.log\n!build/\nlocal\n");
    b.write("ws/ign/.ignore", "one\n!*.log\n");
    b.write("ws/.git/info/exclude", "*.tmp\n");
    b.write("ws/inner/.gitignore", "*.mine\n");
    b.write("ws/inner/.git/HEAD", "hit");
    const all = [...searched, "sub/a.log", "sub/build/y", "z2/a"];
    expect(b.files()).toEqual(all.sort());
    // In a directory that is ignored nothing else is, so that it can be asked for.
    expect(b.files({ path: "p/build" })).toEqual(["p/build/x"]);
    expect(b.files({ path: "a.log" })).toEqual(["a.log"]);
    // What is above counts below as well.
    expect(b.files({ path: "foo" })).toEqual(["foo/bar/c"]);
  });

  test("hidden files only where path or glob names them, the engine's own folders never", async () => {
    await using b = bench([".env", ".github/w/x.yml", ".git/config", ".kollab/config.json", "a"]);
    expect(b.files()).toEqual(["a"]);
    expect(b.files({ path: ".github" })).toEqual([".github/w/x.yml"]);
    expect(b.files({ glob: ".github/**" })).toEqual([".github/w/x.yml"]);
    expect(b.files({ glob: "{.kollab,.git}/**" })).toEqual([]);
    expect((await b.run("grep", { pattern: "nothing" })).output).toBe(
      "[No match; 1 file searched; left out: 2 hidden; name such a file or directory as path to search it]",
    );
  });

  test("types, and globs from the directory searched or from the workspace", async () => {
    await using b = bench(["src/a.ts", "src/b/c.tsx", "src/d.py", "lib/e.ts", "Makefile"]);
    expect(b.files({ type: "ts" })).toEqual(["lib/e.ts", "src/a.ts", "src/b/c.tsx"]);
    expect(b.files({ type: "make" })).toEqual(["Makefile"]);
    expect(b.files({ glob: "*.ts" })).toEqual(["lib/e.ts", "src/a.ts"]);
    expect(b.files({ glob: "src/**/*.{ts,tsx}", path: "src" })).toEqual([
      "src/a.ts",
      "src/b/c.tsx",
    ]);
    expect(b.files({ glob: "b/*", path: "src" })).toEqual(["src/b/c.tsx"]);
    expect(b.files({ glob: "!*.ts" })).toEqual(["Makefile", "src/b/c.tsx", "src/d.py"]);
  });

  test("neither binary nor huge files, links, FIFOs nor closed places; and it says what was left out", async () => {
    await using b = bench({ "a.txt": "hit\n", "b.bin": "hit\0", "huge.txt": "hit\n" });
    truncateSync(join(b.workspace, "huge.txt"), 1024 ** 3);
    b.write("out/secret", "hit");
    symlinkSync(b.outside, join(b.workspace, "link"));
    symlinkSync(b.workspace, join(b.workspace, "loop"));
    symlinkSync(join(b.outside, "secret"), join(b.workspace, "secret"));
    Bun.spawnSync(["mkfifo", join(b.workspace, "fifo")]);
    const { output, metadata } = await b.run("grep", { pattern: "hit" });
    expect(output).toBe(
      "a.txt:1:hit\n\n[1 match in 1 file; 1 file searched; left out: 1 larger than 10 MB]",
    );
    expect(metadata).toEqual({ matches: 1, files: 1, files_searched: 1, truncated: false });
    // Asked for by its name, it is no answer that nothing was found.
    expect((await b.run("grep", { pattern: "hit", path: "huge.txt" })).error).toBe(
      "huge.txt is larger than 10 MB and is not searched",
    );
    expect((await b.run("grep", { pattern: "hit", path: "link" })).error).toBe(
      "Outside the workspace: link",
    );
    expect((await b.run("grep", { pattern: "hit", path: "../out" })).error).toContain(
      "not allowed",
    );
  });

  test("names that would disturb a screen are shown without what disturbs", async () => {
    await using b = bench(["ok.txt", "new\nline.txt", "esc\u001b[31m.txt", "rtl\u202e.txt"]);
    const undecodable = Buffer.concat([Buffer.from(`${b.workspace}/`), Buffer.from([0xff, 0x61])]);
    writeFileSync(undecodable, "hit");
    const { output } = await b.run("grep", { pattern: "hit" });
    expect(output.split("\n")).toEqual([
      "esc?[31m.txt:1:hit",
      "new?line.txt:1:hit",
      "ok.txt:1:hit",
      "rtl?.txt:1:hit",
      "",
      "[4 matches in 4 files; 4 files searched; left out: 1 unreadable]",
    ]);
  });
});

describe("what is shown", () => {
  const LINES = "one\ntwo hit\nthree\nfour\nfive\nsix hit\nseven hit\neight\n";

  test("context lines once, and gaps between what does not follow", async () => {
    await using b = bench({ "a.txt": LINES, "b.txt": "hit" });
    const { output } = await b.run("grep", { pattern: "hit", context: 1 });
    expect(output.split("\n")).toEqual([
      "a.txt-1-one",
      "a.txt:2:two hit",
      "a.txt-3-three",
      "--",
      "a.txt-5-five",
      "a.txt:6:six hit",
      "a.txt:7:seven hit",
      "a.txt-8-eight",
      "--",
      "b.txt:1:hit",
      "",
      "[4 matches in 2 files; 2 files searched]",
    ]);
    const before = await b.run("grep", { pattern: "six|seven", before: 2, path: "a.txt" });
    expect(before.output.split("\n").slice(0, 4)).toEqual([
      "a.txt-4-four",
      "a.txt-5-five",
      "a.txt:6:six hit",
      "a.txt:7:seven hit",
    ]);
  });

  test("counts, and a limit that says that there is more", async () => {
    await using b = bench({ "a.txt": LINES, "b.txt": "hit", "c.txt": "hit" });
    const more = "there are more than 2: narrow the pattern, path or glob, or raise head_limit";
    const count = await b.run("grep", { pattern: "hit", output_mode: "count", head_limit: 2 });
    expect(count.output).toBe(
      `a.txt:3\nb.txt:1\n\n[4 matches in 2 files; 3 files searched; ${more}]`,
    );
    const content = await b.run("grep", { pattern: "hit", head_limit: "2" });
    expect(content.output).toBe(
      `a.txt:2:two hit\na.txt:6:six hit\n\n[2 matches in 1 file; 1 file searched; ${more}]`,
    );
    const files = await b.run("grep", { pattern: "hit", output_mode: "files", head_limit: 3 });
    expect(files.output).toBe("a.txt\nb.txt\nc.txt\n\n[3 files match; 3 files searched]");
  });

  test("a long line around its match, and no more than fits", async () => {
    await using b = bench({ "a.txt": `${"x".repeat(5000)}hit${"y".repeat(5000)}\n` });
    const { output } = await b.run("grep", { pattern: "hit" });
    expect(output.split("\n")[0]).toMatch(/^a\.txt:1:…x{100}hity{197}…$/);
    b.write("ws/a.txt", `${"z".repeat(290)}hit\n`.repeat(500));
    const many = await b.run("grep", { pattern: "hit", head_limit: 2000 });
    expect(many.output.length).toBeLessThan(41_000);
    expect(many.output).toContain("the rest would be too long to show");
  });

  test("matches of one line by default, across lines where that is asked for", async () => {
    await using b = bench({ "a.txt": "begin\r\n  middle\r\nend\r\n\r\nbegin end\r\n" });
    const lines = async (input: Record<string, unknown>) =>
      (await b.run("grep", input)).output.split("\n").slice(0, -2);
    expect(await lines({ pattern: "begin\\s+" })).toEqual(["a.txt:5:begin end"]);
    expect(await lines({ pattern: "(end|middle)$" })).toHaveLength(3);
    expect(await lines({ pattern: "^begin(?!\\s*end)" })).toEqual(["a.txt:1:begin"]);
    expect(await lines({ pattern: "begin.*?end", multiline: true })).toEqual([
      "a.txt:1:begin",
      "a.txt:2:  middle",
      "a.txt:3:end",
      "a.txt:5:begin end",
    ]);
    expect((await b.run("grep", { pattern: "begin\\n" })).error).toContain("set multiline to true");
  });
});

test("bad input ends in a failure that says what to do", async () => {
  await using b = bench({ "src/index.ts": "hit" });
  const error = async (input: Record<string, unknown>) =>
    (await b.run("grep", { pattern: "hit", ...input })).error;
  expect(await error({ pattern: "foo(" })).toBe(
    "Invalid regular expression: missing ). Escape what is meant literally",
  );
  expect(await error({ path: "src/indx.ts" })).toBe(
    "No such path: src/indx.ts; did you mean index.ts?",
  );
  expect(await error({ type: "typo" })).toContain("No such file type: typo");
  expect(await error({ glob: "*.{ts" })).toContain("unclosed '{'");
  expect(await error({ context: -1 })).toBe("Parameter 'before' must be at least 0");
  expect(await error({ output_mode: "all" })).toContain("must be one of content, files, count");
  expect((await b.run("grep", { pattern: "hit", glob: "*.py" })).output).toBe(
    "[No match; 0 files searched; no file there passes glob *.py]",
  );
});

/** The runtime takes hours for it, and nothing but the end of its process stops it. */
const ENDLESS = "a*a*a*a*a*a*a*b";

test("a pattern that the runtime gives up is undecided, not without a match", async () => {
  await using b = bench({ "a.txt": `${"a".repeat(60)}c\n` });
  const { ok, error } = await b.run("grep", { pattern: "(a+)+$" });
  expect(ok).toBe(false);
  expect(error).toContain("Undecided at a.txt:1: the pattern takes too long there");
});

test("a pattern without end is ended in time, and the engine goes on meanwhile", async () => {
  await using b = bench({ "a.txt": `${"a".repeat(5000)}c\n` }, 500);
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 5);
  const { ok, error } = await b.run("grep", { pattern: ENDLESS });
  clearInterval(timer);
  expect(ok).toBe(false);
  expect(error).toContain("The search was ended after 0.5 s");
  expect(ticks).toBeGreaterThan(10);
});

test("cancelled, it ends at once", async () => {
  await using b = bench({ "a.txt": `${"a".repeat(5000)}c\n` }, 60_000);
  const controller = new AbortController();
  const result = b.run("grep", { pattern: ENDLESS }, controller.signal);
  setTimeout(() => controller.abort(), 100);
  expect(await result).toEqual({
    ok: false,
    output: "",
    error: "Cancelled by user",
    metadata: { cancelled: true },
  });
});

test("a tree of 5000 files is searched whole", async () => {
  await using b = bench();
  for (let folder = 0; folder < 50; folder++) {
    mkdirSync(join(b.workspace, `d${folder}`));
    for (let file = 0; file < 100; file++)
      writeFileSync(join(b.workspace, `d${folder}/f${file}`), file === 50 ? "hit" : "nothing");
  }
  const { metadata } = await b.run("grep", { pattern: "hit", output_mode: "count" });
  expect(metadata).toEqual({ matches: 50, files: 50, files_searched: 5000, truncated: false });
});
