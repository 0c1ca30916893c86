/** Sessions beside each other: nothing of one shows in another, and what ends leaves nothing open. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { until } from "../support/engine-process.ts";
import {
  type FakeProvider,
  type FakeRequest,
  startFakeProvider,
} from "../support/fake-provider.ts";
import { type Json, textOf, typesOf } from "../support/sse.ts";
import {
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  KEY,
  PROTOCOLS,
  send,
  sendAnswering,
  unansweredCalls,
  within,
} from "../support/turns.ts";

let fake: FakeProvider;
let e: TestEngine;
beforeAll(async () => {
  fake = await startFakeProvider();
  const shared = { provider: "custom", model: "fake-model", base_url: fake.baseUrl("chat") };
  const profiles = {
    one: { ...shared, api_key: `${KEY}-one` },
    two: { ...shared, api_key: `${KEY}-two` },
    whole: { ...shared, api_key: KEY, streaming: false },
    "no tools": { ...shared, api_key: KEY, supports_tools: false },
  };
  const config = { kollabor: { llm: { profiles } } };
  e = await startEngine({ files: { ".kollab/config.json": JSON.stringify(config) } });
});
afterAll(async () => {
  await e.stop();
  await fake.stop();
});
beforeEach(() => void fake.requests.splice(0));
afterEach(() => {
  fake.fallback = {};
});

const asked = ({ body }: FakeRequest): string =>
  body.messages.findLast(({ role }: Json) => role === "user").content;

test("twenty turns at once: each has its own text, tool calls, usage and key", async () => {
  const names = Array.from({ length: 20 }, (_, n) => `number-${n}`);
  // Each answers its own message: first with a call, then with a text.
  fake.fallback = (request) => {
    const name = asked(request);
    const number = Number(name.split("-")[1]);
    const usage = { input: 100 + number, output: 10 + number };
    if (request.body.messages.at(-1).role === "tool")
      return { steps: [{ text: `${name} is done` }], usage };
    const command = `echo ${name}`;
    return { steps: [{ text: `${name}: ` }, { call: "terminal", input: { command } }], usage };
  };
  await Promise.all(
    names.map(async (name, n) => {
      const profile = n % 2 === 0 ? "one" : "two";
      const id = await e.newSession({ profile });
      const seen = await sendAnswering(e, id, name);
      expect(textOf(seen)).toBe(`${name}: ${name} is done`);
      expect(eventsOf(seen, "tool_result").map(({ output }) => output)).toEqual([`${name}\n`]);
      expect(seen.at(-1)?.event).toMatchObject({
        type: "turn_complete",
        input_tokens: 2 * (100 + n),
        output_tokens: 2 * (10 + n),
        tool_calls: 1,
      });
      for (const { event } of seen) expect(event.session_id).toBe(id);
      expect(seen.map((each) => each.id)).toEqual(seen.map((_, at) => at + 1));
      expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
      expect(await e.json("GET", `/sessions/${id}`)).toMatchObject({
        total_turns: 1,
        total_input_tokens: 2 * (100 + n),
        total_output_tokens: 2 * (10 + n),
      });
    }),
  );
  expect(fake.requests).toHaveLength(40);
  for (const request of fake.requests) {
    const number = Number(asked(request).split("-")[1]);
    const key = number % 2 === 0 ? "one" : "two";
    expect(request.headers.authorization).toBe(`Bearer ${KEY}-${key}`);
  }
});

test("sessions of one profile, one cancelled and one failing: the others do not notice", async () => {
  const gate = Promise.withResolvers<void>();
  fake.fallback = (request) => {
    const name = asked(request);
    if (name === "fails") return { fault: { kind: "status", status: 401 } };
    if (name === "stalls") return { fault: { kind: "stall", after: null } };
    return { steps: [{ text: "begun " }, { wait: gate.promise }, { text: "and done" }] };
  };
  const names = ["goes on", "fails", "stalls", "goes on"];
  const ids = await Promise.all(names.map(() => e.newSession({ profile: "one" })));
  const streams = await Promise.all(names.map((name, at) => send(e, ids[at]!, name)));
  await Promise.all([0, 3].map((at) => streams[at]?.untilText("begun")));
  expect((await streams[1]!.until("error")).code).toBe("auth_error");
  await e.json("POST", `/sessions/${ids[2]}/cancel`);
  expect((await streams[2]!.until("error")).code).toBe("cancelled");
  await e.json("DELETE", `/sessions/${ids[1]}`);
  await e.json("DELETE", `/sessions/${ids[2]}`);
  gate.resolve();
  for (const at of [0, 3]) expect(textOf(await streams[at]!.ended())).toBe("begun and done");
});

for (const protocol of PROTOCOLS)
  test(`after a session is deleted, in the middle of its turn or after it, no connection to its provider is left (${protocol})`, async () => {
    const own = await startFakeProvider();
    try {
      const [ended, busy] = [
        await fakeSession(e, own, { protocol }),
        await fakeSession(e, own, { protocol }),
      ];
      own.reply("hi");
      await e.turn(ended, "hello");
      own.reply({ steps: [{ text: "Once " }, { wait: new Promise(() => {}) }] });
      const stream = await send(e, busy, "tell me");
      await stream.untilText("Once");
      await Promise.all([ended, busy].map((id) => e.json("DELETE", `/sessions/${id}`)));
      await until("no connection is open", () => own.connections === 0);
      await stream.ended();
    } finally {
      await own.stop();
    }
  });

test("streaming false: text, a tool and the end come as from a stream", async () => {
  const id = await e.newSession({ profile: "whole" });
  fake.reply(
    {
      steps: [{ text: "Running." }, { call: "terminal", input: { command: "echo hi" }, id: "c1" }],
    },
    "All done.",
  );
  const seen = await sendAnswering(e, id, "go");
  expect(typesOf(seen).filter((type) => type !== "tool_output")).toEqual([
    ...["turn_started", "token", "model_call"],
    ...["tool_start", "permission_request", "permission_granted", "tool_result"],
    ...["token", "model_call", "turn_complete"],
  ]);
  expect(textOf(seen)).toBe("Running.All done.");
  expect(fake.requests.map(({ body }) => body.stream ?? false)).toEqual([false, false]);
  expect(seen.at(-1)?.event).toMatchObject({ input_tokens: 20, output_tokens: 10 });
});

test("streaming false: a turn that waits for its reply is cancelled, and its connection closed", async () => {
  const id = await e.newSession({ profile: "whole" });
  fake.reply({ fault: { kind: "stall", after: null } });
  const next = fake.nextRequest();
  const stream = await send(e, id, "go");
  const request = await next;
  await e.json("POST", `/sessions/${id}/cancel`);
  expect(await within(request.ended, () => "the socket stayed open")).toBe("client");
  expect((await stream.ended()).at(-1)?.event).toMatchObject({ type: "error", code: "cancelled" });
});

test("supports_tools false: the model is told of no tool, and answers", async () => {
  const id = await e.newSession({ profile: "no tools" });
  fake.reply("No tools here.");
  expect(textOf(await e.turn(id, "list the files"))).toBe("No tools here.");
  expect(fake.requests[0]?.body.tools).toBeUndefined();
  expect(JSON.stringify(fake.requests[0]?.body)).not.toContain("file_read");
});

test("two runs that are queued while a prompt waits begin after it, in their order, and ask themselves", async () => {
  const id = await e.newSession({ profile: "one" });
  const call = (command: string) => ({
    steps: [{ call: "terminal", input: { command } }],
  });
  fake.reply(call("echo 1"), "one", call("echo 2"), "two", call("echo 3"), "three");
  const first = await send(e, id, "one");
  const { tool_id } = await first.until("permission_request");
  const others = [];
  for (const content of ["two", "three"])
    others.push(await send(e, id, content, { delivery: "queue" }));
  const { pending } = await e.json("GET", `/sessions/${id}/permissions`);
  expect(pending).toEqual([tool_id]);
  expect(fake.requests).toHaveLength(1);
  const approve = (tool: string) =>
    e.json("POST", `/sessions/${id}/permission`, { tool_id: tool, decision: "approve" });
  await approve(tool_id);
  expect(textOf(await first.ended())).toBe("one");
  for (const [at, stream] of others.entries()) {
    const request = await stream.until("permission_request");
    expect(request.input.command).toBe(`echo ${at + 2}`);
    await approve(request.tool_id);
    expect(textOf(await stream.ended())).toBe(["two", "three"][at]!);
  }
});

test("a message that joins a turn while its prompt waits is shown the prompt", async () => {
  const id = await e.newSession({ profile: "one" });
  fake.reply({ steps: [{ call: "terminal", input: { command: "echo 1" } }] }, "done");
  const { run_id } = await e.json("POST", `/sessions/${id}/runs`, { content: "one" });
  const watching = follow(await e.call("GET", `/sessions/${id}/runs/${run_id}/events`));
  const { tool_id } = await watching.until("permission_request");
  await watching.hangUp();
  // Its sender sees no other stream of this session.
  const joined = await send(e, id, "two", { delivery: "steer" });
  const shown = await joined.until("permission_request").finally(async () => {
    await e.json("POST", `/sessions/${id}/permission`, { tool_id, decision: "approve" });
  });
  expect(shown).toMatchObject({ tool_id, pending: true });
  await joined.ended();
});

test("a session deleted with a message that was to join its turn: that one's stream ends in one error too", async () => {
  const id = await e.newSession({ profile: "one" });
  fake.reply({ fault: { kind: "stall", after: null } });
  const first = await send(e, id, "one");
  const joined = await send(e, id, "two", { delivery: "steer" });
  await e.json("DELETE", `/sessions/${id}`);
  await first.ended();
  const seen = await joined.ended();
  expect(seen.at(-1)?.event).toMatchObject({ type: "error", code: "cancelled" });
});

test("of five deletions at once one finds the session, and dashboards are told once", async () => {
  const all = follow(await e.call("GET", "/events"));
  const id = await e.newSession({ profile: "one" });
  fake.reply({ fault: { kind: "stall", after: null } });
  const stream = await send(e, id, "one");
  const statuses = await Promise.all(
    [1, 2, 3, 4, 5].map(async () => (await e.call("DELETE", `/sessions/${id}`)).status),
  );
  await stream.ended();
  const other = await e.newSession({ profile: "one" });
  while (!all.events.some(({ event }) => event.session_id === other))
    await all.untilId(all.events.at(-1)!.id! + 1);
  await all.hangUp();
  expect(
    eventsOf(all.events, "session_deleted").filter((each) => each.session_id === id),
  ).toHaveLength(1);
  expect(statuses.sort()).toEqual([200, 404, 404, 404, 404]);
});

test("two engines of one home that make a session of the same name: one has it, both go on", async () => {
  const { createEngine } = await import("../../src/engine.ts");
  const { inProcess } = await import("../../src/http/server.ts");
  const other = await createEngine(e.engine.options);
  try {
    const { token, fetch: ask } = inProcess(other);
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const there = async (body: object) =>
      (
        await ask(
          new Request("http://localhost/sessions", {
            method: "POST",
            headers,
            body: JSON.stringify(body),
          }),
        )
      ).status;
    const here = async (body: object) => (await e.call("POST", "/sessions", body)).status;
    for (let round = 0; round < 10; round++) {
      const body = { session_id: `same-${round}`, profile: "one" };
      expect((await Promise.all([here(body), there(body)])).sort()).toEqual([200, 409]);
    }
    expect(await here({})).toBe(200);
    expect(await there({})).toBe(200);
  } finally {
    await other.close();
  }
});
