import { expect, test } from "bun:test";
import type { EventBody } from "../../src/domain/events.ts";
import type { SessionId, ToolCallId } from "../../src/domain/ids.ts";
import { EventLog, type LogServices } from "../../src/session/event-log.ts";
import { GroupCommit } from "../../src/store/group-commit.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";

const ID = "s1" as SessionId;
const never = new AbortController().signal;
const token = (text: string): EventBody => ({ type: "token", text });
const denied = (id: string): EventBody => ({
  type: "permission_denied",
  tool_id: id as ToolCallId,
  reason: "user",
});

async function openLog(
  store: Store = openSqlite(":memory:"),
  { eventsKept = 1_000_000, ...more }: Partial<LogServices> = {},
) {
  const commit = new GroupCommit(store);
  const services = { store, commit, eventsKept, ...more };
  return { log: await EventLog.open(ID, { session_id: ID }, services), store, commit };
}

/** What a reader that starts after `after` sees, up to seq `until`. */
async function read(log: EventLog, after: number, until: number) {
  const seen: [number, string][] = [];
  const reader = log.reader(after, never);
  while ((seen.at(-1)?.[0] ?? after) < until) {
    const batch = await reader.next();
    if (!batch) break;
    for (const [at, json] of batch.json.entries()) seen.push([batch.first + at, json]);
  }
  return seen.map(([seq, json]) => [seq, JSON.parse(json)] as const);
}

test("nothing can be read before it is stored", async () => {
  const { log, store } = await openLog();
  log.append(token("a"));
  expect(await store.logRange(ID)).toEqual({ first: 1, last: 0 });
  const batch = await log.reader(0, never).next();
  expect(await store.logRange(ID)).toEqual({ first: 1, last: 1 });
  expect(JSON.parse(batch?.json[0] ?? "")).toMatchObject({ type: "token", session_id: "s1" });
});

test("readers at different places all see every event once and in order", async () => {
  const { log } = await openLog();
  const readers = [0, 0, 10, 150].map((after) => read(log, after, 400));
  for (let n = 1; n <= 400; n++) {
    log.append(denied(`t${n}`));
    if (n % 7 === 0) await log.flushed();
  }
  for (const [at, after] of [0, 0, 10, 150].entries()) {
    const seen = await readers[at]!;
    expect(seen.map(([seq]) => seq)).toEqual(
      Array.from({ length: 400 - after }, (_, i) => after + 1 + i),
    );
    expect(seen.map(([, event]) => event.tool_id)).toEqual(seen.map(([seq]) => `t${seq}`));
  }
});

test("text of one tick makes one event, and nothing of it is lost", async () => {
  const { log } = await openLog();
  for (const text of ["Hel", "lo ", "you"]) log.append(token(text));
  log.append(denied("t"));
  log.append(token("!"));
  await log.flushed();
  log.append(token("later"));
  await log.flushed();
  const texts = (await read(log, 0, 4)).map(([, event]) => event.text ?? event.type);
  expect(texts).toEqual(["Hello you", "permission_denied", "!", "later"]);
});

test("seq goes on where it was, in a log opened again", async () => {
  const { log, store } = await openLog();
  log.append(denied("a"));
  log.append(denied("b"));
  await log.flushed();
  const again = (await openLog(store)).log;
  expect(again.last).toBe(2);
  expect(again.append(denied("c"))).toBe(3);
  await again.flushed();
  expect((await read(again, 0, 3)).map(([seq]) => seq)).toEqual([1, 2, 3]);
});

test("the oldest events go when there are too many, never the last", async () => {
  const { log, store } = await openLog(undefined, { eventsKept: 3 });
  for (const id of ["a", "b", "c", "d", "e", "f"]) {
    log.append(denied(id));
    await log.flushed();
  }
  await log.trim();
  expect(log.first).toBe(4);
  expect((await store.eventsAfter(ID, 0)).map(({ first }) => first)).toEqual([4, 5, 6]);
});

test("a log that cannot be stored says so to its owner, writer and readers, and takes no more", async () => {
  const told: string[] = [];
  const { log, store } = await openLog(undefined, {
    onFailure: ({ message }) => void told.push(message),
  });
  log.append(denied("a"));
  await log.flushed();
  const waiting = log.reader(1, never).next();
  store.apply = () => Promise.reject(new Error("disk full"));
  log.append(denied("b"));
  expect(waiting).rejects.toThrow("could not be written");
  await waiting.catch(() => {});
  expect(log.flushed()).rejects.toThrow("could not be written");
  expect(() => log.append(denied("c"))).toThrow();
  expect(told).toHaveLength(1);
});

test("a log that nobody has to answer for forgets what could not be stored, and goes on without a gap", async () => {
  const { log, store } = await openLog();
  log.append(denied("a"));
  await log.flushed();
  const { apply } = store;
  store.apply = () => Promise.reject(new Error("disk full"));
  log.append(denied("lost"));
  await log.flushed().catch(() => {});
  store.apply = apply;
  expect(log.append(denied("b"))).toBe(2);
  await log.flushed();
  expect((await read(log, 0, 2)).map(([, event]) => event.tool_id)).toEqual(["a", "b"]);
});

test("what several logs write in one tick is one transaction", async () => {
  const store = openSqlite(":memory:");
  const commit = new GroupCommit(store);
  let groups = 0;
  const apply = store.apply;
  store.apply = (writes) => {
    groups += 1;
    return apply(writes);
  };
  const services = { store, commit, eventsKept: 100 };
  const logs = await Promise.all(
    ["a", "b", "c"].map((id) =>
      EventLog.open(id as SessionId, { session_id: id as SessionId }, services),
    ),
  );
  for (const log of logs) for (const id of ["x", "y"]) log.append(denied(id));
  await Promise.all(logs.map((log) => log.flushed()));
  expect(groups).toBe(1);
});

test("a log that ends is read to its end, also what was just appended", async () => {
  const { log } = await openLog();
  const reader = log.reader(0, never);
  log.append(denied("a"));
  log.close();
  expect((await reader.next())?.json).toHaveLength(1);
  expect(await reader.next()).toBeNull();
  expect(() => log.append(denied("b"))).toThrow("closed");
});

test("an aborted reader stops waiting", async () => {
  const { log } = await openLog();
  const abort = new AbortController();
  const waiting = log.reader(0, abort.signal).next();
  abort.abort();
  expect(await waiting).toBeNull();
});
