import { expect, setSystemTime, test } from "bun:test";
import { renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CachedFile } from "../../src/lib/cached-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Counts how often the content was parsed. */
function countedFile(path: string, bytesMax = 100) {
  let parses = 0;
  const file = new CachedFile(path, bytesMax, (text) => {
    parses += 1;
    return { text };
  });
  return { file, parses: () => parses };
}

test("an unchanged file gives the same object and is parsed once", () => {
  using folder = temporaryFolder();
  const { file, parses } = countedFile(folder.write("f", "one"));
  const first = file.read();
  expect(first).toEqual({ text: "one" });
  expect(file.read()).toBe(first);
  expect(parses()).toBe(1);
});

test("every change is seen at once: content, same size, replaced, removed, back again", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "f");
  const { file } = countedFile(path);
  const seen: (string | null)[] = [];
  const look = () => seen.push(file.read().text);
  look();
  writeFileSync(path, "one");
  look();
  writeFileSync(path, "two");
  look();
  renameSync(folder.write("new", "six"), path);
  look();
  rmSync(path);
  look();
  writeFileSync(path, "ten");
  look();
  expect(seen).toEqual([null, "one", "two", "six", null, "ten"]);
});

test("a change whose time was set back is seen", () => {
  using folder = temporaryFolder();
  const path = folder.write("f", "one");
  const old = new Date(Date.now() - 3_600_000);
  utimesSync(path, old, old);
  const { file } = countedFile(path);
  expect(file.read().text).toBe("one");
  writeFileSync(path, "two");
  utimesSync(path, old, old);
  expect(file.read().text).toBe("two");
});

test("a file that has not changed for long is seen to change", () => {
  using folder = temporaryFolder();
  const path = folder.write("f", "one");
  const { file } = countedFile(path);
  setSystemTime(Date.now() + 3_600_000);
  try {
    const first = file.read();
    expect(file.read()).toBe(first);
    const before = statSync(path).ctimeMs;
    // The kernel's clock for files ticks every few milliseconds.
    while (statSync(path).ctimeMs === before) writeFileSync(path, "two");
    expect(file.read()).toEqual({ text: "two" });
  } finally {
    setSystemTime();
  }
});

test("a byte order mark is no content", () => {
  using folder = temporaryFolder();
  expect(countedFile(folder.write("f", "\ufeff{}")).file.read().text).toBe("{}");
});

test("a file below a file is missing, a folder or too large a file is an error", () => {
  using folder = temporaryFolder();
  const path = folder.write("f", "x".repeat(101));
  expect(countedFile(join(path, "g")).file.read().text).toBeNull();
  expect(() => countedFile(folder.path).file.read()).toThrow("it is not a file");
  expect(() => countedFile(path).file.read()).toThrow("it is larger than 100 bytes");
});

test("what parsing throws is thrown every time, until the file is mended", () => {
  using folder = temporaryFolder();
  const path = folder.write("f", "bad");
  const file = new CachedFile(path, 100, (text) => {
    if (text === "bad") throw new Error("bad");
    return text;
  });
  expect(() => file.read()).toThrow("bad");
  expect(() => file.read()).toThrow("bad");
  writeFileSync(path, "good");
  expect(file.read()).toBe("good");
});

test("a pipe that takes the place of the file at any moment keeps nobody waiting", async () => {
  using folder = temporaryFolder();
  const [path, pipe] = [folder.write("f", "one"), join(folder.path, "pipe")];
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
  expect(() => countedFile(pipe).file.read()).toThrow("it is not a file");
  const options = {
    env: { PLACE: path, PIPE: pipe },
    stdout: "inherit",
    stderr: "inherit",
  } as const;
  const swapping = Bun.spawn([process.execPath, "-e", SWAP], options);
  // A reader that waits for the pipe waits for ever.
  const reading = Bun.spawn([process.execPath, "-e", READ], { ...options, timeout: 10_000 });
  expect(await reading.exited).toBe(0);
  swapping.kill();
  await swapping.exited;
}, 20_000);

const SWAP = `
const { linkSync, renameSync, writeFileSync } = require("node:fs");
const { PLACE, PIPE } = process.env;
for (;;) {
  linkSync(PIPE, PLACE + ".next");
  renameSync(PLACE + ".next", PLACE);
  writeFileSync(PLACE + ".next", "one");
  renameSync(PLACE + ".next", PLACE);
}`;
const READ = `
const { CachedFile } = await import(${JSON.stringify(join(import.meta.dir, "../../src/lib/cached-file.ts"))});
const seen = { files: 0, pipes: 0 };
while (seen.files < 200 || seen.pipes < 200) {
  try {
    new CachedFile(process.env.PLACE, 100, (text) => text).read();
    seen.files += 1;
  } catch (error) {
    if (error.message !== "it is not a file") throw error;
    seen.pipes += 1;
  }
}`;
