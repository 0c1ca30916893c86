/** Readers that leave, come back, come late or come many: the log is the same for all of them. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { readSse, type SseEvent, textOf, typesOf } from "../support/sse.ts";
import {
  answer,
  eventsOf,
  fakeSession,
  follow,
  send,
  sendAnswering,
  within,
} from "../support/turns.ts";

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

const eventsFrom = (id: string, query = "", headers: Record<string, string> = {}) =>
  e.call("GET", `/sessions/${id}/events${query}`, undefined, headers);

/** Reads until the event with this id has come, and hangs up. */
async function readTo(response: Response, last: number): Promise<SseEvent[]> {
  const stream = follow(response);
  await stream.untilId(last);
  await stream.hangUp();
  return stream.events;
}

/** A turn with text in many pieces, tools, and a prompt that is denied. */
async function recordedTurn(): Promise<{ id: string; run: string; events: SseEvent[] }> {
  const id = await e.newSession();
  const events = await sendAnswering(
    e,
    id,
    "stream 12 words every 2 ms then think about it then run both `echo one` and `echo two`",
    ["approve", "deny"],
  );
  return { id, run: events[0]?.event.turn_id, events };
}

test("a turn can be resumed at every place of it, by header and by query, without loss or repeat", async () => {
  const { id, run, events } = await recordedTurn();
  const last = events.at(-1)?.id as number;
  expect(events.length).toBeGreaterThan(20);
  await Promise.all(
    events.map(async ({ id: cut }) => {
      const rest = events.slice(cut as number);
      const header = { "last-event-id": String(cut) };
      const path = `/sessions/${id}/runs/${run}/events`;
      const ofRun = follow(await e.call("GET", path, undefined, header));
      expect(await ofRun.ended()).toEqual(rest);
      if (cut === last) return;
      expect(await readTo(await eventsFrom(id, "", header), last)).toEqual(rest);
      expect(await readTo(await eventsFrom(id, `?after=${cut}`), last)).toEqual(rest);
    }),
  );
});

test("a stream that is cut while the turn runs goes on where it was, whatever had been read", async () => {
  const id = await fakeSession(e, fake);
  const gates = Array.from({ length: 6 }, () => Promise.withResolvers<void>());
  const steps = gates.flatMap(({ promise }, n) => [{ text: `${n} ` }, { wait: promise }]);
  fake.reply({ steps: [...steps, { text: "end" }] });
  let stream = await send(e, id, "slowly");
  const seen: SseEvent[] = [];
  for (const [n, gate] of gates.entries()) {
    await stream.untilText(`${n} `);
    await stream.hangUp();
    seen.push(...stream.events);
    gate.resolve();
    const header = { "last-event-id": String(seen.at(-1)?.id) };
    stream = follow(await eventsFrom(id, "", header));
  }
  await stream.until("turn_complete");
  await stream.hangUp();
  seen.push(...stream.events);
  expect(seen.map((each) => each.id)).toEqual(seen.map((_, at) => at + 1));
  expect(textOf(seen)).toBe("0 1 2 3 4 5 end");
});

test("Last-Event-ID wins over the query, and a cursor that is none is refused", async () => {
  const { id, events } = await recordedTurn();
  const last = events.at(-1)?.id as number;
  const response = await eventsFrom(id, "?after=1", { "last-event-id": String(last - 2) });
  expect(await readTo(response, last)).toEqual(events.slice(-2));
  for (const [query, header] of [
    ["?after=x", {}],
    ["?after=-1", {}],
    ["", { "last-event-id": "1.5" }],
  ] as const)
    expect((await eventsFrom(id, query, header)).status).toBe(422);
});

test("on_disconnect cancel: a client that leaves takes its turn along", async () => {
  const id = await fakeSession(e, fake);
  const asked = fake.nextRequest();
  fake.reply({ steps: [{ text: "a" }, { wait: new Promise(() => {}) }] });
  const stream = await send(e, id, "hello", { on_disconnect: "cancel" });
  await stream.until("token");
  await stream.hangUp();
  expect(await within((await asked).ended, () => "the turn went on")).toBe("client");
  const all = follow(await eventsFrom(id));
  expect((await all.until("error")).code).toBe("cancelled");
  await all.hangUp();
});

test("on_disconnect cancel: a prompt is dropped, and its answer finds nothing", async () => {
  const id = await e.newSession();
  const stream = await send(e, id, "run true", { on_disconnect: "cancel" });
  const { tool_id } = await stream.until("permission_request");
  await stream.hangUp();
  const all = follow(await eventsFrom(id));
  await all.until("error");
  expect(await answer(e, id, tool_id)).toBe(404);
  expect((await e.json("GET", `/sessions/${id}/permissions`)).pending).toEqual([]);
  await all.hangUp();
});

test("several clients on one session see the same bytes", async () => {
  const id = await fakeSession(e, fake);
  const clients = await Promise.all(Array.from({ length: 5 }, () => eventsFrom(id)));
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ text: "one " }, { wait: gate.promise }, { text: "two" }] });
  const own = await send(e, id, "hello");
  await own.until("token");
  const late = await eventsFrom(id);
  gate.resolve();
  const events = await own.ended();
  const all = await Promise.all([...clients, late].map((each) => textUntilEnd(each)));
  for (const bytes of all) expect(bytes).toBe(all[0]!);
  expect(all[0]).toStartWith(": open\r\n\r\nid: 1\r\ndata: {");
  expect(all[0]?.split("\r\n\r\n").length).toBe(events.length + 2);

  async function textUntilEnd(response: Response): Promise<string> {
    let text = "";
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      if (text.includes('"type":"turn_complete"') && text.endsWith("\r\n\r\n")) break;
    }
    return text;
  }
});

test("a prompt is shown first to a client that attaches behind it, and only once to one before it", async () => {
  const id = await e.newSession();
  const own = await send(e, id, "run true");
  const asked = await own.until("permission_request");
  const at = own.events.at(-1)?.id as number;

  const behind = follow(await eventsFrom(id, `?after=${at}`));
  const shown = await behind.until("permission_request");
  expect(behind.events[0]).toMatchObject({ id: null, event: { pending: true } });
  expect(shown).toMatchObject({ ...asked, ts: expect.any(Number), pending: true });

  const before = follow(await eventsFrom(id));
  await before.until("permission_request");
  await answer(e, id, asked.tool_id);
  await Promise.all([behind, before, own].map((each) => each.until("turn_complete")));
  expect(eventsOf(before.events, "permission_request")).toHaveLength(1);
  expect(before.events.every((each) => each.id !== null)).toBe(true);
  expect(eventsOf(behind.events, "permission_request")).toHaveLength(1);
  await Promise.all([behind.hangUp(), before.hangUp()]);
});

test("a prompt is shown to one who resumes the run behind it", async () => {
  const id = await e.newSession();
  const own = await send(e, id, "run true");
  const { tool_id } = await own.until("permission_request");
  const at = own.events.at(-1)?.id as number;
  const path = `/sessions/${id}/runs/${own.headers.get("x-run-id")}/events?after=${at}`;
  const behind = follow(await e.call("GET", path));
  expect(await behind.until("permission_request")).toMatchObject({ tool_id, pending: true });
  await answer(e, id, tool_id);
  expect(typesOf(await behind.ended()).at(-1)).toBe("turn_complete");
});

test("a prompt that was answered is shown to nobody any more", async () => {
  const id = await e.newSession();
  await sendAnswering(e, id, "run true");
  const late = follow(await eventsFrom(id, "?after=1000"));
  await late.until("replay_gap");
  expect(typesOf(late.events)).toEqual(["replay_gap"]);
  await late.hangUp();
});

test("a cursor from the future goes on at the end, and is told so", async () => {
  const id = await fakeSession(e, fake);
  const events = await e.turn(id, "hello");
  const next = (events.at(-1)?.id as number) + 1;
  const late = follow(await eventsFrom(id, "?after=99999"));
  expect(await late.until("replay_gap")).toMatchObject({ after: 99_999, next });
  fake.reply("more");
  await e.turn(id, "again");
  await late.until("turn_complete");
  expect(late.events[1]).toMatchObject({ id: next, event: { type: "turn_started" } });
  await late.hangUp();
});

test("events that are no longer kept are told as a gap, and the rest follows", async () => {
  const small = await startEngine({ eventsKept: 8 });
  try {
    const id = await small.newSession();
    let last = 0;
    for (const content of ["say one", "say two", "say three", "say four"]) {
      const events = await small.turn(id, content);
      last = events.at(-1)?.id as number;
    }
    // The newest events are in memory as well; what is kept shows when they are not.
    await small.restart();
    const { first } = (await small.engine.sessions.get(id as never)).events;
    expect(first).toBeGreaterThan(2);
    for (const cursor of [0, 2]) {
      const stream = follow(await small.call("GET", `/sessions/${id}/events?after=${cursor}`));
      expect(await stream.until("replay_gap")).toMatchObject({ after: cursor, next: first });
      await stream.untilId(last);
      expect(stream.events[0]?.id).toBeNull();
      const ids = stream.events.slice(1).map((each) => each.id as number);
      expect(ids).toEqual(Array.from({ length: last - first + 1 }, (_, n) => first + n));
      await stream.hangUp();
    }
    const whole = follow(await small.call("GET", `/sessions/${id}/events?after=${last - 1}`));
    await whole.until("turn_complete");
    expect(typesOf(whole.events)).toEqual(["turn_complete"]);
    await whole.hangUp();
  } finally {
    await small.stop();
  }
});

test("a run whose events are no longer kept says so to who asks for them", async () => {
  const small = await startEngine({ eventsKept: 8 });
  try {
    const id = await small.newSession();
    const first = await small.turn(id, "say one");
    for (const content of ["say two", "say three", "say four"]) await small.turn(id, content);
    await small.restart();
    const path = `/sessions/${id}/runs/${first[0]?.event.turn_id}/events`;
    for (const query of ["", "?after=1"]) {
      const seen = await follow(await small.call("GET", path + query)).ended();
      expect(typesOf(seen)).toEqual(["replay_gap"]);
    }
  } finally {
    await small.stop();
  }
});

test("the log of all sessions forgets its oldest events, too", async () => {
  const { lifecycle } = e.engine;
  const id = await e.newSession();
  for (let n = lifecycle.last; n < 10_200; n++)
    lifecycle.append({ type: "session_deleted", session_id: id as never });
  await lifecycle.flushed();
  await e.turn(id, "say hello");
  await e.json("DELETE", `/sessions/${id}`);
  const stream = follow(await e.call("GET", "/events?after=0"));
  await stream.until("session_deleted");
  expect(stream.events[0]?.event.type).toBe("replay_gap");
  await stream.hangUp();
});

test("an engine that stops ends the streams of its sessions and names their cursors", async () => {
  const own = await startEngine();
  const id = await own.newSession();
  const events = await own.turn(id, "say hello");
  const session = follow(await own.call("GET", `/sessions/${id}/events`));
  const all = follow(await own.call("GET", "/events"));
  await session.until("turn_complete");
  await own.stop();
  const cut = (await session.ended()).at(-1);
  expect(cut).toMatchObject({
    id: null,
    event: { type: "stream_cut", reason: "shutdown", cursor: events.at(-1)?.id },
  });
  expect(typesOf(await all.ended())).toEqual(["stream_cut"]);
});

test("a stream that ends early leaves no reader behind", async () => {
  const id = await e.newSession();
  const session = await e.engine.sessions.get(id as never);
  const streams = [];
  for (let n = 0; n < 10; n++) streams.push(follow(await eventsFrom(id)));
  const own = await send(e, id, "run true");
  const { tool_id } = await own.until("permission_request");
  await Promise.all(streams.map((each) => each.until("permission_request")));
  expect(session.readers).toBe(11);
  await Promise.all(streams.map((each) => each.hangUp()));
  while (session.readers > 1) await Bun.sleep(1);
  await answer(e, id, tool_id);
  await own.ended();
  while (session.readers > 0) await Bun.sleep(1);
});

test("a browser's reader that comes back by itself misses nothing of a turn it did not start", async () => {
  const id = await e.newSession();
  const first = readSse(await eventsFrom(id));
  const events = await e.turn(id, "count to 5");
  const one = await within(first.next(), () => "no event");
  await first.return(undefined);
  const header = { "last-event-id": String(one.value?.id) };
  const last = events.at(-1)?.id as number;
  expect(await readTo(await eventsFrom(id, "", header), last)).toEqual(events.slice(1));
});
