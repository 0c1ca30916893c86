/** What a shell command names is kept before it runs, and comes back with its turn. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import type { Json } from "../support/sse.ts";
import { eventsOf, fakeSession, sendAnswering } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  e = await startEngine();
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
});
afterEach(() => fake.stop());

const path = (name: string) => join(e.workspace, name);
const put = (name: string, text: string) => {
  mkdirSync(join(path(name), ".."), { recursive: true });
  writeFileSync(path(name), text);
};
const read = (name: string) => readFileSync(path(name), "utf8");

/** A session whose turn ran the command, and what can be undone of it. */
async function afterCommand(command: string): Promise<{ id: string; checkpoints: Json[] }> {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [{ call: "terminal", input: { command } }] }, "done");
  await e.turn(id, "go");
  return { id, ...(await e.json("GET", `/sessions/${id}/checkpoints`)) };
}
const undo = (id: string, [checkpoint]: Json[]) =>
  e.json("POST", `/sessions/${id}/checkpoints/${checkpoint.checkpoint_id}/restore`, {});

test("a folder that rm took comes back whole, with its modes", async () => {
  put("src/a.ts", "a");
  put("src/deep/run.sh", "#!/bin/sh\n");
  chmodSync(path("src/deep/run.sh"), 0o755);
  const { id, checkpoints } = await afterCommand("rm -rf src");
  expect(existsSync(path("src"))).toBe(false);
  await undo(id, checkpoints);
  expect([read("src/a.ts"), read("src/deep/run.sh")]).toEqual(["a", "#!/bin/sh\n"]);
  expect(statSync(path("src/deep/run.sh")).mode & 0o777).toBe(0o755);
});

test.each([
  ["sed -i s/one/two/ notes.txt"],
  ["echo two > notes.txt"],
  ["echo more >> notes.txt && echo two | tee notes.txt"],
  ["cp other.txt notes.txt"],
  ["mv other.txt notes.txt"],
  ["cd . && truncate -s 0 notes.txt"],
  ["rm *.txt"],
  ["bash -c 'echo two > notes.txt'"],
  ["mkdir made; mv notes.txt made"],
  ["mv notes.txt renamed.txt; cp other.txt copied.txt"],
])("after %s the turn is undone", async (command) => {
  put("notes.txt", "one");
  put("other.txt", "two");
  const { id, checkpoints } = await afterCommand(command);
  expect(checkpoints).toHaveLength(1);
  await undo(id, checkpoints);
  expect([read("notes.txt"), read("other.txt")]).toEqual(["one", "two"]);
  expect(existsSync(path("made/notes.txt"))).toBe(false);
});

test.each([
  ["a folder that a command makes first", "mkdir -p build && cd build && rm -f *.o && echo ok"],
  ["a folder that is not there", "rm -f nowhere/*.o; echo ok"],
  ["a pattern over many folders", `rm -f ${"t/*/*/*.z ".repeat(50)}; echo ok`],
])("%s keeps no command from running", async (_, command) => {
  put("t/a/b/c", "x");
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [{ call: "terminal", input: { command } }] }, "done");
  const [result] = eventsOf(await e.turn(id, "go"), "tool_result");
  expect(result).toMatchObject({ success: true, output: "ok\n" });
});

test("a command that changes nothing makes no checkpoint", async () => {
  put("notes.txt", "one");
  put("src/a.ts", "a");
  for (const command of ["false && rm notes.txt", "mkdir -p src", "touch -c none.txt"])
    expect((await afterCommand(command)).checkpoints).toEqual([]);
});

test("of a folder that things are put into only those are listed", async () => {
  put("a.txt", "new");
  for (let at = 0; at < 600; at += 1) put(`large/${at}.txt`, "x");
  put("large/a.txt", "old");
  const { id, checkpoints } = await afterCommand("cp a.txt large/");
  expect(checkpoints[0].files.map((file: Json) => file.path)).toEqual(["large/a.txt"]);
  await undo(id, checkpoints);
  expect(read("large/a.txt")).toBe("old");
});

test("a name with brackets, a file behind a link, one after a subshell that went elsewhere", async () => {
  put("pages/[id].tsx", "page");
  put("real.txt", "real");
  put("sub/b.txt", "below");
  put("b.txt", "here");
  rmSync(path("soft.txt"), { force: true });
  symlinkSync("real.txt", path("soft.txt"));
  const { id, checkpoints } = await afterCommand(
    "rm 'pages/[id].tsx'; echo two > soft.txt; (cd sub && ls); rm b.txt",
  );
  await undo(id, checkpoints);
  expect([read("pages/[id].tsx"), read("real.txt"), read("b.txt")]).toEqual([
    "page",
    "real",
    "here",
  ]);
});

test("a folder that a link replaced is told of, and the rest of the turn can be undone", async () => {
  put("swapped/a.ts", "a");
  put("notes.txt", "one");
  const { id, checkpoints } = await afterCommand("rm -rf swapped notes.txt && ln -s x swapped");
  await undo(id, checkpoints);
  expect(read("notes.txt")).toBe("one");
});

test.each(["mv tree moved", "cp -r tree moved"])(
  "after %s nothing of the new folder is left",
  async (command) => {
    put("tree/a.ts", "a");
    put("tree/deep/b.ts", "b");
    const { id, checkpoints } = await afterCommand(command);
    expect(read("moved/deep/b.ts")).toBe("b");
    await undo(id, checkpoints);
    expect([read("tree/a.ts"), read("tree/deep/b.ts")]).toEqual(["a", "b"]);
    expect(existsSync(path("moved"))).toBe(false);
  },
);

test("what a command makes is gone after the undo", async () => {
  const { id, checkpoints } = await afterCommand("echo new > fresh.txt");
  expect(read("fresh.txt")).toBe("new\n");
  await undo(id, checkpoints);
  expect(existsSync(path("fresh.txt"))).toBe(false);
});

test("commands that name nothing to change leave no checkpoint", async () => {
  put("notes.txt", "one");
  const { checkpoints } = await afterCommand("cat notes.txt; ls; grep -c one notes.txt");
  expect(checkpoints).toEqual([]);
});

test("what is outside the workspace or in .git is not touched by it", async () => {
  put(".git/config", "kept");
  writeFileSync(join(e.home, "mine.txt"), "mine");
  symlinkSync(e.home, path("link"));
  const { checkpoints } = await afterCommand(
    `echo x > .git/config; echo x > ${e.home}/mine.txt; echo x > link/other.txt; ls > /dev/null`,
  );
  expect(checkpoints).toEqual([]);
});

test("a denied command keeps nothing", async () => {
  put("notes.txt", "one");
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [{ call: "terminal", input: { command: "rm notes.txt" } }] }, "done");
  const seen = await sendAnswering(e, id, "go", ["deny"]);
  expect(eventsOf(seen, "checkpoint")).toEqual([]);
  expect((await e.json("GET", `/sessions/${id}/checkpoints`)).checkpoints).toEqual([]);
});

test("a folder too large to keep is told of, and the command runs", async () => {
  for (let at = 0; at < 600; at += 1) put(`many/${at}.txt`, "x");
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [{ call: "terminal", input: { command: "rm -rf many" } }] }, "done");
  const seen = await e.turn(id, "go");
  expect(existsSync(path("many"))).toBe(false);
  expect(eventsOf(seen, "checkpoint_skipped").map(({ reason }) => reason)).toEqual([
    "The command names more than 500 files or 32 MiB",
  ]);
});

test("what a command makes too large is told of, and what came before it can be undone", async () => {
  put("small.txt", "one");
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const large = ["x.bin", "y.bin", "z.bin"].map((name) => `head -c 18000000 /dev/zero > ${name}`);
  const command = ["echo two > small.txt", ...large].join("; ");
  fake.reply({ steps: [{ call: "terminal", input: { command } }] }, "done");
  const seen = await e.turn(id, "go");
  expect(eventsOf(seen, "checkpoint_skipped").map(({ reason }) => reason)).toEqual([
    "The command names more than 500 files or 32 MiB",
  ]);
  await undo(id, (await e.json("GET", `/sessions/${id}/checkpoints`)).checkpoints);
  expect(read("small.txt")).toBe("one");
  expect(existsSync(path("z.bin"))).toBe(true);
  for (const name of ["x.bin", "y.bin", "z.bin"]) rmSync(path(name), { force: true });
});
