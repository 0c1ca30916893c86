/** Cancelling a turn, at whatever it is doing: everything stops, one error says so, the session goes on. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { groupIsGone } from "../support/process-group.ts";
import { textOf, typesOf } from "../support/sse.ts";
import {
  answer,
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  outline,
  PROTOCOLS,
  send,
  sendAnswering,
  unansweredCalls,
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

const run = (command: string, id?: string) => ({
  call: "terminal",
  input: { command },
  ...(id === undefined ? {} : { id }),
});
const cancel = (id: string) => e.json("POST", `/sessions/${id}/cancel`);
const cancelled = {
  type: "error",
  code: "cancelled",
  message: "Turn cancelled by user",
  retryable: false,
};

/** What is true of every cancelled turn, and that the next message works. */
async function expectCancelled(id: string, stream: ReturnType<typeof follow>): Promise<void> {
  const seen = await stream.ended();
  expect(seen.at(-1)?.event).toMatchObject(cancelled);
  const ends = typesOf(seen).filter((type) => type === "error" || type === "turn_complete");
  expect(ends).toEqual(["error"]);
  expect((await e.json("GET", `/sessions/${id}/permissions`)).pending).toEqual([]);
  expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  expect(await e.json("GET", `/sessions/${id}`)).toMatchObject({
    active: false,
    last_turn_status: "canceled",
    total_turns: 0,
  });
  fake.reply("Still here.");
  const next = await e.turn(id, "are you there?");
  expect(textOf(next)).toBe("Still here.");
  expect(typesOf(next).at(-1)).toBe("turn_complete");
}

for (const protocol of PROTOCOLS) {
  test(`before the first token: the provider's socket is closed (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    fake.reply({ fault: { kind: "stall", after: null } });
    const asked = fake.nextRequest();
    const stream = await send(e, id, "hello?");
    const request = await asked;
    await cancel(id);
    expect(await within(request.ended, () => "the socket stayed open")).toBe("client");
    await expectCancelled(id, stream);
  });

  test(`in the middle of the text: what was shown stays, marked as partial (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    const never = new Promise(() => {});
    const asked = fake.nextRequest();
    fake.reply({ steps: [{ text: "Once upon " }, { text: "a time" }, { wait: never }] });
    const stream = await send(e, id, "tell me a story");
    await stream.untilText("Once upon a time");
    await cancel(id);
    expect(await within((await asked).ended, () => "the socket stayed open")).toBe("client");
    await expectCancelled(id, stream);
    const [, partial] = await historyOf(e, id);
    expect(partial).toMatchObject({ role: "assistant", content: "Once upon a time" });
    expect(partial.metadata.partial).toBe(true);
  });

  test(`during a command: its processes end and the model is not called again (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol, approval_mode: "trust_all" });
    fake.reply({
      steps: [
        { text: "Running." },
        run("sleep 300 & echo $$; sleep 300", "c1"),
        run("echo never", "c2"),
      ],
    });
    const stream = await send(e, id, "run it");
    const { chunk } = await stream.until("tool_output");
    const calls = fake.requests.length;
    await cancel(id);
    const seen = await stream.ended();
    expect(await groupIsGone(Number(chunk.trim()))).toBe(true);
    expect(fake.requests.length).toBe(calls);
    expect(outline(seen)).toEqual(["turn_started", "tool_start", "tool_result", "error"]);
    expect(eventsOf(seen, "tool_result")[0]).toMatchObject({
      tool_id: "c1",
      success: false,
      error: "Cancelled by user",
      metadata: { cancelled: true },
    });
    await expectCancelled(id, stream);
    const answers = (await historyOf(e, id)).filter(({ role }) => role === "tool");
    expect(answers.map(({ tool_call_id }) => tool_call_id)).toEqual(["c1", "c2"]);
  });

  test(`while a prompt waits: it is dropped and a late answer finds nothing (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    fake.reply({ steps: [run("echo one", "c1"), run("echo two", "c2")] });
    const stream = await send(e, id, "run them");
    const { tool_id } = await stream.until("permission_request");
    await cancel(id);
    const seen = await stream.ended();
    expect(await answer(e, id, tool_id)).toBe(404);
    expect(outline(seen)).toEqual([
      "turn_started",
      "tool_start",
      "permission_request",
      "permission_denied",
      "tool_result",
      "error",
    ]);
    await expectCancelled(id, stream);
  });
}

test("a call that was cancelled while its prompt waited is a cancelled one, not a denied one", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [run("echo one")] });
  const stream = await send(e, id, "run it");
  await stream.until("permission_request");
  await cancel(id);
  const [result] = eventsOf(await stream.ended(), "tool_result");
  expect(result).toMatchObject({ error: "Cancelled by user", metadata: { cancelled: true } });
  expect(result.metadata.permission_denied).toBeUndefined();
});

test("in the middle of a thought: the turn ends and nothing of it is kept", async () => {
  const id = await fakeSession(e, fake, { protocol: "messages" });
  const never = new Promise(() => {});
  fake.reply({ steps: [{ thinking: `${"hm ".repeat(100)}` }, { wait: never }] });
  const stream = await send(e, id, "think");
  await stream.until("thinking");
  await cancel(id);
  await expectCancelled(id, stream);
  expect((await historyOf(e, id)).map(({ role }) => role)).toEqual(["user", "user", "assistant"]);
});

test("while a retry waits: the turn ends at once", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ fault: { kind: "status", status: 503, headers: { "retry-after": "60" } } });
  const stream = await send(e, id, "hello");
  expect(await stream.until("retry")).toMatchObject({ attempt: 1, delay_ms: 60_000 });
  await cancel(id);
  await expectCancelled(id, stream);
});

test("during the second call of the model: the results of the first are kept", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [run("echo kept")] }, { fault: { kind: "stall", after: null } });
  const stream = await send(e, id, "go");
  await stream.until("tool_result");
  await fakeHas(2);
  await cancel(id);
  await expectCancelled(id, stream);
  expect((await historyOf(e, id))[2]).toMatchObject({ role: "tool", content: "kept\n" });

  async function fakeHas(count: number): Promise<void> {
    const before = fake.requests.length;
    const own = () => fake.requests.filter(({ body }) => body.messages?.[0]?.content === "go");
    while (own().length < count) await within(fake.nextRequest(), () => `${before} requests`);
  }
});

test("cancelling twice, or with no turn at all, is no error and leaves nothing", async () => {
  const id = await fakeSession(e, fake);
  expect(await cancel(id)).toEqual({ ok: true, session_id: id });
  fake.reply({ fault: { kind: "stall", after: null } });
  const stream = await send(e, id, "hello");
  await Promise.all([cancel(id), cancel(id), cancel(id)]);
  await expectCancelled(id, stream);
  expect(await cancel(id)).toEqual({ ok: true, session_id: id });
});

test("a message sent right after the cancel, before its turn has ended, is refused or runs alone", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ fault: { kind: "stall", after: null } });
  const stream = await send(e, id, "hello");
  const [, second] = await Promise.all([
    cancel(id),
    e.call("POST", `/sessions/${id}/message`, { content: "next", delivery: "queue" }),
  ]);
  expect(second.status).toBe(200);
  const next = await follow(second).ended();
  expect(typesOf(next).at(-1)).toBe("turn_complete");
  expect(typesOf(await stream.ended()).at(-1)).toBe("error");
});

test("the reader sees the end only when the session is free for the next message", async () => {
  const id = await fakeSession(e, fake);
  for (let round = 0; round < 20; round++) {
    fake.reply({ fault: { kind: "stall", after: null } });
    const stream = await send(e, id, `round ${round}`);
    await cancel(id);
    await stream.until("error");
    fake.reply("free");
    const response = await e.call("POST", `/sessions/${id}/message`, { content: "next" });
    expect(response.status).toBe(200);
    await follow(response).ended();
  }
});

test("a run is cancelled by its id, and one that has ended stays as it is", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ fault: { kind: "stall", after: null } });
  const asked = fake.nextRequest();
  const { run_id } = await e.json("POST", `/sessions/${id}/runs`, { content: "hello" });
  await asked;
  const stream = follow(await e.call("GET", `/sessions/${id}/runs/${run_id}/events`));
  const path = `/sessions/${id}/runs/${run_id}`;
  expect(await e.json("POST", `${path}/cancel`)).toEqual({ ok: true, session_id: id, run_id });
  await expectCancelled(id, stream);
  const ended = await e.json("GET", path);
  expect(ended).toMatchObject({ state: "canceled", error: { code: "cancelled" } });
  await e.json("POST", `${path}/cancel`);
  expect(await e.json("GET", path)).toEqual(ended);
  expect((await e.call("POST", `/sessions/${id}/runs/run_none/cancel`)).status).toBe(404);
});

test("a session deleted during a turn: the turn is cancelled, streams end, later calls find nothing", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [run("echo one")] });
  const stream = await send(e, id, "go");
  const session = follow(await e.call("GET", `/sessions/${id}/events`));
  const { tool_id } = await stream.until("permission_request");
  await session.until("permission_request");
  expect(await e.json("DELETE", `/sessions/${id}`)).toEqual({ ok: true, session_id: id });
  const seen = await stream.ended();
  expect(seen.at(-1)?.event).toMatchObject({ type: "error", code: "cancelled" });
  expect(eventsOf(await session.ended(), "error")).toHaveLength(1);
  for (const [method, path, body] of [
    ["GET", "", undefined],
    ["GET", "/history", undefined],
    ["GET", "/events", undefined],
    ["GET", "/permissions", undefined],
    ["POST", "/message", { content: "hi" }],
    ["POST", "/cancel", undefined],
    ["POST", "/permission", { tool_id, decision: "approve" }],
    ["DELETE", "", undefined],
  ] as const)
    expect((await e.call(method, `/sessions/${id}${path}`, body)).status).toBe(404);
  const { sessions } = await e.json("GET", "/sessions");
  expect(sessions.map((each: { session_id: string }) => each.session_id)).not.toContain(id);
});

test("a deleted session is not brought back by those who ask for it meanwhile", async () => {
  for (let round = 0; round < 10; round++) {
    const id = await fakeSession(e, fake);
    fake.reply({ fault: { kind: "stall", after: null } });
    const stream = await send(e, id, "hello");
    let deleted = false;
    const asking = Array.from({ length: 4 }, async () => {
      while (!deleted) await (await e.call("GET", `/sessions/${id}`)).text();
    });
    await e.json("DELETE", `/sessions/${id}`);
    deleted = true;
    await Promise.all(asking);
    await stream.ended();
    expect((await e.call("GET", `/sessions/${id}`)).status).toBe(404);
  }
});

test("a session deleted with a message in its queue: that message's stream ends in one error too", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ fault: { kind: "stall", after: null } });
  const first = await send(e, id, "one");
  const second = await send(e, id, "two", { delivery: "queue" });
  await second.until("message_queued");
  await e.json("DELETE", `/sessions/${id}`);
  await first.ended();
  expect(eventsOf(await second.ended(), "error")).toMatchObject([{ code: "cancelled" }]);
});

test("the conversation is not cleared, and its prompt not rebuilt, during a turn", async () => {
  const id = await fakeSession(e, fake, { system_prompt: "Be kind." });
  fake.reply({ fault: { kind: "stall", after: null } });
  const stream = await send(e, id, "hello");
  expect((await e.call("DELETE", `/sessions/${id}/history`)).status).toBe(409);
  expect((await e.call("POST", `/sessions/${id}/system-prompt/rebuild`)).status).toBe(409);
  await cancel(id);
  await stream.ended();
  expect((await historyOf(e, id)).map(({ role }) => role)).toEqual(["system", "user"]);
  expect((await e.call("DELETE", `/sessions/${id}/history`)).status).toBe(200);
  expect((await historyOf(e, id)).map(({ role }) => role)).toEqual(["system"]);
  fake.reply("hi");
  expect(textOf(await sendAnswering(e, id, "hello again"))).toBe("hi");
});
