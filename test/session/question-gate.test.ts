/** The question gate over HTTP: what ends a turn, what is held, and what becomes of it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { SessionId } from "../../src/domain/ids.ts";
import { QuestionFilter } from "../../src/session/question-gate.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf } from "../support/sse.ts";
import {
  answer,
  eventsOf,
  fakeSession,
  historyOf,
  outline,
  PROTOCOLS,
  send,
  sendAnswering,
  unansweredCalls,
} from "../support/turns.ts";

describe("the markers of a question", () => {
  /** What is shown of a text that comes in these pieces, and the question in it. */
  const filtered = (pieces: string[]) => {
    const filter = new QuestionFilter();
    const shown = pieces.map((piece) => filter.add(piece)).join("") + filter.end();
    return { shown, question: filter.question };
  };

  test.each([
    ["no question", "no question", null],
    [
      "Hm. <question>Tabs or spaces?</question> Bye.",
      "Hm. Tabs or spaces? Bye.",
      "Tabs or spaces?",
    ],
    ["<QUESTION>\n a\nb \n</Question>", "\n a\nb \n", "a\nb"],
    ["<question>one</question><question>two</question>", "onetwo", "one"],
    ["a <question>never ends", "a <question>never ends", null],
    ["a </question> b", "a </question> b", null],
    ["<question></question>", "", null],
    ["x < y <quest <questionable>", "x < y <quest <questionable>", null],
    ["<<question>a</question>", "<a", "a"],
    [`<question>${"x".repeat(20_000)}`, `<question>${"x".repeat(20_000)}`, null],
  ])("%p", (text, shown, question) => {
    expect(filtered([text])).toEqual({ shown, question });
    expect(filtered([...text])).toEqual({ shown, question });
    expect(filtered(text.match(/[\s\S]{1,7}/g) ?? [])).toEqual({ shown, question });
  });

  test("text before a question is shown at once", () => {
    const filter = new QuestionFilter();
    expect(filter.add("Let me ask: <ques")).toBe("Let me ask: ");
    expect(filter.add("tion>Which")).toBe("");
    expect(filter.add(" one?</question>")).toBe("Which one?");
  });
});

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

const session = (id: string) => e.json("GET", `/sessions/${id}`);
const ASKS = {
  steps: [
    { text: "I need to know. <quest" },
    { text: "ion>Tabs or spaces?</question>" },
    { call: "scratchpad", input: { content: "held" } },
    { call: "terminal", input: { command: "echo held" } },
  ],
};

for (const protocol of PROTOCOLS)
  test(`${protocol}: a question ends the turn, its calls run first when it is answered`, async () => {
    const id = await fakeSession(e, fake, { protocol });
    fake.reply(ASKS, "Thanks.");

    const asking = await e.turn(id, "format it");
    expect(textOf(asking)).toBe("I need to know. Tabs or spaces?");
    expect(outline(asking)).toEqual(["turn_started", "question_gate", "turn_complete"]);
    expect(eventsOf(asking, "question_gate")[0]).toMatchObject({
      question: "Tabs or spaces?",
      pending_tools: 2,
    });
    expect(eventsOf(asking, "turn_complete")[0]).toMatchObject({
      stop_reason: "question",
      tool_calls: 0,
    });
    expect((await session(id)).question_pending).toEqual({
      question: "Tabs or spaces?",
      pending_tools: 2,
    });

    const answered = await sendAnswering(e, id, "Tabs.");
    expect(outline(answered)).toEqual([
      "turn_started",
      ...["tool_start", "permission_request", "permission_granted", "tool_result"],
      ...["tool_start", "permission_request", "permission_granted", "tool_result"],
      "turn_complete",
    ]);
    expect(eventsOf(answered, "turn_complete")[0]).toMatchObject({ tool_calls: 2 });
    const history = await historyOf(e, id);
    expect(history.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "tool",
      "user",
      "assistant",
    ]);
    expect(history.at(-2)?.content).toBe("Tabs.");
    expect((await session(id)).question_pending).toBeNull();
  });

test("a question without calls just ends the turn", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("<question>Sure?</question>", "Fine.");
  const asking = await e.turn(id, "go");
  expect(eventsOf(asking, "question_gate")[0]).toMatchObject({
    question: "Sure?",
    pending_tools: 0,
  });
  await e.turn(id, "yes");
  expect((await historyOf(e, id)).map(({ role }) => role)).toEqual([
    "user",
    "assistant",
    "user",
    "assistant",
  ]);
});

test("cancel drops what a question holds, and the conversation stays valid", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(ASKS, "Fine.");
  await e.turn(id, "format it");
  await e.json("POST", `/sessions/${id}/cancel`);
  expect((await session(id)).question_pending).toBeNull();
  expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  const next = await e.turn(id, "never mind");
  expect(outline(next)).toEqual(["turn_started", "turn_complete"]);
});

test("deleting the history forgets the question", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(ASKS, "Fine.");
  await e.turn(id, "format it");
  await e.json("DELETE", `/sessions/${id}/history`);
  expect((await session(id)).question_pending).toBeNull();
  expect(outline(await e.turn(id, "hello"))).toEqual(["turn_started", "turn_complete"]);
  expect((await historyOf(e, id)).map(({ role }) => role)).toEqual(["user", "assistant"]);
});

test("cancelled while a held call waits for permission, the answer still enters the conversation", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(ASKS, "Fine.");
  await e.turn(id, "format it");
  const stream = await send(e, id, "Tabs.");
  await stream.until("permission_request");
  await e.json("POST", `/sessions/${id}/cancel`);
  expect(eventsOf(await stream.ended(), "error")[0]).toMatchObject({ code: "cancelled" });
  const history = await historyOf(e, id);
  expect(unansweredCalls(history)).toEqual([]);
  expect(history.at(-1)).toMatchObject({ role: "user", content: "Tabs." });
  await e.turn(id, "go on");
});

test("a message that joins while a held call waits comes after the answer", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(ASKS, "Fine.");
  await e.turn(id, "format it");
  const stream = await send(e, id, "Tabs.");
  const first = await stream.until("permission_request");
  await e.json("POST", `/sessions/${id}/runs`, { content: "Hurry.", delivery: "steer" });
  await answer(e, id, first.tool_id);
  await answer(e, id, (await stream.until("permission_request", 2)).tool_id);
  expect(eventsOf(await stream.ended(), "turn_complete")).toHaveLength(1);
  const history = await historyOf(e, id);
  expect(unansweredCalls(history)).toEqual([]);
  expect(history.slice(-3).map(({ content }) => content)).toEqual(["Tabs.", "Hurry.", "Fine."]);
});

test("held calls beyond the limit of the answer's run are not executed, and the answer is said", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply(ASKS, "Fine.");
  await e.turn(id, "format it");
  const seen = await e.turn(id, "Tabs.", { limits: { tool_calls: 1 } });
  expect(eventsOf(seen, "tool_result")).toHaveLength(1);
  expect(eventsOf(seen, "turn_complete")[0]).toMatchObject({ stop_reason: "max_tool_calls" });
  const history = await historyOf(e, id);
  expect(unansweredCalls(history)).toEqual([]);
  expect(history.at(-1)).toMatchObject({ role: "user", content: "Tabs." });
  expect((await session(id)).question_pending).toBeNull();
});

test("a session that is let go while its question waits still holds the calls", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply(ASKS, "Fine.");
  await e.turn(id, "format it");
  // As an answer would: its credentials are given anew when it comes back.
  const { secrets } = await e.engine.sessions.get(id as SessionId);
  const credentials = secrets.credentials;
  secrets.credentials = null;
  await e.engine.sessions.letGoOfIdle(Date.now() + 1);
  const back = await e.engine.sessions.get(id as SessionId);
  expect(back.secrets).not.toBe(secrets);
  back.secrets.credentials = credentials;
  const answered = await e.turn(id, "Tabs.");
  expect(eventsOf(answered, "tool_result").map(({ success }) => success)).toEqual([true, true]);
});

test("a restarted engine still holds the calls", async () => {
  const other = await startEngine({
    files: {
      ".kollab/config.json": JSON.stringify({
        kollabor: {
          llm: {
            profiles: {
              fake: {
                provider: "custom",
                model: "fake-model",
                api_key: "sk-fake",
                base_url: fake.baseUrl("chat"),
              },
            },
          },
        },
      }),
    },
  });
  try {
    const id = await other.newSession({ profile: "fake" });
    fake.reply(ASKS, "Thanks.");
    await other.turn(id, "format it");
    await other.restart();
    const answered = await sendAnswering(other, id, "Spaces.");
    expect(eventsOf(answered, "tool_result").map(({ success }) => success)).toEqual([true, true]);
  } finally {
    await other.stop();
  }
});

test("with the gate off the tag is text and the calls run", async () => {
  const other = await startEngine({
    files: {
      ".kollab/config.json": JSON.stringify({
        kollabor: { llm: { question_gate_enabled: false } },
      }),
    },
  });
  try {
    const id = await fakeSession(other, fake);
    fake.reply(ASKS, "Fine.");
    const seen = await sendAnswering(other, id, "format it");
    expect(textOf(seen)).toContain("<question>Tabs or spaces?</question>");
    expect(eventsOf(seen, "question_gate")).toEqual([]);
    expect(eventsOf(seen, "tool_result")).toHaveLength(2);
  } finally {
    await other.stop();
  }
});

test("a held call whose arguments were no JSON is answered before the question", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(
    { steps: [{ text: "<question>Go?</question>" }, { call: "terminal", input: "{broken" }] },
    "Fine.",
  );
  const asking = await e.turn(id, "go");
  expect(eventsOf(asking, "tool_result")[0]?.error).toContain("no JSON object");
  expect(eventsOf(asking, "question_gate")[0]).toMatchObject({ pending_tools: 0 });
  expect(outline(await e.turn(id, "yes"))).toEqual(["turn_started", "turn_complete"]);
});

test("a message from before the question is no answer: what it held is not run", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const { promise: sent, resolve: goOn } = Promise.withResolvers<void>();
  const [asks, ...held] = ASKS.steps;
  fake.reply({ steps: [{ wait: sent }, asks!, ...held] }, "I wait.");
  const asking = await send(e, id, "format it");
  const waiting = await send(e, id, "never touch a file", { delivery: "queue" });
  goOn();
  expect(eventsOf(await asking.ended(), "question_gate")).toHaveLength(1);
  expect(eventsOf(await waiting.ended(), "tool_start")).toEqual([]);
  const history = await historyOf(e, id);
  expect(unansweredCalls(history)).toEqual([]);
  expect(history.filter(({ role }) => role === "tool").map(({ content }) => content)).toEqual([
    expect.stringContaining("Not executed: another message came"),
    expect.stringContaining("Not executed: another message came"),
  ]);
  expect((await session(id)).question_pending).toBeNull();
});
