/** Turns whose model, or whose files, want more than a person allowed. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf } from "../support/sse.ts";
import { answer, eventsOf, fakeSession, historyOf, send } from "../support/turns.ts";

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

const call = (tool: string, input: object = {}) => ({ call: tool, input });
const task = call("subagent", { task: "look", prompt: "do it" });

test("a question holds the calls whatever letters stand before it", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const asked = { text: "İİİİİİ <question>Siléİ?</question> İ" };
  fake.reply({ steps: [asked, call("terminal", { command: "touch held" })] });
  const seen = await e.turn(id, "go");
  expect(textOf(seen)).toBe("İİİİİİ Siléİ? İ");
  expect(eventsOf(seen, "question_gate")[0]).toMatchObject({ question: "Siléİ?" });
  expect(existsSync(join(e.workspace, "held"))).toBe(false);
});

test("what limits a run limits its subagents", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task] });
  for (let at = 0; at < 6; at += 1) fake.reply({ steps: [call("file_list")] });
  fake.fallback = { steps: [{ text: "Done." }] };
  const seen = await e.turn(id, "go", { limits: { tool_calls: 2 } });
  expect(eventsOf(seen, "tool_result")[0]?.metadata).toMatchObject({
    stop_reason: "max_tool_calls",
  });
  const child = eventsOf(seen, "subagent_started")[0]?.child_session_id;
  const done = (await historyOf(e, child)).filter(({ role }) => role === "tool");
  // The call of the subagent is the first of the two.
  expect(done.filter(({ content }) => !content.startsWith("Error: "))).toHaveLength(1);
});

test("subagents of subagents count for the turn that they work for", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task] }, { steps: Array.from({ length: 20 }, () => task) });
  fake.fallback = { steps: [{ text: "Done." }] };
  const seen = await e.turn(id, "go");
  const [started] = eventsOf(seen, "subagent_started");
  const child = await e.json("GET", `/sessions/${started?.child_session_id}`);
  expect(child.child_session_ids).toHaveLength(19);
});

test("a checkpoint counts the commands of subagents, whose changes it has", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply(
    { steps: [task] },
    { steps: [call("terminal", { command: "true" })] },
    { steps: [call("file_create", { file: "made.txt", content: "x" })] },
    "Made.",
    "Done.",
  );
  await e.turn(id, "go");
  const { checkpoints } = await e.json("GET", `/sessions/${id}/checkpoints`);
  expect(checkpoints[0]).toMatchObject({ commands: 1 });
});

test("a change that the diff does not show is not made with the approval of another one", async () => {
  const id = await fakeSession(e, fake);
  const path = (name: string) => join(e.workspace, name);
  writeFileSync(path("from.bin"), new Uint8Array([0, 1]));
  writeFileSync(path("to.bin"), new Uint8Array([0, 2]));
  fake.reply({ steps: [call("file_copy_overwrite", { from: "from.bin", to: "to.bin" })] }, "Done.");
  const stream = await send(e, id, "go");
  const prompt = await stream.until("permission_request");
  writeFileSync(path("from.bin"), new Uint8Array([0, 66, 66]));
  writeFileSync(path("to.bin"), new Uint8Array([0, 3, 3]));
  await answer(e, id, prompt.tool_id);
  const again = await stream.until("permission_request", 2);
  expect([...readFileSync(path("to.bin"))]).toEqual([0, 3, 3]);
  await answer(e, id, again.tool_id, "deny");
  await stream.ended();
});
