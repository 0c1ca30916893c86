import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { CheckpointRecord } from "../../src/domain/checkpoint.ts";
import type { CheckpointId, RunId, SessionId } from "../../src/domain/ids.ts";
import type { Message } from "../../src/domain/messages.ts";
import type { RunRecord } from "../../src/domain/session.ts";
import { MIGRATIONS } from "../../src/store/migrations.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import type { Write } from "../../src/store/store.ts";
import { sessionRecord, withFolder } from "../support/store.ts";

const S1 = "s1" as SessionId;
const run = (id: string, state: RunRecord["state"], key: string | null = null) =>
  ({ id: id as RunId, sessionId: S1, state, idempotencyKey: key }) as RunRecord;
const events = (first: number, ...json: string[]) =>
  ({ kind: "events", log: S1, batch: { first, json } }) as const;

test("sessions are listed in the order of their creation, with what they hold", async () => {
  const store = openSqlite(":memory:");
  const user: Message = { role: "user", text: "hi", images: [], ts: 1 };
  await store.apply([
    { kind: "new_session", record: sessionRecord("b") },
    { kind: "new_session", record: sessionRecord("a") },
    { kind: "system_prompt", session: "b" as SessionId, text: "be brief" },
    { kind: "message", session: "a" as SessionId, index: 0, message: user },
    { kind: "session", record: { ...sessionRecord("b"), profile: "work" } },
  ]);
  const listed = await store.sessions();
  expect(listed.map((each) => [each.record.id, each.record.profile, each.messageCount])).toEqual([
    ["b", "work", 0],
    ["a", "default", 1],
  ] as never);
  expect(listed.map((each) => each.hasSystemPrompt)).toEqual([true, false]);
  expect(await store.messages("a" as SessionId)).toEqual([user]);
  await store.close();
});

test("writes given together are made together or not at all", async () => {
  const store = openSqlite(":memory:");
  await store.apply([events(1, "{}")]);
  const both = store.apply([{ kind: "new_session", record: sessionRecord("x") }, events(1, "{}")]);
  expect(both).rejects.toThrow();
  expect(await store.session("x" as SessionId)).toBeNull();
  await store.close();
});

test("events are read from any place, also from the middle of a piece", async () => {
  const store = openSqlite(":memory:");
  await store.apply([events(1, "1"), events(2, "2", "3", "4"), events(5, "5")]);
  expect(await store.eventsAfter(S1, 0)).toHaveLength(3);
  expect(await store.eventsAfter(S1, 2)).toEqual([
    { first: 2, json: ["2", "3", "4"] },
    { first: 5, json: ["5"] },
  ]);
  expect(await store.eventsAfter(S1, 4)).toEqual([{ first: 5, json: ["5"] }]);
  expect(await store.eventsAfter(S1, 5)).toEqual([]);
  expect(await store.logRange(S1)).toEqual({ first: 1, last: 5 });
  await store.apply([{ kind: "trim_events", log: S1, before: 4 }]);
  expect(await store.logRange(S1)).toEqual({ first: 2, last: 5 });
  await store.close();
});

test("open runs are found, by session and by key", async () => {
  const store = openSqlite(":memory:");
  await store.apply([
    { kind: "new_session", record: sessionRecord("s1") },
    { kind: "run", record: run("r1", "completed", "k") },
    { kind: "run", record: run("r2", "running") },
    { kind: "run", record: run("r3", "queued") },
  ]);
  expect((await store.openRuns(S1)).map(({ id }) => id)).toEqual(["r2", "r3"] as never);
  expect((await store.runByKey(S1, "k"))?.id).toBe("r1" as RunId);
  expect(await store.runByKey(S1, "other")).toBeNull();
  expect((await store.runs(S1, 2)).map(({ id }) => id)).toEqual(["r3", "r2"] as never);
  await store.close();
});

test("only the owner's files and folders", () =>
  withFolder(async (folder) => {
    const file = join(folder, "data", "engine.db");
    const store = openSqlite(file);
    await store.apply([{ kind: "new_session", record: sessionRecord("s1") }]);
    expect(statSync(join(folder, "data")).mode & 0o777).toBe(0o700);
    for (const name of [file, `${file}-wal`, `${file}-shm`])
      expect(statSync(name).mode & 0o777).toBe(0o600);
    await store.close();
  }));

test("a living engine keeps its sessions from others, a dead one does not", () =>
  withFolder(async (folder) => {
    const file = join(folder, "engine.db");
    const one = openSqlite(file);
    const two = openSqlite(file);
    await one.apply([
      { kind: "new_session", record: sessionRecord("s1") },
      { kind: "run", record: run("r1", "running") },
    ]);
    expect(await one.claim(S1)).toBeNull();
    expect(await two.claim(S1)).toMatchObject({ pid: process.pid });
    expect(await two.abandonedSessions()).toEqual([]);
    // As after kill -9: the row stays, the process is another one.
    new Database(file).run("UPDATE engines SET started_at = 'long ago'");
    expect(await two.abandonedSessions()).toEqual([S1]);
    expect(await two.claim(S1)).toBeNull();
    await two.close();
    await one.close();
  }));

test("a database of a newer program is refused and left alone", () =>
  withFolder(async (folder) => {
    const file = join(folder, "engine.db");
    await openSqlite(file).close();
    const db = new Database(file);
    db.run("PRAGMA user_version = 1000");
    expect(() => openSqlite(file)).toThrow(/newer kollab-engine \(version 1000/);
    expect(db.query("PRAGMA user_version").get()).toEqual({ user_version: 1000 });
    db.close();
  }));

const checkpoint = (id: string, commands = 0): CheckpointRecord => ({
  id: id as CheckpointId,
  kind: "turn",
  runId: "r1" as RunId,
  restores: null,
  createdAt: 1,
  files: [],
  leftOut: 0,
  commands,
});

test("a session's documents and checkpoints are kept until it is deleted, and none after that", async () => {
  const store = openSqlite(":memory:");
  const writes: Write[] = [
    { kind: "document", session: S1, name: "todo", text: "[1]" },
    { kind: "document", session: S1, name: "todo", text: "[2]" },
    { kind: "checkpoint", session: S1, record: checkpoint("c2") },
    { kind: "checkpoint", session: S1, record: checkpoint("c1") },
    { kind: "checkpoint", session: S1, record: checkpoint("c3") },
    { kind: "checkpoint", session: S1, record: checkpoint("c2", 4) },
    { kind: "delete_checkpoint", session: S1, id: "c3" as CheckpointId },
  ];
  await store.apply([{ kind: "new_session", record: sessionRecord("s1") }, ...writes]);
  expect(await store.document(S1, "todo")).toBe("[2]");
  expect(await store.document(S1, "scratchpad")).toBeNull();
  expect(await store.checkpoints(S1)).toEqual([checkpoint("c2", 4), checkpoint("c1")]);
  expect(await store.checkpoints("s2" as SessionId)).toEqual([]);

  await store.apply([{ kind: "delete_session", session: S1 }, ...writes]);
  expect(await store.document(S1, "todo")).toBeNull();
  expect(await store.checkpoints(S1)).toEqual([]);
  await store.close();
});

test("a database of an older program gets its new shape, and its sessions what they lacked", () =>
  withFolder(async (folder) => {
    const file = join(folder, "engine.db");
    const old = new Database(file);
    old.run(MIGRATIONS[0]!);
    old.run("PRAGMA user_version = 1");
    const { network: _network, children: _children, ...lacking } = sessionRecord("s1");
    old
      .query("INSERT INTO sessions (id, record) VALUES ('s1', $record)")
      .run({ $record: JSON.stringify(lacking) });
    old.close();
    const store = openSqlite(file);
    expect((await store.session(S1))?.record).toEqual(sessionRecord("s1"));
    await store.apply([{ kind: "document", session: S1, name: "scratchpad", text: "x" }]);
    expect(await store.document(S1, "scratchpad")).toBe("x");
    await store.close();
  }));
