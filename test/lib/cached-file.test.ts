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
