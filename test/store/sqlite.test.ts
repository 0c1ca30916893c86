import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { RunId, SessionId } from "../../src/domain/ids.ts";
import type { Message } from "../../src/domain/messages.ts";
import type { RunRecord } from "../../src/domain/session.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
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
