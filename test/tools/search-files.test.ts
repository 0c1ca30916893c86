/** Finding files by name, listing them, and searching a single one. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { searchBench } from "../support/search-bench.ts";

describe("glob", () => {
  test("newest first; without a slash at any depth; ignored and hidden files left out", async () => {
    await using b = searchBench(["a.ts", "src/b.ts", "src/c.tsx", "dist/d.ts", ".x/e.ts"]);
    b.write("ws/.gitignore", "dist\n");
    utimesSync(join(b.workspace, "a.ts"), 1000, 1000);
    utimesSync(join(b.workspace, "src/b.ts"), 3000, 3000);
    utimesSync(join(b.workspace, "src/c.tsx"), 2000, 2000);
    const glob = async (input: object) => (await b.run("glob", { ...input })).output;
    expect(await glob({ pattern: "*.{ts,tsx}" })).toBe(
      "src/b.ts\nsrc/c.tsx\na.ts\n\n[3 files, newest first]",
    );
    expect(await glob({ pattern: "*.ts", path: "src" })).toBe("src/b.ts\n\n[1 file, newest first]");
    expect(await glob({ pattern: `${b.workspace}/*.ts` })).toContain("a.ts\n\n[1 file");
    expect(await glob({ pattern: ".x/*" })).toContain(".x/e.ts");
    expect(await glob({ pattern: "d.ts" })).toBe(
      "[No file matches; looked at 3 files; left out: 1 ignored by .gitignore or the like, 2 hidden; " +
        "name them in path to look there]",
    );
    const { error } = await b.run("glob", { pattern: "[a" });
    expect(error).toBe("The glob is not valid: it has an unclosed '['");
  });

  test("more files than are shown are counted", async () => {
    await using b = searchBench(Array.from({ length: 250 }, (_, index) => `f${index}.txt`));
    const { output, metadata } = await b.run("glob", { pattern: "*.txt" });
    expect(output.split("\n")).toHaveLength(202);
    expect(output).toContain("50 older ones are not shown: narrow the pattern or path");
    expect(metadata).toEqual({ files: 250, truncated: true });
  });
});

describe("file_list", () => {
  test("a tree, directories first, with sizes and the count of what is left out", async () => {
    await using b = searchBench({ "z/deep/er/x": "1", "z/f": "12345", a: "1".repeat(2048), b: "" });
    for (const name of [".env", "out.log", ".git/config"]) b.write(`ws/${name}`, "secret");
    b.write("ws/.gitignore", "*.log\n");
    symlinkSync("/etc/passwd", join(b.workspace, "link"));
    Bun.spawnSync(["mkfifo", join(b.workspace, "pipe")]);
    const plain = [
      "./",
      "  z/",
      "    deep/",
      "    f (5 B)",
      "  a (2.0 KB)",
      "  b (0 B)",
      "  link -> /etc/passwd",
      "  pipe (no regular file)",
    ];
    expect((await b.run("file_list", {})).output.split("\n")).toEqual([
      ...plain,
      "",
      "[2 hidden and 1 ignored entries left out: all shows them]",
    ]);
    expect((await b.run("file_list", { all: true, depth: 1 })).output).toBe(
      "./\n  z/\n  .env (6 B)\n  .gitignore (6 B)\n  a (2.0 KB)\n  b (0 B)\n  link -> /etc/passwd\n" +
        "  out.log (6 B)\n  pipe (no regular file)",
    );
    expect((await b.run("file_list", { path: "z", depth: 9 })).output).toBe(
      "z/\n  deep/\n    er/\n      x (1 B)\n  f (5 B)",
    );
    expect((await b.run("file_list", { path: "a" })).error).toBe(
      "Not a directory: a; use file_read to read a file",
    );
  });

  test("less depth where it would be too much, and only a part of a very large directory", async () => {
    await using b = searchBench(
      Array.from({ length: 900 }, (_, index) => `d${index % 6}/f${index}`),
    );
    const { output, metadata } = await b.run("file_list", { depth: 3 });
    expect(output).toBe(
      "./\n  d0/\n  d1/\n  d2/\n  d3/\n  d4/\n  d5/\n\n[too much for depth 3, so only depth 1]",
    );
    expect(metadata).toEqual({ truncated: true });
    expect((await b.run("file_list", { path: "d0" })).output).toEndWith("\n  … 50 more");
  });
});

describe("file_grep", () => {
  test("lines with their numbers, at most 50, and how many more", async () => {
    await using b = searchBench({ "a.txt": "Hit\n".repeat(60) });
    const found = await b.run("file_grep", {
      file: "a.txt",
      pattern: "hit",
      case_insensitive: true,
    });
    const lines = found.output.split("\n");
    expect(lines.slice(0, 3)).toEqual(["✓ Found 60 matches in a.txt:", "", "1: Hit"]);
    expect(lines.at(-1)).toBe("[… 10 more]");
    expect(found.metadata).toEqual({ matches: 60, file_path: join(b.workspace, "a.txt") });
    expect((await b.run("file_grep", { file: "a.txt", pattern: "hit" })).output).toBe(
      "✓ No matches in a.txt",
    );
  });

  test("the session's own outputs can be searched, other files outside cannot", async () => {
    await using b = searchBench();
    mkdirSync(b.outputs);
    b.write("outputs/call_1.txt", "a\nhit\n");
    const file = join(b.outputs, "call_1.txt");
    expect((await b.run("file_grep", { file, pattern: "hit" })).output).toBe(
      `✓ Found 1 match in ${file}:\n\n2: hit`,
    );
    expect((await b.run("grep", { path: b.outputs, pattern: "hit" })).output).toContain(
      `${file}:2:hit`,
    );
    b.write("out/secret", "hit");
    const { error } = await b.run("file_grep", { file: `${b.outside}/secret`, pattern: "hit" });
    expect(error).toStartWith("Outside the workspace");
  });

  test("what is no text file is refused", async () => {
    await using b = searchBench({ "b.bin": "hit\0", "d/x": "" });
    Bun.spawnSync(["mkfifo", join(b.workspace, "pipe")]);
    const error = async (file: string) =>
      (await b.run("file_grep", { file, pattern: "hit" })).error;
    expect(await error("b.bin")).toBe("Cannot search binary file: b.bin");
    expect(await error("d")).toBe("Is a directory: d; use grep to search a directory");
    expect(await error("pipe")).toBe("Not a regular file: pipe");
    expect(await error("none")).toBe("No such path: none; use file_list to see what is there");
  });
});
