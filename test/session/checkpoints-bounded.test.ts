import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunId } from "../../src/domain/ids.ts";
import { checkpointFixture, file } from "../support/checkpoints.ts";

const KILOBYTE = 1024;
const large = (letter: string) => letter.repeat(10 * KILOBYTE);
const limits = {
  bytes: 1000 * KILOBYTE,
  checkpointBytes: 1000 * KILOBYTE,
  checkpoints: 100,
  files: 100,
};

test("of too many checkpoints the oldest go, with what only they keep", async () => {
  await using f = await checkpointFixture({ ...limits, checkpoints: 2 });
  f.write("ws/a.txt", "one");
  await f.turn("run_1", { "a.txt": file("two") });
  const second = await f.turn("run_2", { "a.txt": file("three") });
  const third = await f.turn("run_3", { "a.txt": file("four") });
  expect((await f.records()).map(({ id }) => id)).toEqual([second, third]);
  // `two` is shared by the first two, and stays for the second.
  expect(keptTexts(f.directory)).toEqual(["four", "three", "two"]);
  await f.restore(second, { force: true });
  expect(readFileSync(f.at("a.txt"), "utf8")).toBe("two");
});

test("of too many bytes the oldest go, but contents are counted once", async () => {
  await using f = await checkpointFixture({ ...limits, bytes: 35 * KILOBYTE });
  await f.turn("run_1", { "a.txt": file(large("a")) });
  await f.turn("run_2", { "b.txt": file(large("a")), "c.txt": file(large("a")) });
  await f.turn("run_3", { "a.txt": file(large("b")) });
  await f.turn("run_4", { "a.txt": file(large("c")) });
  expect(await f.records()).toHaveLength(4);
  const last = await f.turn("run_5", { "a.txt": file(large("d")) });
  expect((await f.records()).map(({ runId }) => String(runId))).toEqual(["run_4", "run_5"]);
  expect(keptTexts(f.directory)).toEqual([large("b"), large("c"), large("d")]);
  await f.restore(last);
  expect(readFileSync(f.at("a.txt"), "utf8")).toBe(large("c"));
});

test("a restore lets go of neither itself nor what it restores", async () => {
  await using f = await checkpointFixture({ ...limits, checkpoints: 1 });
  f.write("ws/a.txt", "one");
  const turn = await f.turn("run_1", { "a.txt": file("two") });
  const { checkpoint } = await f.restore(turn);
  expect((await f.records()).map(({ id }) => id)).toEqual([turn, checkpoint!]);
  await f.turn("run_2", { "b.txt": file("b") });
  expect((await f.records()).map(({ runId }) => String(runId))).toEqual(["run_2"]);
});

test("a turn whose files are too large together goes on, and says which it did not keep", async () => {
  await using f = await checkpointFixture({ ...limits, checkpointBytes: 1024 * KILOBYTE });
  writeFileSync(f.at("a"), new Uint8Array(600 * KILOBYTE));
  writeFileSync(f.at("b"), new Uint8Array(600 * KILOBYTE).fill(1));
  const id = await f.turn("run_1", { a: file("a"), b: file("b") });
  expect(f.events.at(-1)).toEqual({
    type: "checkpoint_skipped",
    checkpoint_id: id,
    path: "b",
    size: 600 * KILOBYTE,
    reason: "The turn's files are larger than 1 MiB together",
  });
  expect((await f.restore(id, { files: ["a"] })).restored).toEqual(["a"]);
});

test("of a turn's files beyond the limit none is kept, and that is said once", async () => {
  await using f = await checkpointFixture({ ...limits, files: 2 });
  const id = await f.turn("run_1", { a: file("a"), b: file("b"), c: file("c") });
  await f.turn("run_1", { a: file("A"), d: file("d") });
  expect(f.events.slice(1)).toEqual([
    {
      type: "checkpoint_skipped",
      checkpoint_id: id,
      path: null,
      size: null,
      reason: "More than 2 files in one turn",
    },
  ]);
  expect(await f.checkpoints.list()).toMatchObject([{ leftOut: 2, files: { length: 2 } }]);
});

test("what an engine kept that was killed before it could store it is swept away", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  const id = await f.turn("run_1", { "a.txt": file("new") });
  for (const name of [".0123456789abcdef", "f".repeat(64)])
    writeFileSync(join(f.directory, name), "left");
  f.reopen();
  await f.checkpoints.list();
  expect(keptTexts(f.directory)).toEqual(["new", "old"]);
  await f.restore(id);
  expect(readFileSync(f.at("a.txt"), "utf8")).toBe("old");
});

test("counts go on right after a restart", async () => {
  await using f = await checkpointFixture({ ...limits, bytes: 35 * KILOBYTE });
  for (const letter of "abc") await f.turn(`run_${letter}`, { "a.txt": file(large(letter)) });
  f.reopen();
  await f.turn("run_d", { "a.txt": file(large("d")) });
  await f.checkpoints.noteCommand("run_d" as RunId);
  expect(keptTexts(f.directory)).toEqual([large("b"), large("c"), large("d")]);
});

const keptTexts = (directory: string): string[] =>
  readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), "utf8"))
    .sort();

test("the event names at most 50 files, and comes before what it could not keep", async () => {
  await using f = await checkpointFixture({ ...limits, files: 60, checkpointBytes: 500 });
  const many = Object.fromEntries(
    Array.from({ length: 70 }, (_, index) => [`f${index}`, file("x")]),
  );
  const id = await f.turn("run_1", many);
  expect(f.events.map(({ type }) => type)).toEqual(["checkpoint", "checkpoint_skipped"]);
  expect(f.events[0]).toMatchObject({ files: Object.keys(many).slice(0, 50) });
  f.events.length = 0;
  for (const name of ["f0", "f1"]) writeFileSync(f.at(name), "y".repeat(600));
  await f.restore(id, { force: true });
  expect(f.events.map(({ type }) => type)).toEqual([
    "checkpoint",
    "checkpoint_skipped",
    "checkpoint_skipped",
  ]);
});
