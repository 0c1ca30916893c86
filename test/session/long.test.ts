/** Much of everything: long conversations, long outputs, many runs. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { SessionId } from "../../src/domain/ids.ts";
import type { Message } from "../../src/domain/messages.ts";
import { newRecord } from "../../src/session/new-session.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf, typesOf } from "../support/sse.ts";
import { eventsOf, fakeSession, follow, historyOf, KEY, send } from "../support/turns.ts";

let fake: FakeProvider;
let e: TestEngine;
beforeAll(async () => {
  fake = await startFakeProvider();
  const profile = {
    provider: "custom",
    model: "fake-model",
    base_url: fake.baseUrl("chat"),
    api_key: KEY,
  };
  const config = { kollabor: { llm: { profiles: { fake: profile } } } };
  e = await startEngine({ files: { ".kollab/config.json": JSON.stringify(config) } });
});
afterAll(async () => {
  await e.stop();
  await fake.stop();
});

/** As a thousand turns with a tool each would have left it. */
const conversation = (turns: number): Message[] =>
  Array.from({ length: turns }, (_, n): Message[] => {
    const call = { id: `c${n}`, name: "terminal", input: { command: `echo ${n}` } };
    return [
      { role: "user", text: `question ${n}`, images: [], ts: n },
      {
        role: "assistant",
        text: `let me see ${n}`,
        thinking: [],
        toolCalls: [call as never],
        ts: n,
      },
      { role: "tool", callId: call.id as never, output: `${n}\n`, isError: false, ts: n },
      {
        role: "assistant",
        text: `answer ${n} ${"x".repeat(500)}`,
        thinking: [],
        toolCalls: [],
        ts: n,
      },
    ];
  }).flat();

test("a session of a thousand turns comes back whole, and goes on", async () => {
  const { services } = await e.engine.sessions.get(
    (await e.newSession({ profile: "fake" })) as SessionId,
  );
  const id = "thousand" as SessionId;
  const record = await newRecord(
    {
      id,
      profile: "fake",
      profileResolved: "fake",
      inlineCredentials: false,
      workspace: e.workspace,
      mode: "trust_all",
      unattended: "wait",
      mcpServers: [],
      metadata: {},
      tools: null,
      network: "allowlist",
    },
    { home: e.home, directory: e.workspace },
  );
  const messages = conversation(1_000);
  await services.commit.write(
    { kind: "new_session", record },
    ...messages.map(
      (message, index) => ({ kind: "message", session: id, index, message }) as const,
    ),
  );
  await services.store.release(id);
  const listed = (await e.json("GET", "/sessions")).sessions.find(
    (each: { session_id: string }) => each.session_id === id,
  );
  expect(listed.history_length).toBe(4_000);
  const history = await historyOf(e, id);
  expect(history).toHaveLength(4_000);
  expect(history.map(({ content }) => content)).toEqual(
    messages.map((each) => (each.role === "tool" ? each.output : each.text)),
  );
  fake.reply("the last one");
  const seen = await e.turn(id, "and now?");
  expect(textOf(seen)).toBe("the last one");
  const sent = fake.requests.at(-1)?.body.messages;
  expect(sent).toHaveLength(4_001);
  expect(sent.at(-1).content).toBe("and now?");
  expect((await historyOf(e, id)).slice(4_000).map(({ role }) => role)).toEqual([
    "user",
    "assistant",
  ]);
});

test("a command that prints two thousand pieces shows all of them, once and in order", async () => {
  const id = await e.newSession({ profile: "fake", approval_mode: "trust_all" });
  const session = await e.engine.sessions.get(id as SessionId);
  const tool = session.tools.find(({ name }) => name === "terminal")!;
  const { run } = tool;
  // Pieces as a tool may give them: some in one tick, some apart.
  tool.run = async (_input, { progress }) => {
    for (let n = 0; n < 2_000; n++) {
      progress(`${n}\n`);
      if (n % 3 === 0) await new Promise(setImmediate);
    }
    return { ok: true, output: "done" };
  };
  try {
    fake.reply({ steps: [{ call: "terminal", input: { command: "x" }, id: "c1" }] }, "done");
    const seen = await e.turn(id, "go");
    const chunks = eventsOf(seen, "tool_output");
    expect(chunks.map(({ chunk }) => chunk).join("")).toBe(
      Array.from({ length: 2_000 }, (_, n) => `${n}\n`).join(""),
    );
    for (const { tool_id } of chunks) expect(tool_id).toBe("c1");
    expect(seen.map((each) => each.id)).toEqual(seen.map((_, at) => at + 1));
    expect(typesOf(seen).at(-1)).toBe("turn_complete");
    const again = follow(await e.call("GET", `/sessions/${id}/events`));
    await again.untilId(seen.at(-1)?.id as number);
    await again.hangUp();
    expect(again.events).toEqual(seen);
  } finally {
    tool.run = run;
  }
});

test("of runs that have ended nothing stays in memory but what they said", async () => {
  const id = await e.newSession({ profile: "fake" });
  const session = await e.engine.sessions.get(id as SessionId);
  for (let n = 0; n < 50; n++) {
    fake.reply("ok");
    await (await send(e, id, `message ${n}`, {}, { "idempotency-key": `k${n}` })).ended();
  }
  await session.services.commit.settled();
  expect([session.active, session.queue.length, session.senders.size, session.readers]).toEqual([
    null,
    0,
    0,
    0,
  ]);
});

test("streams that came and went leave nothing at the signals of their session and engine", async () => {
  const id = await e.newSession({ profile: "fake" });
  const { events, closed } = await e.engine.sessions.get(id as SessionId);
  const open = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const gone = new AbortController();
      const reader = events.reader(events.last, AbortSignal.any([gone.signal, closed.signal]));
      const next = reader.next();
      gone.abort();
      await next;
    }
    await Bun.sleep(1);
    Bun.gc(true);
    const { heapStats } = await import("bun:jsc");
    return heapStats().objectTypeCounts.AbortSignal ?? 0;
  };
  const before = await open(200);
  expect(await open(2_000)).toBeLessThan(before + 200);
});

test("a run in a folder of a session that was named again after it was deleted is a new one", async () => {
  const body = { session_id: "again", profile: "fake" };
  await e.newSession(body);
  const gate = Promise.withResolvers<void>();
  fake.reply({ steps: [{ wait: gate.promise }, { text: "never" }] });
  await send(e, "again", "one", {}, { "idempotency-key": "k1" });
  const queued = await send(e, "again", "two", { delivery: "queue" }, { "idempotency-key": "k2" });
  await e.json("DELETE", "/sessions/again");
  gate.resolve();
  await queued.ended();
  await e.newSession(body);
  expect(await historyOf(e, "again")).toEqual([]);
  expect((await e.json("GET", "/sessions/again/runs")).runs).toEqual([]);
  for (const [key, content] of [
    ["k1", "one"],
    ["k2", "two"],
  ] as const) {
    fake.reply("fresh");
    const stream = await send(e, "again", content, {}, { "idempotency-key": key });
    expect(stream.headers.get("x-delivery")).toBe("started");
    expect(textOf(await stream.ended())).toBe("fresh");
  }
  expect(await fakeSession(e, fake)).toBeString();
});
