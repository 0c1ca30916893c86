/** A small request or reply must not become a large one inside. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { data } from "../support/fake-replies.ts";
import { eventsOf, fakeSession, send } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeEach(async () => {
  e = await startEngine();
  fake = await startFakeProvider({ strict: false });
});
afterEach(async () => {
  await e.stop();
  await fake.stop();
});

const chunk = (delta: object, finish_reason: string | null = null) =>
  data({ choices: [{ index: 0, delta, finish_reason }] });

test("files of a message count together", async () => {
  const png = Buffer.from("89504e470d0a1a0a", "hex");
  writeFileSync(join(e.workspace, "i.png"), Buffer.concat([png, Buffer.alloc(3_000_000)]));
  const session = await e.newSession({ profile: "offline" });
  const content = Array.from({ length: 6 }, () => ({ type: "image", path: "i.png" }));
  expect((await e.call("POST", `/sessions/${session}/runs`, { content })).status).toBe(422);
});

test("a provider's word for the end is a word", async () => {
  const session = await fakeSession(e, fake);
  fake.reply({
    raw: [chunk({ content: "x" }), chunk({}, "Z".repeat(100_000)), "data: [DONE]\n\n"],
  });
  const [complete] = eventsOf(await (await send(e, session, "hi")).ended(), "turn_complete");
  expect(complete.stop_reason.length).toBeLessThan(200);
});

test("ids and names of calls that other providers would refuse do not stay in the conversation", async () => {
  const session = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const call = {
    index: 0,
    id: "x\n".repeat(50_000),
    function: { name: "a b\n\u001b]0;x\u0007", arguments: "" },
  };
  fake.reply({ raw: [chunk({ tool_calls: [call] }), chunk({}, "tool_calls"), "data: [DONE]\n\n"] });
  await (await send(e, session, "hi")).ended();
  const sent = fake.requests.at(-1)?.body.messages[1].tool_calls[0];
  expect([sent.id, sent.function.name]).toEqual([
    expect.stringMatching(/^[\w-]{1,64}$/),
    expect.stringMatching(/^[\w-]{1,64}$/),
  ]);
});

test("a call's arguments are bounded", async () => {
  const session = await fakeSession(e, fake, { unattended: "deny" });
  fake.reply({ steps: [{ call: "terminal", input: { command: "x".repeat(3_000_000) } }] });
  const turn = await send(e, session, "hi");
  const first = await Promise.race([
    turn.until("permission_request").then(() => "asked"),
    turn.until("tool_result").then(() => "refused"),
  ]);
  expect(first).toBe("refused");
});
