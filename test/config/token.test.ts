import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { createTokenCheck, newToken, writeToken } from "../../src/config/token.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("a token is 32 random bytes in base64url", () => {
  const tokens = Array.from({ length: 20 }, newToken);
  for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(new Set(tokens).size).toBe(20);
});

test("the file is private, without a line break, in a private folder, with nothing beside it", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, ".kollab", "engine.token");
  writeToken(path, "first");
  writeToken(path, "second");
  expect(readFileSync(path, "utf8")).toBe("second");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  expect(readdirSync(dirname(path))).toEqual(["engine.token"]);
});

test("a file that others could read and a link are replaced, not written through", () => {
  using folder = temporaryFolder();
  const target = folder.write("target", "untouched");
  const path = join(folder.path, "engine.token");
  symlinkSync(target, path);
  writeToken(path, "token");
  expect(readFileSync(target, "utf8")).toBe("untouched");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("what cannot be written is an error and leaves nothing behind", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.token");
  mkdirSync(path);
  expect(() => writeToken(path, "token")).toThrow();
  expect(readdirSync(folder.path)).toEqual(["engine.token"]);
});

test("the own token and the one in the file are accepted, as the file is now", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.token");
  const check = createTokenCheck(path, "own");
  const accepted = () => ["own", "other", "third", ""].filter((token) => check.accepts(token));
  expect(accepted()).toEqual(["own"]);
  folder.write("engine.token", "other\n");
  expect(accepted()).toEqual(["own", "other"]);
  folder.write("engine.token", "third");
  expect(accepted()).toEqual(["own", "third"]);
  folder.write("engine.token", " \n");
  expect(accepted()).toEqual(["own"]);
  rmSync(path);
  mkdirSync(path);
  expect(accepted()).toEqual(["own"]);
});

test.each(["", " ", "own ", "Own", "ow", "own\u0000", "ünïcode 🎉", "\ud800", "x".repeat(100_000)])(
  "%j is refused and does no harm",
  (candidate) => {
    using folder = temporaryFolder();
    const path = folder.write("engine.token", "");
    expect(createTokenCheck(path, "own").accepts(candidate)).toBe(false);
  },
);
