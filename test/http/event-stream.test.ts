/** Event log → response: what a reader gets that is quick, slow, gone, or too late. */
import { afterEach, expect, test } from "bun:test";
import { connect } from "node:net";
import type { EventBody } from "../../src/domain/events.ts";
import type { SessionId } from "../../src/domain/ids.ts";
import { type EventSource, eventStream } from "../../src/http/event-stream.ts";
import { type EventBatch, EventLog, type LogReader } from "../../src/session/event-log.ts";
import { GroupCommit } from "../../src/store/group-commit.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { readSse, type SseEvent, typesOf } from "../support/sse.ts";
import { follow, within } from "../support/turns.ts";

const ID = "s1" as SessionId;
const SLOW_MS = 40;
const token = (text: string): EventBody => ({ type: "token", text });
const never = new AbortController().signal;

const servers: { stop(force: boolean): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

async function openLog(eventsKept = 1_000_000) {
  const store = openSqlite(":memory:");
  const commit = new GroupCommit(store);
  const log = await EventLog.open(ID, { session_id: ID }, { store, commit, eventsKept });
  return { log, store };
}

const sourceOf = (log: EventLog, more: Partial<EventSource> = {}): EventSource => ({
  after: 0,
  open: (signal) => log.reader(0, signal),
  whole: true,
  about: { session_id: ID },
  closed: never,
  ...more,
});

/** Gives these batches and has ended. */
const readerOf =
  (...batches: EventBatch[]) =>
  (): LogReader => {
    const left = [...batches];
    return { next: async () => left.shift() ?? null };
  };
const textIn = ({ value }: { value?: Uint8Array }): string => new TextDecoder().decode(value);
const batch = (first: number, ...texts: string[]): EventBatch => ({
  first,
  json: texts.map((text) => JSON.stringify({ type: "token", text })),
});

test("the reply's headers are there before the first event", async () => {
  const { log } = await openLog();
  const response = eventStream(sourceOf(log));
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  const reader = response.body!.getReader();
  const { value } = await within(reader.read(), () => "nothing came");
  expect(new TextDecoder().decode(value)).toBe(": open\r\n\r\n");
  await reader.cancel();
});

test("what has no place in the log comes without an id, before and after what has one", async () => {
  const source: EventSource = {
    after: 0,
    open: readerOf(batch(1, "a", "b"), batch(3, "c")),
    whole: true,
    about: { session_id: ID },
    before: [{ type: "replay_gap", after: 0, next: 1 }],
    afterwards: () => ({ type: "error", code: "cancelled", message: "farewell", retryable: false }),
    closed: never,
  };
  const seen = await Array.fromAsync(readSse(eventStream(source)));
  for (const { event } of [seen[0]!, seen.at(-1)!])
    expect(event).toMatchObject({ session_id: ID, ts: expect.any(Number) });
  expect(seen.map(({ id, event }) => [id, event.text ?? event.type])).toEqual([
    [null, "replay_gap"],
    [1, "a"],
    [2, "b"],
    [3, "c"],
    [null, "error"],
  ]);
});

test("a gap between batches is named, also in the middle, where nothing is to be missing", async () => {
  const source = (whole: boolean): EventSource => ({
    after: 2,
    open: readerOf(batch(5, "a"), batch(6, "b"), batch(9, "c")),
    whole,
    about: { session_id: ID },
    closed: never,
  });
  const seen = await Array.fromAsync(readSse(eventStream(source(true))));
  expect(seen.map(({ id, event }) => [id, event.type, event.after, event.next])).toEqual([
    [null, "replay_gap", 2, 5],
    [5, "token", undefined, undefined],
    [6, "token", undefined, undefined],
    [null, "replay_gap", 6, 9],
    [9, "token", undefined, undefined],
  ]);
  const cut = await Array.fromAsync(readSse(eventStream(source(false))));
  expect(typesOf(cut)).toEqual(["token", "token", "token"]);
});

test("text comes through byte for byte, whatever is in it", async () => {
  const texts = [
    "ünïcödé 🚀",
    "line\nbreak\r\n",
    "data: x\n\nid: 9\n\n",
    "\u2028\u2029\u0000",
    '"',
  ];
  const source = {
    after: 0,
    open: readerOf(batch(1, ...texts)),
    whole: true,
    about: { session_id: ID },
    closed: never,
  };
  const seen = await Array.fromAsync(readSse(eventStream(source)));
  expect(seen.map(({ event }) => event.text)).toEqual(texts);
});

test("a silent stream is kept open with pings, and loses nothing to them", async () => {
  const { log } = await openLog();
  const reader = eventStream(sourceOf(log), 10).body!.getReader();
  let text = "";
  const readTo = async (end: string) => {
    while (!text.includes(end)) text += textIn(await reader.read());
  };
  await within(readTo(": ping\r\n\r\n: ping\r\n\r\n"), () => text);
  log.append(token("after the pings"));
  await within(readTo("after the pings"), () => text);
  expect(text).not.toContain("stream_cut");
  await reader.cancel();
});

test("a reader that takes nothing is cut off, told where it stood, and can go on there", async () => {
  const { log } = await openLog();
  for (let n = 1; n <= 20; n++) {
    log.append(token(`${n}`));
    await log.flushed();
  }
  const ended = Promise.withResolvers<boolean>();
  const reader = eventStream(sourceOf(log, { onEnd: ended.resolve }), SLOW_MS).body!.getReader();
  let text = "";
  while (!text.includes('"text":"3"')) text += textIn(await reader.read());
  // It sleeps now, until it was given up.
  expect(await within(ended.promise, () => "it was never cut off")).toBe(false);
  for (let piece = await reader.read(); !piece.done; piece = await reader.read())
    text += textIn(piece);
  const seen = await Array.fromAsync(readSse(new Response(text)));
  const cut = seen.at(-1) as SseEvent;
  expect(cut).toMatchObject({ id: null, event: { type: "stream_cut", reason: "slow_reader" } });
  const last = seen.at(-2) as SseEvent;
  expect(cut.event.cursor).toBe(last.id);
  const rest = eventStream(
    sourceOf(log, {
      after: cut.event.cursor,
      open: (signal) => log.reader(cut.event.cursor, signal),
    }),
  );
  const again = follow(rest);
  await again.untilId(20);
  await again.hangUp();
  const ids = [...seen.slice(0, -1), ...again.events].map(({ id }) => id);
  expect(ids).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
});

test("a reader that is quick is never cut off, however long nothing happens", async () => {
  const { log } = await openLog();
  const stream = follow(eventStream(sourceOf(log), 10));
  for (let n = 1; n <= 5; n++) {
    await Bun.sleep(15);
    log.append(token(`${n}`));
    await stream.untilId(n);
  }
  await stream.hangUp();
  expect(typesOf(stream.events)).toEqual(Array(5).fill("token"));
});

test("the end is told once: hung up, ended, stopped or cut off", async () => {
  const { log } = await openLog();
  const ends: string[] = [];
  const named = (name: string, more: Partial<EventSource> = {}) =>
    sourceOf(log, { onEnd: (hungUp) => ends.push(`${name} ${hungUp}`), ...more });

  await eventStream(named("left")).body?.cancel();
  await Array.fromAsync(readSse(eventStream(named("over", { open: readerOf(batch(1, "a")) }))));
  const stop = new AbortController();
  const stopped = follow(eventStream(named("stopped", { closed: stop.signal })));
  stop.abort();
  expect(typesOf(await stopped.ended())).toEqual(["stream_cut"]);
  log.append(token("waits to be taken"));
  const slow = eventStream(named("slow"), 10).body!.getReader();
  await slow.read();
  while (!ends.includes("slow false")) await Bun.sleep(5);
  await slow.cancel();
  expect(ends).toEqual(["left true", "over false", "stopped false", "slow false"]);
});

test("a source that fails ends the stream with one error, and the stream's watch with it", async () => {
  const ended = Promise.withResolvers<boolean>();
  const batches = [batch(1, "a")];
  const source: EventSource = {
    after: 0,
    open: () => ({
      next: async () => {
        const next = batches.shift();
        if (!next) throw new Error("The event log could not be written");
        return next;
      },
    }),
    whole: true,
    about: { session_id: ID },
    closed: never,
    onEnd: ended.resolve,
  };
  const seen = await follow(eventStream(source, 10)).ended();
  expect(await within(ended.promise, () => "the end was never told")).toBe(false);
  // Its watch would write to a stream that is no more.
  await Bun.sleep(20);
  expect(seen.map(({ id, event }) => [id, event.type, event.code])).toEqual([
    [1, "token", undefined],
    [null, "error", "internal"],
  ]);
});

test("a stream that the engine ends says so, unless nothing more could have come", async () => {
  const stop = new AbortController();
  stop.abort();
  const source = (isOver: boolean): EventSource => ({
    after: 0,
    open: readerOf(batch(1, "a")),
    whole: true,
    about: { session_id: ID },
    isOver: () => isOver,
    closed: stop.signal,
  });
  expect(typesOf(await follow(eventStream(source(false))).ended())).toEqual([
    "token",
    "stream_cut",
  ]);
  expect(typesOf(await follow(eventStream(source(true))).ended())).toEqual(["token"]);
});

test("a client that does not read its socket costs no memory and is cut off", async () => {
  const { log } = await openLog();
  const piece = "x".repeat(16 * 1024);
  let pulled = 0;
  const ended = Promise.withResolvers<boolean>();
  const source = sourceOf(log, {
    onEnd: ended.resolve,
    // Without end: what stops it is that nobody takes it.
    open: () => ({
      next: async () => {
        pulled += 1;
        if (pulled % 64 === 0) await new Promise(setImmediate);
        return batch(pulled, piece);
      },
    }),
  });
  const server = Bun.serve({ port: 0, idleTimeout: 0, fetch: () => eventStream(source, 200) });
  servers.push(server);
  const socket = connect({ port: server.port as number, host: "127.0.0.1" });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  expect(await within(ended.promise, () => `still open after ${pulled} pieces`)).toBe(false);
  // What the system and the runtime hold of it, in pieces of 16 KiB.
  expect(pulled * piece.length).toBeLessThan(64 * 1024 * 1024);

  let tail = "";
  const over = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("data", (bytes) => {
    tail = (tail + bytes.toString()).slice(-400);
    if (tail.includes("0\r\n\r\n")) socket.end();
  });
  socket.resume();
  await within(over, () => `the connection stays open: ${tail.slice(-200)}`);
  expect(tail).toContain('"type":"stream_cut"');
  expect(tail).toContain(`"cursor":${pulled},`);
});
