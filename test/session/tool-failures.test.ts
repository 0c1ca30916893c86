/** What a tool throws that nobody expected: the model reads that it failed, and nothing of the engine's insides. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../../src/domain/errors.ts";
import type { SessionId } from "../../src/domain/ids.ts";
import { askedTurn, DENY } from "../support/asked-turn.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { fakeSession } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
let id: string;
beforeEach(async () => {
  e = await startEngine({});
  fake = await startFakeProvider();
  id = await fakeSession(e, fake, { approval_mode: "trust_all" });
});
afterEach(async () => {
  await e.stop();
  await fake.stop();
});

const session = () => e.engine.sessions.get(id as SessionId);

async function failure(): Promise<string> {
  const step = { call: "file_create", input: { file: "new.txt", content: "x" } };
  const { results } = await askedTurn(e, fake, id, [step], DENY);
  expect(results).toMatchObject([{ success: false }]);
  return results[0]?.error;
}

const SECRET_PATH = "/home/somebody/.kollab/engine/engine.db";
const thrown = (message: string, code = "") => Object.assign(new Error(message), { code });
test.each([
  [
    "an error of the system",
    thrown(`ENOSPC: no space left on device, open '${SECRET_PATH}'`, "ENOSPC"),
    "Nothing changed: what is there now cannot be kept for an undo (No space left on the device)",
  ],
  [
    "one that is not known",
    thrown(`EWEIRD: odd, open '${SECRET_PATH}'`, "EWEIRD"),
    "The tool could not be run: the engine's log says why",
  ],
  [
    "a bug",
    new TypeError(`undefined is not a function, at ${SECRET_PATH}`),
    "The tool could not be run: the engine's log says why",
  ],
  ["what is no error", SECRET_PATH, "The tool could not be run: the engine's log says why"],
  ["what is meant to be read", new EngineError("conflict", "Wait for it"), "Wait for it"],
])("%s is told without a path of the engine", async (_what, error, told) => {
  (await session()).forTools.changing = () => Promise.reject(error);
  expect(await failure()).toBe(told);
});

test("a folder of contents that is in the way changes nothing and is no trouble of the file", async () => {
  const { directory } = await session();
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(e.workspace, "new.txt"), "old");
  const before = { call: "file_create_overwrite", input: { file: "new.txt", content: "x" } };
  writeFileSync(join(directory, "files"), "");
  const { results } = await askedTurn(e, fake, id, [before], DENY);
  expect(results[0]?.error).toStartWith("Nothing changed: what is there now cannot be kept");
  expect(JSON.stringify(results)).not.toContain(directory);
  expect(readFileSync(join(e.workspace, "new.txt"), "utf8")).toBe("old");
});
