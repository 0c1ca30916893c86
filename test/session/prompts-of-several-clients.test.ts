/** One prompt and several who may answer it, or nobody: who wins, what all see, and how it ends without. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, type FakeStep, startFakeProvider } from "../support/fake-provider.ts";
import {
  answer,
  eventsOf,
  fakeSession,
  follow,
  historyOf,
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

const EDIT = { call: "file_edit", input: { file: "a.txt", find: "one", replace: "two" } };
const command = (text: string) => ({ call: "terminal", input: { command: text } });
const permissions = (id: string) => e.json("GET", `/sessions/${id}/permissions`);
const followed = async (id: string, engine = e) =>
  follow(await engine.call("GET", `/sessions/${id}/events`));

async function asking(call: FakeStep) {
  writeFileSync(join(e.workspace, "a.txt"), "one\n");
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [call] }, "done");
  const stream = await send(e, id, "go");
  const prompt = await stream.until("permission_request");
  return { id, stream, prompt };
}

for (const winner of ["approve", "deny"] as const)
  test(`the first answer counts (${winner}), later ones find nothing, and every stream shows the same`, async () => {
    const { id, stream, prompt } = await asking(EDIT);
    const others = await Promise.all([followed(id), followed(id)]);
    await Promise.all(others.map((other) => other.until("permission_request")));
    const loser = winner === "approve" ? "deny" : "approve";
    expect(await answer(e, id, prompt.tool_id, winner)).toBe(200);
    const late = await Promise.all([1, 2].map(() => answer(e, id, prompt.tool_id, loser)));
    expect(late).toEqual([404, 404]);

    const seen = await stream.ended();
    const end = seen.at(-1)?.id ?? 0;
    for (const other of others) {
      await other.untilId(end);
      const from = seen[0]?.id ?? 0;
      expect(other.events.filter((each) => (each.id ?? 0) >= from)).toEqual(seen);
      await other.hangUp();
    }
    const [granted, denied] = ["permission_granted", "permission_denied"].map((type) =>
      eventsOf(seen, type),
    );
    expect([granted?.length, denied?.length]).toEqual(winner === "approve" ? [1, 0] : [0, 1]);
    expect(eventsOf(seen, "tool_result")[0].success).toBe(winner === "approve");
  });

test("of ten answers at the same moment one counts", async () => {
  const { id, stream, prompt } = await asking({
    call: "file_create",
    input: { file: "ten.txt", content: "" },
  });
  const statuses = await Promise.all(
    Array.from({ length: 10 }, (_, at) =>
      answer(e, id, prompt.tool_id, at % 2 === 0 ? "approve" : "deny", "project"),
    ),
  );
  expect(statuses.sort()).toEqual([200, ...Array.from({ length: 9 }, () => 404)]);
  const seen = await stream.ended();
  const ends = seen.filter(({ event }) => /^permission_(granted|denied)$/.test(event.type));
  expect(ends).toHaveLength(1);
});

test("who attaches while a prompt waits sees all of it, in the list and on the stream", async () => {
  for (const call of [EDIT, command("npm run test && sudo rm x")]) {
    const { id, stream, prompt } = await asking(call);
    const { type, ts, session_id, ...fields } = prompt;
    expect(type).toBe("permission_request");
    const { pending, pending_details } = await permissions(id);
    expect(pending).toEqual([prompt.tool_id]);
    const [{ created_at, ...details }] = pending_details;
    expect(details).toEqual(fields);
    expect(Math.abs(created_at - ts)).toBeLessThan(1_000);
    expect(fields).toMatchObject(
      call === EDIT ? { tool_name: "file_edit", parts: [] } : { diff: null, risk_level: "high" },
    );
    if (call === EDIT) expect(fields.diff).toContain("-one\n+two\n");
    else expect(fields.parts.length).toBeGreaterThan(1);
    expect(fields.suggested_scopes[0]).toMatchObject({ scope: "once", keys: [] });

    // From behind the event that asked: it is shown again, marked.
    const last = stream.events.at(-1)?.id;
    const late = follow(await e.call("GET", `/sessions/${id}/events?after=${last}`));
    expect(await late.until("permission_request")).toMatchObject({
      ...fields,
      session_id,
      pending: true,
      created_at,
    });
    expect(await answer(e, id, prompt.tool_id, "deny")).toBe(200);
    await late.until("turn_complete");
    await late.hangUp();
    await stream.ended();
  }
});

test("with nobody there a prompt waits its time and is denied", async () => {
  const quick = await startEngine({ permissionTimeoutMs: 50 });
  try {
    const id = await fakeSession(quick, fake);
    fake.reply({ steps: [command("true"), command("true")] }, "done");
    const path = `/sessions/${id}/runs`;
    const { run_id } = await quick.json("POST", path, { content: "go" });
    const all = await followed(id, quick);
    await all.until("turn_complete");
    expect(eventsOf(all.events, "permission_denied")).toMatchObject([
      { reason: "timeout" },
      { reason: "timeout" },
    ]);
    expect(eventsOf(all.events, "tool_result")).toMatchObject([
      { error: "Permission request timed out" },
      { error: "Permission request timed out" },
    ]);
    expect((await quick.json("GET", `${path}/${run_id}`)).state).toBe("completed");
    const { pending, pending_details, stats } = await quick.json(
      "GET",
      `/sessions/${id}/permissions`,
    );
    expect([pending, pending_details, stats.denied]).toEqual([[], [], 2]);
    await all.hangUp();
  } finally {
    await quick.stop();
  }
});

test("with nobody there a prompt is answered by who comes later", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [command("echo late")] }, "done");
  const { run_id } = await e.json("POST", `/sessions/${id}/runs`, { content: "go" });
  const run = follow(await e.call("GET", `/sessions/${id}/runs/${run_id}/events`));
  await run.until("permission_request");
  await run.hangUp();
  const late = await followed(id);
  const { tool_id } = await late.until("permission_request");
  expect((await permissions(id)).pending).toEqual([tool_id]);
  await answer(e, id, tool_id);
  expect(await late.until("tool_result")).toMatchObject({ success: true, output: "late\n" });
  await late.until("turn_complete");
  await late.hangUp();
});

const ENDS: [string, object, (id: string, hangUp: () => Promise<void>) => Promise<unknown>][] = [
  ["the turn is cancelled", {}, (id) => e.json("POST", `/sessions/${id}/cancel`)],
  ["its client leaves, who asked for that", { on_disconnect: "cancel" }, (_, hangUp) => hangUp()],
];

test.each(ENDS)(
  "nothing is pending any more when %s, and a late answer finds nothing",
  async (_, more, end) => {
    const id = await fakeSession(e, fake);
    const reader = await followed(id);
    fake.reply({ steps: [command("true"), command("true")] });
    const stream = await send(e, id, "go", more);
    const { tool_id } = await stream.until("permission_request");
    expect((await permissions(id)).pending).toEqual([tool_id]);
    await end(id, stream.hangUp);
    await reader.until("error");
    expect(await permissions(id)).toMatchObject({
      pending: [],
      pending_details: [],
      stats: { total_checks: 1, denied: 1 },
    });
    expect(await answer(e, id, tool_id)).toBe(404);
    expect(eventsOf(reader.events, "tool_result").map(({ metadata }) => metadata)).toContainEqual(
      expect.objectContaining({ cancelled: true }),
    );
    expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
    fake.reply("still here");
    expect((await e.turn(id, "hello?")).at(-1)?.event.type).toBe("turn_complete");
    await reader.hangUp();
  },
);

test("nothing is pending any more when the session is deleted", async () => {
  const all = follow(await e.call("GET", "/events"));
  const { id, prompt, stream } = await asking(command("true"));
  await e.json("DELETE", `/sessions/${id}`);
  expect((await stream.ended()).at(-1)?.event).toMatchObject({ type: "error", code: "cancelled" });
  expect(await answer(e, id, prompt.tool_id)).toBe(404);
  expect((await e.call("GET", `/sessions/${id}/permissions`)).status).toBe(404);
  await all.until("session_deleted");
  const own = all.events.map(({ event }) => event).filter(({ session_id }) => session_id === id);
  expect(own).toContainEqual(
    expect.objectContaining({ type: "permission_resolved", decision: "deny" }),
  );
  await all.hangUp();
  const anew = follow(await e.call("GET", "/events"));
  await anew.hangUp();
  expect(eventsOf(anew.events, "permission_pending")).toEqual([]);
});

test("approve, deny and approve in one reply: all three have a result, and the approved ones ran", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: ["echo 1", "echo 2", "echo 3"].map(command) }, "done");
  const stream = await send(e, id, "go");
  for (const [at, decision] of (["approve", "deny", "approve"] as const).entries()) {
    const { tool_id } = await stream.until("permission_request", at + 1);
    expect((await permissions(id)).pending).toEqual([tool_id]);
    await answer(e, id, tool_id, decision);
  }
  const seen = await stream.ended();
  expect(eventsOf(seen, "tool_result").map(({ success, output }) => [success, output])).toEqual([
    [true, "1\n"],
    [false, "User denied"],
    [true, "3\n"],
  ]);
});

test("an answer for one session is none for the same id in another", async () => {
  const ids = await Promise.all([fakeSession(e, fake), fakeSession(e, fake)]);
  fake.reply({ steps: [command("true")] }, { steps: [command("true")] }, "done", "done");
  const [one, other] = await Promise.all(ids.map((id) => send(e, id, "go")));
  const { tool_id } = await one!.until("permission_request");
  expect((await other!.until("permission_request")).tool_id).toBe(tool_id);
  expect(await answer(e, ids[0], tool_id, "deny")).toBe(200);
  expect((await permissions(ids[1])).pending).toEqual([tool_id]);
  expect(await answer(e, ids[1], tool_id)).toBe(200);
  const [denied, ran] = await Promise.all([one!.ended(), other!.ended()]);
  expect([denied, ran].map((seen) => eventsOf(seen, "tool_result")[0].success)).toEqual([
    false,
    true,
  ]);
});
