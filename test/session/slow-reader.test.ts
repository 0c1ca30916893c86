/** A client that stops reading: it costs its place in the log, and finds everything behind that place. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import type { SessionId } from "../../src/domain/ids.ts";
import type { Session } from "../../src/session/session.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { readSse, type SseEvent } from "../support/sse.ts";
import { eventsOf, fakeSession, follow, within } from "../support/turns.ts";

const PIECE = "x".repeat(16 * 1024);
/** Together far more than what the system and the runtime hold of a connection. */
const PIECES = 3_000;
const READER_BYTES_MAX = 24 * 1024 * 1024;

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  [e, fake] = await Promise.all([startEngine(), startFakeProvider()]);
});
afterAll(async () => {
  await e.stop();
  await fake.stop();
});

/** Asks for a session's events and reads nothing until it is told to. */
async function openReader(id: string): Promise<{ socket: Socket; all(): Promise<string> }> {
  const socket = connect({ port: e.server.port, host: "127.0.0.1" });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.pause();
  const head = [
    `GET /sessions/${id}/events HTTP/1.1`,
    `host: 127.0.0.1:${e.server.port}`,
    `authorization: Bearer ${e.server.token}`,
    "connection: close",
    "\r\n",
  ];
  socket.write(head.join("\r\n"));
  return {
    socket,
    all: () =>
      new Promise((resolve) => {
        const pieces: Buffer[] = [];
        let tail = "";
        const over = () => resolve(Buffer.concat(pieces).toString("latin1"));
        socket.on("data", (bytes) => {
          pieces.push(Buffer.from(bytes));
          tail = (tail + bytes.toString("latin1")).slice(-300);
          if (tail.endsWith("\r\n0\r\n\r\n") || tail.includes('"last"')) over();
        });
        socket.on("close", over);
        socket.resume();
      }),
  };
}

/** Long texts, numbered, a few in each tick of the event loop. */
async function say({ events }: Session, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    events.append({ type: "token", text: `${n} ${PIECE}` });
    if (n % 8 === 0) await events.flushed();
  }
  await events.flushed();
}

/** The body of a reply in chunks. */
function bodyOf(reply: string): string {
  let at = reply.indexOf("\r\n\r\n") + 4;
  let body = "";
  for (;;) {
    const end = reply.indexOf("\r\n", at);
    const size = Number.parseInt(reply.slice(at, end), 16);
    if (end < 0 || Number.isNaN(size) || size === 0) return body;
    body += reply.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

test("while one client reads nothing, the turn goes on, and its memory does not", async () => {
  const id = await fakeSession(e, fake);
  const session = await e.engine.sessions.get(id as SessionId);
  const reader = await openReader(id);
  while (session.readers < 1) await Bun.sleep(1);
  // What a connection, the store and the runtime take once.
  await say(session, 0, 500);
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  await say(session, 500, PIECES);
  session.events.append({ type: "thinking", text: "last" });
  await session.events.flushed();
  Bun.gc(true);
  const grown = process.memoryUsage.rss() - before;
  expect(session.events.last).toBe(PIECES + 1);
  expect(grown).toBeLessThan(READER_BYTES_MAX);

  // It was not cut off yet: nothing is missing.
  const text = bodyOf(await within(reader.all(), () => "it never got the last event"));
  reader.socket.destroy();
  const ids = [...text.matchAll(/^id: (\d+)\r$/gm)].map(([, seq]) => Number(seq));
  expect(ids).toEqual(Array.from({ length: PIECES + 1 }, (_, at) => at + 1));
  expect(text.includes("stream_cut")).toBe(false);
  while (session.readers > 0) await Bun.sleep(1);
});

test("a client that reads slowly, and one that reads at once, see the same", async () => {
  const id = await fakeSession(e, fake);
  const steps = Array.from({ length: 200 }, (_, n) => ({ text: `${n} ${"y".repeat(2_000)}` }));
  fake.reply({ steps });
  const slow = await e.call("GET", `/sessions/${id}/events`);
  const quick = await e.turn(id, "say much");
  const seen: SseEvent[] = [];
  for await (const each of readSse(slow)) {
    seen.push(each);
    if (seen.length % 8 === 0) await new Promise(setImmediate);
    if (each.event.type === "turn_complete") break;
  }
  expect(seen).toEqual(quick);
});

test("a stream of a session that is deleted while it is replayed ends, and nothing of it comes back", async () => {
  const id = await fakeSession(e, fake);
  const session = await e.engine.sessions.get(id as SessionId);
  await say(session, 0, 1_000);
  const reader = await openReader(id);
  while (session.readers < 1) await Bun.sleep(1);
  expect(await e.json("DELETE", `/sessions/${id}`)).toEqual({ ok: true, session_id: id });
  const text = bodyOf(await within(reader.all(), () => "it never ended"));
  reader.socket.destroy();
  const ids = [...text.matchAll(/^id: (\d+)\r$/gm)].map(([, seq]) => Number(seq));
  expect(ids).toEqual(ids.map((_, at) => at + 1));
  expect(ids.length).toBeLessThan(1_000);
  expect(session.readers).toBe(0);
  expect((await e.call("GET", `/sessions/${id}/events`)).status).toBe(404);
  await e.newSession({ session_id: id });
  const again = follow(await e.call("GET", `/sessions/${id}/events`));
  await e.turn(id, "say hello");
  await again.until("turn_complete");
  await again.hangUp();
  expect(again.events[0]?.id).toBe(1);
  expect(eventsOf(again.events, "turn_started")).toHaveLength(1);
});

test("a client that asks for a stream's headers alone gets them, and leaves no reader behind", async () => {
  const id = await fakeSession(e, fake);
  const session = await e.engine.sessions.get(id as SessionId);
  const socket = connect({ port: e.server.port, host: "127.0.0.1" });
  const answered = new Promise<string>((resolve) =>
    socket.once("data", (bytes) => resolve(bytes.toString("latin1"))),
  );
  const head = [
    `HEAD /sessions/${id}/events HTTP/1.1`,
    `host: 127.0.0.1:${e.server.port}`,
    `authorization: Bearer ${e.server.token}`,
    "\r\n",
  ];
  socket.write(head.join("\r\n"));
  try {
    expect(await within(answered, () => "no headers came")).toMatch(/^HTTP\/1\.1 (200|405) /);
  } finally {
    socket.destroy();
  }
  const nobody = async () => {
    while (session.readers > 0) await Bun.sleep(5);
  };
  await within(nobody(), () => `${session.readers} readers stay`);
});
