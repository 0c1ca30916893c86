/** Caps of a run: each ends it with a stop reason of its own and leaves a conversation to go on with. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { groupIsGone } from "../support/process-group.ts";
import { textOf } from "../support/sse.ts";
import {
  bodyOf,
  eventsOf,
  fakeSession,
  historyOf,
  outline,
  PROTOCOLS,
  send,
  unansweredCalls,
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
const trusting = { approval_mode: "trust_all" };

/** The provider refuses a conversation that is not whole: then this is no text but an error. */
async function expectNextMessageWorks(id: string): Promise<void> {
  expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  fake.fallback = {};
  fake.reply("still fine");
  expect(textOf(await e.turn(id, "next"))).toBe("still fine");
}

for (const protocol of PROTOCOLS) {
  test(`without a limit a turn that never stops calling tools ends at max_turns (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol, ...trusting });
    fake.fallback = { steps: [{ call: "no_such_tool" }] };
    const seen = await e.turn(id, "loop");
    expect(seen.at(-1)?.event).toMatchObject({ type: "turn_complete", stop_reason: "max_turns" });
    expect(eventsOf(seen, "model_call")).toHaveLength(21);
    expect((await historyOf(e, id)).at(-1).role).toBe("tool");
    await expectNextMessageWorks(id);
  });

  test(`tool_calls: the calls beyond it are not run, and answered (${protocol})`, async () => {
    const id = await fakeSession(e, fake, { protocol, ...trusting });
    fake.reply({ steps: [run("echo 1", "c1"), run("echo 2", "c2"), run("echo 3", "c3")] });
    const seen = await e.turn(id, "go", { limits: { tool_calls: 2 } });
    expect(outline(seen)).toEqual([
      "turn_started",
      ...["tool_start", "tool_result", "tool_start", "tool_result"],
      "turn_complete",
    ]);
    expect(seen.at(-1)?.event).toMatchObject({ stop_reason: "max_tool_calls", tool_calls: 2 });
    const answers = (await historyOf(e, id)).filter(({ role }) => role === "tool");
    expect(answers.map(({ content }) => content)).toEqual([
      "1\n",
      "2\n",
      expect.stringMatching(/^Error: Not executed/),
    ]);
    await expectNextMessageWorks(id);
  });
}

test("model_calls: the turn ends before one more call", async () => {
  const id = await fakeSession(e, fake, trusting);
  fake.fallback = { steps: [run("echo 1")] };
  const seen = await e.turn(id, "go", { limits: { model_calls: 2 } });
  expect(eventsOf(seen, "model_call")).toHaveLength(2);
  expect(seen.at(-1)?.event).toMatchObject({ type: "turn_complete", stop_reason: "max_turns" });
  await expectNextMessageWorks(id);
});

test("model_calls: a turn that is done within them ends as it would", async () => {
  const id = await fakeSession(e, fake, trusting);
  fake.reply({ steps: [run("echo 1")] }, "done");
  const seen = await e.turn(id, "go", { limits: { model_calls: 2, tool_calls: 1 } });
  expect(seen.at(-1)?.event).toMatchObject({ stop_reason: "stop", tool_calls: 1 });
});

test("model_calls: more than the default may be asked for", async () => {
  const id = await fakeSession(e, fake, trusting);
  fake.reply(...Array.from({ length: 25 }, () => ({ steps: [{ call: "no_such_tool" }] })), "done");
  const seen = await e.turn(id, "go", { limits: { model_calls: 30 } });
  expect(textOf(seen)).toBe("done");
  expect(seen.at(-1)?.event.stop_reason).toBe("stop");
});

test("tokens: no call of the model is made once they are used up", async () => {
  const id = await fakeSession(e, fake, trusting);
  const usage = { input: 50, output: 50 };
  fake.fallback = { steps: [run("echo 1")], usage };
  const seen = await e.turn(id, "go", { limits: { tokens: 200 } });
  expect(eventsOf(seen, "model_call")).toHaveLength(2);
  expect(seen.at(-1)?.event).toMatchObject({
    type: "turn_complete",
    stop_reason: "max_run_tokens",
    input_tokens: 100,
    output_tokens: 100,
  });
  await expectNextMessageWorks(id);
});

test("seconds: a reply that takes longer is cut, and what was shown stays as partial", async () => {
  const id = await fakeSession(e, fake);
  const asked = fake.nextRequest();
  fake.reply({ steps: [{ text: "So far" }, { wait: new Promise(() => {}) }] });
  const seen = await e.turn(id, "go", { limits: { seconds: 1 } });
  expect(await (await asked).ended).toBe("client");
  expect(seen.at(-1)?.event).toMatchObject({ type: "turn_complete", stop_reason: "max_seconds" });
  expect((await historyOf(e, id)).at(-1)).toMatchObject({
    content: "So far",
    metadata: { partial: true },
  });
  await expectNextMessageWorks(id);
});

test("seconds: a command that takes longer is ended with its processes", async () => {
  const id = await fakeSession(e, fake, trusting);
  fake.reply({ steps: [run("sleep 300 & echo $$; sleep 300", "c1"), run("echo 2", "c2")] });
  const stream = await send(e, id, "go", { limits: { seconds: 1 } });
  const { chunk } = await stream.until("tool_output");
  const seen = await stream.ended();
  expect(await groupIsGone(Number(chunk.trim()))).toBe(true);
  expect(outline(seen)).toEqual(["turn_started", "tool_start", "tool_result", "turn_complete"]);
  expect(seen.at(-1)?.event.stop_reason).toBe("max_seconds");
  await expectNextMessageWorks(id);
});

test("seconds: a month is no instant", async () => {
  const id = await fakeSession(e, fake);
  fake.reply("done in time");
  const seen = await e.turn(id, "go", { limits: { seconds: 30 * 86_400 } });
  expect(textOf(seen)).toBe("done in time");
  expect(seen.at(-1)?.event.stop_reason).toBe("stop");
});

test("a limit of one run is not one of the next", async () => {
  const id = await fakeSession(e, fake, trusting);
  fake.reply({ steps: [run("echo 1")] });
  await e.turn(id, "go", { limits: { model_calls: 1 } });
  fake.reply({ steps: [run("echo 2")] }, "done");
  expect((await e.turn(id, "again")).at(-1)?.event.stop_reason).toBe("stop");
});

test("a limit out of range is refused with its place, and nothing has begun", async () => {
  const id = await fakeSession(e, fake);
  for (const [limits, field] of [
    [{ model_calls: 0 }, "model_calls"],
    [{ tool_calls: -1 }, "tool_calls"],
    [{ seconds: "1" }, "seconds"],
    [{ tokens: 1.5 }, "tokens"],
  ] as const) {
    const response = await e.call("POST", `/sessions/${id}/message`, { content: "go", limits });
    expect(response.status).toBe(422);
    expect((await bodyOf(response)).detail[0].loc).toEqual(["body", "limits", field]);
  }
  expect(await historyOf(e, id)).toEqual([]);
});
