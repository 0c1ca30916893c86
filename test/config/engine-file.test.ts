import { expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { findEngineUrl, removeEngineFile, writeEngineFile } from "../../src/config/engine-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const LISTENING = { host: "127.0.0.1", port: 4321 };

test("the engine that runs is found until it removes its file", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine", "engine.json");
  expect(findEngineUrl(path)).toBeNull();
  writeEngineFile(path, LISTENING);
  expect(findEngineUrl(path)).toBe("http://127.0.0.1:4321");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  removeEngineFile(path);
  expect(findEngineUrl(path)).toBeNull();
  removeEngineFile(path);
});

test.each([
  ["0.0.0.0", "http://127.0.0.1:1"],
  ["::", "http://[::1]:1"],
  ["::1", "http://[::1]:1"],
  ["box.local", "http://box.local:1"],
])("an engine on %s is reached at %s", (host, url) => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.json");
  writeEngineFile(path, { host, port: 1 });
  expect(findEngineUrl(path)).toBe(url);
});

test("a dead engine is not trusted, nor another process with its pid", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.json");
  writeEngineFile(path, LISTENING);
  const mine = JSON.parse(readFileSync(path, "utf8"));
  const child = Bun.spawn(["true"]);
  await child.exited;
  for (const other of [{ pid: child.pid }, { started_at: "1" }]) {
    folder.write("engine.json", { ...mine, ...other });
    expect(findEngineUrl(path)).toBeNull();
  }
});

test("the file of another engine stays", () => {
  using folder = temporaryFolder();
  const path = folder.write("engine.json", { pid: 1, started_at: "1", ...LISTENING });
  removeEngineFile(path);
  expect(JSON.parse(readFileSync(path, "utf8")).pid).toBe(1);
});

test.each([
  "",
  "{",
  "null",
  "[]",
  "7",
  '{"pid": 1}',
  '{"pid":"1","started_at":1,"host":1,"port":1}',
])("%j names no engine", (text) => {
  using folder = temporaryFolder();
  const path = folder.write("engine.json", text);
  expect(findEngineUrl(path)).toBeNull();
  removeEngineFile(path);
  expect(readFileSync(path, "utf8")).toBe(text);
});
