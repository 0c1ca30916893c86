import { expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { CheckpointId, RunId } from "../../src/domain/ids.ts";
import { KEPT_BYTES_MAX } from "../../src/tools/file-changes.ts";
import { checkpointFixture, file, refusalOf, SESSION } from "../support/checkpoints.ts";

const RUN = "run_1" as RunId;
const read = (path: string) => readFileSync(path, "utf8");

test("a turn is undone whole: what it changed, made and deleted", async () => {
  await using f = await checkpointFixture();
  f.write("ws/changed.txt", "old");
  f.write("ws/deleted.sh", "#!/bin/sh");
  chmodSync(f.at("deleted.sh"), 0o755);
  const id = await f.turn("run_1", {
    "changed.txt": file("new"),
    "deleted.sh": null,
    src: { kind: "directory" },
    "src/deep": { kind: "directory" },
    "src/deep/made.txt": file("made"),
    link: { kind: "link", target: "changed.txt" },
  });
  expect(readlinkSync(f.at("link"))).toBe("changed.txt");
  expect(existsSync(f.at("deleted.sh"))).toBe(false);

  const undone = await f.restore(id);
  expect(undone.unchanged).toEqual([]);
  expect(undone.restored.sort()).toEqual([
    "changed.txt",
    "deleted.sh",
    "link",
    "src",
    "src/deep",
    "src/deep/made.txt",
  ]);
  expect(read(f.at("changed.txt"))).toBe("old");
  expect(statSync(f.at("deleted.sh")).mode & 0o777).toBe(0o755);
  expect(readdirSync(f.workspace).sort()).toEqual(["changed.txt", "deleted.sh"]);
});

test("a restore is undone by its own checkpoint, and that undo in turn", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  const turn = await f.turn("run_1", {
    "a.txt": file("new"),
    d: { kind: "directory" },
    "d/b": file("b"),
  });
  const undo = await f.restore(turn);
  expect(existsSync(f.at("d"))).toBe(false);
  const redo = await f.restore(undo.checkpoint!);
  expect([read(f.at("a.txt")), read(f.at("d/b"))]).toEqual(["new", "b"]);
  expect(
    (await f.checkpoints.list()).map(({ id, kind, restores, restored }) => [
      id,
      kind,
      restores,
      restored,
    ]),
  ).toEqual([
    [redo.checkpoint, "restore", undo.checkpoint, false],
    [undo.checkpoint, "restore", turn, true],
    [turn, "turn", null, false],
  ] as never);
  await f.restore(redo.checkpoint!);
  expect(read(f.at("a.txt"))).toBe("old");
});

test("changed again in the same turn, a file goes back to what it was before the first change", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "one");
  await f.turn("run_1", { "a.txt": file("two") });
  await f.turn("run_1", { "a.txt": file("three"), "b.txt": file("b") });
  const id = await f.turn("run_1", { "b.txt": null });
  expect(await f.records()).toHaveLength(1);
  expect(f.events).toEqual([
    { type: "checkpoint", checkpoint_id: id, turn_id: RUN, files: ["a.txt"] },
  ]);
  const [summary] = await f.checkpoints.list();
  expect(summary?.files).toEqual([
    { path: "a.txt", kind: "file", change: "modified", kept: true, size: 3, aside: false },
    { path: "b.txt", kind: "file", change: "none", kept: true, size: null, aside: false },
  ]);
  expect(await f.restore(id)).toMatchObject({ restored: ["a.txt"], unchanged: ["b.txt"] });
  expect(read(f.at("a.txt"))).toBe("one");
});

test("over a file that changed since, nothing is restored until it is forced", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "a");
  f.write("ws/b.txt", "b");
  const id = await f.turn("run_1", { "a.txt": file("A"), "b.txt": file("B") });
  writeFileSync(f.at("b.txt"), "mine");
  const refused = await refusalOf(f.restore(id));
  expect(refused.code).toBe("conflict");
  expect(refused.message).toContain("b.txt: It has changed since");
  expect(refused.files).toEqual([
    { path: "b.txt", reason: "changed_since", message: "It has changed since" },
  ]);
  expect(read(f.at("a.txt"))).toBe("A");
  expect(await f.records()).toHaveLength(1);

  expect((await f.restore(id, { files: ["a.txt"] })).restored).toEqual(["a.txt"]);
  const forced = await f.restore(id, { force: true });
  expect(forced).toMatchObject({ restored: ["b.txt"], unchanged: ["a.txt"] });
  expect(read(f.at("b.txt"))).toBe("b");
  await f.restore(forced.checkpoint!);
  expect(read(f.at("b.txt"))).toBe("mine");
});

test("a file that its user deleted since counts as changed, one that came back as unchanged", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "a");
  const id = await f.turn("run_1", { "a.txt": file("A") });
  rmSync(f.at("a.txt"));
  expect((await refusalOf(f.restore(id))).files).toMatchObject([{ reason: "changed_since" }]);
  writeFileSync(f.at("a.txt"), "a");
  expect(await f.restore(id)).toEqual({
    restored: [],
    unchanged: ["a.txt"],
    leftOut: [],
    checkpoint: null,
  });
});

test("two turns with one file are undone one after the other, and the later one first", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "one");
  const first = await f.turn("run_1", { "a.txt": file("two") });
  const second = await f.turn("run_2", { "a.txt": file("three") });
  const refused = await refusalOf(f.restore(first));
  expect(refused.message).toContain(`in ${second}: restore that one first`);
  await f.restore(second);
  expect(read(f.at("a.txt"))).toBe("two");
  await f.restore(first);
  expect(read(f.at("a.txt"))).toBe("one");
});

test("out of order, force brings back the older state and can be undone", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "one");
  const first = await f.turn("run_1", { "a.txt": file("two") });
  await f.turn("run_2", { "a.txt": file("three") });
  const { checkpoint } = await f.restore(first, { force: true });
  expect(read(f.at("a.txt"))).toBe("one");
  await f.restore(checkpoint!);
  expect(read(f.at("a.txt"))).toBe("three");
});

test("killed between keeping and writing, or right after writing, a turn can be undone", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  f.write("ws/b.txt", "old");
  await f.checkpoints.changing(
    RUN,
    await f.changesTo({ "a.txt": file("new"), "b.txt": file("new") }),
  );
  writeFileSync(f.at("a.txt"), "new");
  f.reopen();
  const [checkpoint] = await f.checkpoints.list();
  expect(await f.restore(checkpoint!.id)).toMatchObject({
    restored: ["a.txt"],
    unchanged: ["b.txt"],
  });
  expect(read(f.at("a.txt"))).toBe("old");
});

test("a second change that was never made stands in nobody's way", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "one");
  const id = await f.turn("run_1", { "a.txt": file("two") });
  await f.checkpoints.changing(RUN, await f.changesTo({ "a.txt": file("three") }));
  await f.restore(id);
  expect(read(f.at("a.txt"))).toBe("one");
});

test("what is kept is what is there, not what the tool believed", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "read by the tool");
  const changes = await f.changesTo({ "a.txt": file("new") });
  writeFileSync(f.at("a.txt"), "saved by an editor");
  await f.checkpoints.changing(RUN, changes);
  writeFileSync(f.at("a.txt"), "new");
  const [checkpoint] = await f.checkpoints.list();
  await f.restore(checkpoint!.id);
  expect(read(f.at("a.txt"))).toBe("saved by an editor");
});

test("binary content comes back byte for byte", async () => {
  await using f = await checkpointFixture();
  const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256);
  writeFileSync(f.at("a.bin"), bytes);
  const id = await f.turn("run_1", { "a.bin": file(Uint8Array.of(0, 255, 0)) });
  expect(await f.checkpoints.diff(id)).toContain("a.bin");
  await f.restore(id);
  expect(Buffer.compare(readFileSync(f.at("a.bin")), bytes)).toBe(0);
});

test("a file that is too large is named when it changes, and when it cannot come back", async () => {
  await using f = await checkpointFixture();
  const size = KEPT_BYTES_MAX + 1;
  writeFileSync(f.at("large.bin"), new Uint8Array(size));
  f.write("ws/small.txt", "old");
  const id = await f.turn("run_1", { "large.bin": file("x"), "small.txt": file("new") });
  expect(f.events).toEqual([
    { type: "checkpoint", checkpoint_id: id, turn_id: RUN, files: ["large.bin", "small.txt"] },
    {
      type: "checkpoint_skipped",
      checkpoint_id: id,
      path: "large.bin",
      size,
      reason: "Larger than 20 MiB",
    },
  ]);
  expect((await f.checkpoints.list())[0]?.files[0]).toEqual({
    path: "large.bin",
    kind: "file",
    change: "modified",
    kept: false,
    size,
    aside: false,
  });
  const refused = await refusalOf(f.restore(id));
  expect(refused.files).toEqual([
    { path: "large.bin", reason: "not_kept", message: "What it was before was not kept" },
  ]);
  expect(await f.restore(id, { force: true })).toMatchObject({
    restored: ["small.txt"],
    leftOut: ["large.bin"],
  });
});

test("over a file that grew too large to be kept it takes force, as that cannot be undone", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  const id = await f.turn("run_1", { "a.txt": file("new") });
  writeFileSync(f.at("a.txt"), new Uint8Array(KEPT_BYTES_MAX + 1));
  expect((await refusalOf(f.restore(id))).files).toMatchObject([{ reason: "not_undoable" }]);
  const forced = await f.restore(id, { force: true });
  expect(read(f.at("a.txt"))).toBe("old");
  expect(f.events.slice(-2)).toMatchObject([
    { type: "checkpoint", files: ["a.txt"] },
    { type: "checkpoint_skipped", path: "a.txt" },
  ]);
  expect((await refusalOf(f.restore(forced.checkpoint!))).files).toMatchObject([
    { reason: "not_kept" },
  ]);
});

test("a directory that the turn made stays while something else is in it", async () => {
  await using f = await checkpointFixture();
  const id = await f.turn("run_1", {
    d: { kind: "directory" },
    "d/e": { kind: "directory" },
    "d/e/a": file("a"),
    "d/b": file("b"),
  });
  f.write("ws/d/mine.txt", "mine");
  const { restored, unchanged } = await f.restore(id);
  expect([restored.sort(), unchanged]).toEqual([["d/b", "d/e", "d/e/a"], ["d"]]);
  expect(readdirSync(f.at("d"))).toEqual(["mine.txt"]);
});

test("with a file that is named, the directories that were made for it go", async () => {
  await using f = await checkpointFixture();
  const id = await f.turn("run_1", { d: { kind: "directory" }, "d/a": file("a"), b: file("b") });
  expect((await f.restore(id, { files: ["./d/a"] })).restored).toEqual(["d/a", "d"]);
  expect(readdirSync(f.workspace)).toEqual(["b"]);
});

test("directories that are gone come back with what was in them", async () => {
  await using f = await checkpointFixture();
  f.write("ws/d/e/a.txt", "a");
  const id = await f.turn("run_1", { "d/e/a.txt": null });
  rmSync(f.at("d"), { recursive: true });
  const { checkpoint } = await f.restore(id);
  expect(read(f.at("d/e/a.txt"))).toBe("a");
  await f.restore(checkpoint!);
  expect(existsSync(f.at("d"))).toBe(false);
});

test("a removed directory, a link and a file in each other's place come back", async () => {
  await using f = await checkpointFixture();
  mkdirSync(f.at("d"));
  symlinkSync("elsewhere", f.at("l"));
  const id = await f.turn("run_1", { d: file("now a file"), l: file("now a file") });
  await f.restore(id);
  expect(statSync(f.at("d")).isDirectory()).toBe(true);
  expect(readlinkSync(f.at("l"))).toBe("elsewhere");
});

test("nothing is restored through a link that came into the way since", async () => {
  await using f = await checkpointFixture();
  f.write("ws/d/a.txt", "old");
  f.write("out/a.txt", "outside");
  const id = await f.turn("run_1", { "d/a.txt": file("new") });
  rmSync(f.at("d"), { recursive: true });
  symlinkSync(f.outside, f.at("d"));
  expect((await refusalOf(f.restore(id, { force: true }))).files).toMatchObject([
    { path: "d/a.txt", reason: "not_allowed" },
  ]);
  rmSync(f.at("d"));
  mkdirSync(f.at("other"));
  symlinkSync("other", f.at("d"));
  expect((await refusalOf(f.restore(id, { force: true }))).files).toMatchObject([
    { reason: "not_allowed", message: "A symbolic link is in its way" },
  ]);
  expect(read(join(f.outside, "a.txt"))).toBe("outside");
});

test("a link in a file's own place is replaced, not followed, and only when forced", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  f.write("out/secret.txt", "outside");
  const id = await f.turn("run_1", { "a.txt": file("new") });
  rmSync(f.at("a.txt"));
  symlinkSync(join(f.outside, "secret.txt"), f.at("a.txt"));
  expect((await refusalOf(f.restore(id))).files).toMatchObject([{ reason: "changed_since" }]);
  await f.restore(id, { force: true });
  expect(read(f.at("a.txt"))).toBe("old");
  expect(read(join(f.outside, "secret.txt"))).toBe("outside");
});

test("what is closed, or no file, is never restored", async () => {
  await using f = await checkpointFixture();
  f.write("ws/.git/config", "theirs");
  f.write("ws/a.txt", "old");
  const id = await f.turn("run_1", { ".git/config": file("changed"), "a.txt": file("new") });
  rmSync(f.at("a.txt"));
  Bun.spawnSync(["mkfifo", f.at("a.txt")]);
  expect((await refusalOf(f.restore(id, { force: true }))).files).toMatchObject([
    { path: ".git/config", reason: "not_allowed" },
    { path: "a.txt", reason: "not_allowed" },
  ]);
  expect(read(f.at(".git/config"))).toBe("changed");
});

test("a directory with files in a file's place is never replaced", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  const id = await f.turn("run_1", { "a.txt": file("new") });
  rmSync(f.at("a.txt"));
  f.write("ws/a.txt/mine", "mine");
  expect((await refusalOf(f.restore(id, { force: true }))).files).toMatchObject([
    { reason: "not_allowed" },
  ]);
  expect(read(f.at("a.txt/mine"))).toBe("mine");
});

test("where a part of a path is a file by now, nothing is restored, or the rest where that is forced", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "a");
  f.write("ws/d/b.txt", "b");
  const id = await f.turn("run_1", { "a.txt": file("A"), "d/b.txt": null });
  rmSync(f.at("d"), { recursive: true });
  writeFileSync(f.at("d"), "in the way");
  const { files } = await refusalOf(f.restore(id));
  expect(files).toMatchObject([{ path: "d/b.txt", reason: "not_allowed" }]);
  expect(read(f.at("a.txt"))).toBe("A");
  const forced = await f.restore(id, { force: true });
  expect(forced).toMatchObject({ restored: ["a.txt"], leftOut: ["d/b.txt"] });
  expect([read(f.at("a.txt")), read(f.at("d"))]).toEqual(["a", "in the way"]);
});

test("what fails while it is made leaves everything as it was, and no checkpoint", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "a");
  f.write("ws/b", "b");
  const id = await f.turn("run_1", { "a.txt": file("A"), b: { kind: "directory" } });
  f.write("ws/b/mine.txt", "mine");
  const { code, message } = await refusalOf(f.restore(id));
  expect([code, message]).toEqual([
    "conflict",
    "Nothing was restored. Files changed meanwhile, or a directory is not empty",
  ]);
  expect([read(f.at("a.txt")), read(f.at("b/mine.txt"))]).toEqual(["A", "mine"]);
  expect(await f.records()).toHaveLength(1);
  expect(f.events).toHaveLength(1);
});

test("a kept copy that is damaged or gone is never written", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  const id = await f.turn("run_1", { "a.txt": file("new") });
  for (const name of readdirSync(f.directory)) writeFileSync(join(f.directory, name), "damaged");
  expect((await refusalOf(f.restore(id))).files).toMatchObject([
    { path: "a.txt", reason: "not_kept" },
  ]);
  rmSync(f.directory, { recursive: true });
  expect((await refusalOf(f.restore(id))).files).toMatchObject([
    { path: "a.txt", reason: "not_kept" },
  ]);
  expect(await f.checkpoints.diff(id)).toContain("a.txt");
  expect(read(f.at("a.txt"))).toBe("new");
});

test("the diff shows what the turn changed, also after the files changed again", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "one\ntwo\n");
  const id = await f.turn("run_1", { "a.txt": file("one\n2\n"), "b.txt": file("b\n") });
  rmSync(f.at("a.txt"));
  const diff = await f.checkpoints.diff(id);
  expect(diff).toContain("-two\n+2\n");
  expect(diff).toContain("+b\n");
  const one = await f.checkpoints.diff(id, ["b.txt"]);
  expect(one).not.toContain("a.txt");
  expect(diff).toEndWith(one);
});

test("unknown checkpoints and files are not found", async () => {
  await using f = await checkpointFixture();
  const id = await f.turn("run_1", { "a.txt": file("a") });
  expect(await refusalOf(f.restore("ckpt_none" as CheckpointId))).toMatchObject({
    code: "not_found",
  });
  expect(await refusalOf(f.checkpoints.diff("ckpt_none" as CheckpointId))).toMatchObject({
    code: "not_found",
  });
  for (const path of ["none.txt", "../out/a.txt", "/etc/passwd", ""])
    expect(await refusalOf(f.restore(id, { files: [path] }))).toMatchObject({ code: "not_found" });
  expect(await refusalOf(f.checkpoints.diff(id, ["none.txt"]))).toMatchObject({
    code: "not_found",
  });
});

test("commands of a turn are counted, before and after its first change, and alone make no checkpoint", async () => {
  await using f = await checkpointFixture();
  await f.checkpoints.noteCommand("run_0" as RunId);
  expect(await f.checkpoints.list()).toEqual([]);
  await f.checkpoints.noteCommand(RUN);
  await f.turn("run_1", { "a.txt": file("a") });
  await f.checkpoints.noteCommand(RUN);
  f.reopen();
  expect(await f.checkpoints.list()).toMatchObject([{ runId: RUN, commands: 2 }]);
});

test("what is kept is for its owner alone, and nothing is stored of a session that is deleted", async () => {
  await using f = await checkpointFixture();
  f.write("ws/a.txt", "old");
  await f.turn("run_1", { "a.txt": file("new") });
  expect(statSync(f.directory).mode & 0o777).toBe(0o700);
  expect(readdirSync(f.directory).length).toBe(2);
  for (const name of readdirSync(f.directory)) {
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(f.directory, name)).mode & 0o777).toBe(0o600);
  }
  await f.store.apply([{ kind: "delete_session", session: SESSION }]);
  await f.checkpoints.changing("run_2" as RunId, await f.changesTo({ "b.txt": file("b") }));
  expect(await f.records()).toEqual([]);
});

test("changes asked for at once are kept one after the other", async () => {
  await using f = await checkpointFixture();
  const names = Array.from({ length: 20 }, (_, at) => `f${at}`);
  const each = await Promise.all(names.map((name) => f.changesTo({ [name]: file(name) })));
  await Promise.all(each.map((changes) => f.checkpoints.changing(RUN, changes)));
  const [checkpoint] = await f.checkpoints.list();
  expect(checkpoint?.files.map(({ path }) => path)).toEqual(names);
  expect(f.events).toHaveLength(1);
});
