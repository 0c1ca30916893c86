import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openConfigFile } from "../../src/config/config-file.ts";
import { EngineError } from "../../src/domain/errors.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

function faultOf(read: () => unknown): EngineError {
  try {
    read();
  } catch (error) {
    if (error instanceof EngineError) return error;
  }
  throw new Error("no EngineError");
}

test("a missing or empty file is empty settings, and nothing is created", () => {
  using folder = temporaryFolder();
  expect(openConfigFile(join(folder.path, "a", "config.json")).read()).toEqual({});
  expect(readdirSync(folder.path)).toEqual([]);
  expect(openConfigFile(folder.write("config.json", " \n")).read()).toEqual({});
});

test("every read sees what the file holds now", () => {
  using folder = temporaryFolder();
  const file = openConfigFile(folder.write("config.json", { a: 1 }));
  const first = file.read();
  expect(first).toEqual({ a: 1 });
  expect(file.read()).toBe(first);
  folder.write("config.json", { a: 2 });
  expect(file.read()).toEqual({ a: 2 });
});

test.each([
  [
    '{\n  "a": {\n    "api_key": "sk-secret",\n  }\n}',
    "line 4 column 3: expected a string, found }",
  ],
  ['{"api_key" "sk-secret"}', "line 1 column 12: expected :, found a string"],
  ["[1]", "line 1 column 1: expected an object"],
  ["null", "line 1 column 1: expected an object"],
])("%j is refused with its place and without its content", (text, problem) => {
  using folder = temporaryFolder();
  const path = folder.write("config.json", text);
  const error = faultOf(() => openConfigFile(path).read());
  expect(error.code).toBe("config_invalid");
  expect(error.message).toBe(`${path} ${problem}`);
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("a file that is mended is read again", () => {
  using folder = temporaryFolder();
  const file = openConfigFile(folder.write("config.json", "{"));
  expect(faultOf(() => file.read()).code).toBe("config_invalid");
  folder.write("config.json", "{}");
  expect(file.read()).toEqual({});
});

test("what is no text file says so", () => {
  using folder = temporaryFolder();
  const error = faultOf(() => openConfigFile(folder.path).read());
  expect(error.code).toBe("config_invalid");
  expect(error.message).toBe(`${folder.path} cannot be read: it is not a file`);
});
