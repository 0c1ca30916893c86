import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { keepOutput, keptNote, OutputFile } from "../../src/tools/kept-output.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MEGABYTE = 1024 * 1024;

test("an output is kept in a file of its call that only the owner reads", async () => {
  using folder = temporaryFolder();
  const directory = join(folder.path, "session/outputs");
  const path = await keepOutput(directory, "call_1", "text € \ud800 \0 end");
  expect(path).toBe(join(directory, "call_1.txt"));
  expect(readFileSync(path, "utf8")).toBe("text € \ufffd \ufffd end");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test("a call id is no path, and never takes the place of another call's file", async () => {
  using folder = temporaryFolder();
  const directory = join(folder.path, "outputs");
  const evil = await keepOutput(directory, "../../etc/passwd\n", "a");
  expect(evil).toBe(join(directory, "______etc_passwd_.txt"));
  const long = await keepOutput(directory, "x".repeat(5_000), "b");
  expect(long).toBe(join(directory, `${"x".repeat(100)}.txt`));
  const again = await keepOutput(directory, "x".repeat(5_000), "c");
  expect(again).not.toBe(long);
  expect([readFileSync(long, "utf8"), readFileSync(again, "utf8")]).toEqual(["b", "c"]);
});

test("a text over the limit of a file loses its end, with characters whole", async () => {
  using folder = temporaryFolder();
  const path = await keepOutput(folder.path, "call", `x${"€".repeat(4 * MEGABYTE)}`);
  const bytes = readFileSync(path);
  expect(bytes.length).toBeLessThanOrEqual(10 * MEGABYTE);
  expect(bytes.length).toBeGreaterThan(10 * MEGABYTE - 4);
  expect(bytes.subarray(-3).toString()).toBe("€");
});

test("the oldest files go where a folder has no room, and those of other kinds stay", async () => {
  using folder = temporaryFolder();
  for (const [index, name] of ["c.txt", "a.txt", "b.txt", "other"].entries()) {
    const path = folder.write(name, "");
    truncateSync(path, 90 * MEGABYTE);
    utimesSync(path, 1_000 + index, 1_000 + index);
  }
  await keepOutput(folder.path, "new", "text");
  expect(readdirSync(folder.path).sort()).toEqual(["a.txt", "b.txt", "new.txt", "other"]);
});

test("a folder has a bound of files as well", async () => {
  using folder = temporaryFolder();
  for (let n = 0; n < 1_005; n += 1) {
    const path = folder.write(`${n}.txt`, "");
    utimesSync(path, 1_000 + n, 1_000 + n);
  }
  await keepOutput(folder.path, "new", "text");
  const names = readdirSync(folder.path);
  expect(names).toHaveLength(1_000);
  expect([names.includes("5.txt"), names.includes("6.txt")]).toEqual([false, true]);
});

test("a short output never touches the disk, unless it is needed", async () => {
  using folder = temporaryFolder();
  const directory = join(folder.path, "outputs");
  const short = new OutputFile(directory, "call");
  await short.add("stdout", "x".repeat(80_000));
  expect(await short.finish(false)).toBeNull();
  expect(existsSync(directory)).toBe(false);
  const needed = new OutputFile(directory, "call");
  await needed.add("stdout", "text");
  expect(await needed.finish(true)).toEqual({
    path: join(directory, "call.txt"),
    bytes: 4,
    whole: true,
  });
});

test("an output is written while it comes, in whole lines of both", async () => {
  using folder = temporaryFolder();
  const file = new OutputFile(folder.path, "call");
  const long = `${"x".repeat(79)}\n`.repeat(1_001);
  await file.add("stdout", `${long}half `);
  const path = join(folder.path, "call.txt");
  expect(readFileSync(path, "utf8")).toBe(long);
  await file.add("stderr", "error\nunfinished");
  await file.add("stdout", "line\nlast");
  expect(readFileSync(path, "utf8")).toBe(`${long}error\nhalf line\n`);
  const kept = await file.finish(true);
  expect(readFileSync(path, "utf8")).toBe(`${long}error\nhalf line\nlast\nunfinished`);
  expect(kept).toEqual({ path, bytes: statSync(path).size, whole: true });
});

test("what comes at once from both outputs is written once each, and late text is left out", async () => {
  using folder = temporaryFolder();
  const file = new OutputFile(folder.path, "call");
  const lines = (name: string) => `${name.repeat(99)}\n`.repeat(1_000);
  await Promise.all([file.add("stdout", lines("o")), file.add("stderr", lines("e"))]);
  const kept = await file.finish(true);
  await file.add("stdout", lines("late"));
  expect(kept).toMatchObject({ bytes: 200_000, whole: true });
  expect(readFileSync(join(folder.path, "call.txt"), "utf8")).toBe(lines("o") + lines("e"));
});

test("of an output over the limit its beginning is kept, in a file that tools can read", async () => {
  using folder = temporaryFolder();
  const file = new OutputFile(folder.path, "call");
  const piece = `${"€".repeat(333)}\n`.repeat(1_000);
  for (let n = 0; n < 12; n += 1) await file.add("stdout", piece);
  const kept = await file.finish(true);
  const path = join(folder.path, "call.txt");
  expect(kept).toEqual({ path, bytes: statSync(path).size, whole: false });
  expect(statSync(path).size).toBeLessThanOrEqual(10 * MEGABYTE);
  expect(piece.repeat(12).startsWith(readFileSync(path, "utf8"))).toBe(true);
});

test("where nothing can be written the output goes on, and the note says why", async () => {
  using folder = temporaryFolder();
  const directory = folder.write("a-file", "");
  const file = new OutputFile(directory, "call");
  await file.add("stdout", "x".repeat(100_000));
  await file.add("stdout", "more\n");
  const kept = await file.finish(true);
  expect(kept).toEqual({ path: null, reason: "EEXIST" });
  expect(keptNote(kept!)).toBe("; it could not be kept (EEXIST)");
  await expect(keepOutput(directory, "call", "text")).rejects.toThrow();
});

test("the note names the file, its size and how to read it", () => {
  expect(keptNote({ path: "/o/call.txt", bytes: 5, whole: true })).toBe(
    "; the whole output (5 bytes) can be read by parts, with file_read and its offset and limit: /o/call.txt",
  );
  expect(keptNote({ path: "/o/call.txt", bytes: 5, whole: false })).toStartWith(
    "; its first 5 bytes can be read by parts",
  );
});

test("a folder that is there keeps its files", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "outputs"));
  await keepOutput(join(folder.path, "outputs"), "one", "1");
  await keepOutput(join(folder.path, "outputs"), "two", "2");
  expect(readdirSync(join(folder.path, "outputs")).sort()).toEqual(["one.txt", "two.txt"]);
});
