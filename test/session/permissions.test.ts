/** Asking, over HTTP: who is asked, what an answer does, and how a prompt ends without one. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { readSse, typesOf } from "../support/sse.ts";
import {
  answer,
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  outline,
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

const permissions = (id: string) => e.json("GET", `/sessions/${id}/permissions`);
const run = (command: string) => ({ call: "terminal", input: { command } });
/** One reply for each command, then a last one. */
const script = (...commands: string[]) =>
  fake.reply(...commands.map((command) => ({ steps: [run(command)] })), "done");

test("an answer at the very moment of the prompt is never too early, 200 times", async () => {
  const id = await fakeSession(e, fake);
  // Refused by the tool before a process starts, so that the prompts are what takes the time.
  const step = run("python main.py --detached");
  fake.reply(
    ...Array.from({ length: 10 }, () => ({ steps: Array.from({ length: 20 }, () => step) })),
    "done",
  );
  const seen = await sendAnswering(e, id, "ask me often");
  expect(eventsOf(seen, "permission_granted")).toHaveLength(200);
  expect((await permissions(id)).stats).toMatchObject({ total_checks: 200, user_approved: 200 });
});

test("of two answers the first counts and the second finds nothing", async () => {
  const id = await e.newSession();
  const stream = await send(e, id, "run true");
  const { tool_id } = await stream.until("permission_request");
  const statuses = await Promise.all([
    answer(e, id, tool_id, "approve"),
    answer(e, id, tool_id, "deny"),
  ]);
  expect(statuses.sort()).toEqual([200, 404]);
  expect(await answer(e, id, tool_id)).toBe(404);
  const seen = await stream.ended();
  expect(
    typesOf(seen).filter((type) => ["permission_granted", "permission_denied"].includes(type)),
  ).toHaveLength(1);
});

test("an unknown scope or decision is refused, and the prompt stays", async () => {
  const id = await e.newSession();
  const stream = await send(e, id, "run true");
  const { tool_id } = await stream.until("permission_request");
  const path = `/sessions/${id}/permission`;
  for (const wrong of [
    { decision: "approve", scope: "xyz" },
    { decision: "perhaps" },
    { decision: "approve", scope: "trust_tool" },
    { decision: "approve", scope: "always_edits" },
  ])
    expect((await e.call("POST", path, { tool_id, ...wrong })).status).toBe(400);
  const { pending, pending_details } = await permissions(id);
  expect(pending).toEqual([tool_id]);
  expect(pending_details[0]).toMatchObject({
    tool_id,
    tool_name: "terminal",
    tool_type: "terminal",
    input: { command: "true" },
    risk_level: "medium",
    created_at: expect.any(Number),
  });
  expect(await answer(e, id, tool_id)).toBe(200);
  expect((await permissions(id)).pending).toEqual([]);
  await stream.ended();
});

test("a prompt that nobody answers in time is denied and the turn goes on", async () => {
  const quick = await startEngine({ permissionTimeoutMs: 30 });
  try {
    const id = await quick.newSession();
    const seen = await quick.turn(id, "run true");
    expect(outline(seen)).toEqual([
      "turn_started",
      "tool_start",
      "permission_request",
      "permission_denied",
      "tool_result",
      "turn_complete",
    ]);
    expect(eventsOf(seen, "permission_denied")[0].reason).toBe("timeout");
    const result = eventsOf(seen, "tool_result")[0];
    expect(result).toMatchObject({
      success: false,
      error: "Permission request timed out",
      metadata: { permission_denied: true },
    });
    expect(await answer(quick, id, result.tool_id)).toBe(404);
    const { pending, stats } = await quick.json("GET", `/sessions/${id}/permissions`);
    expect(pending).toEqual([]);
    expect(stats).toMatchObject({ total_checks: 1, denied: 1 });
  } finally {
    await quick.stop();
  }
});

test("unattended deny: with nobody attached a prompt is denied at once", async () => {
  const id = await e.newSession({ unattended: "deny" });
  const { run_id } = await e.json("POST", `/sessions/${id}/runs`, { content: "run true" });
  const stream = follow(await e.call("GET", `/sessions/${id}/runs/${run_id}/events`));
  const seen = await stream.ended();
  expect(eventsOf(seen, "permission_denied")[0].reason).toBe("unattended");
  expect(eventsOf(seen, "tool_result")[0].metadata).toEqual({ permission_denied: true });
  expect(seen.at(-1)?.event.type).toBe("turn_complete");
});

test("unattended deny: with a reader attached a prompt waits for the answer", async () => {
  const id = await e.newSession({ unattended: "deny" });
  const reader = follow(await e.call("GET", `/sessions/${id}/events`));
  await e.json("POST", `/sessions/${id}/runs`, { content: "run echo yes" });
  const { tool_id } = await reader.until("permission_request");
  expect(await answer(e, id, tool_id)).toBe(200);
  expect((await reader.until("tool_result")).output).toBe("yes\n");
  await reader.until("turn_complete");
  await reader.hangUp();
});

test("a mode that changes during a turn counts for the next tool, not for the open prompt", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [run("echo 1"), run("echo 2")] }, "done");
  const stream = await send(e, id, "go");
  const { tool_id } = await stream.until("permission_request");
  await e.json("POST", `/sessions/${id}/permissions/mode`, { mode: "trust_all" });
  expect((await permissions(id)).pending).toEqual([tool_id]);
  await answer(e, id, tool_id, "deny");
  const seen = await stream.ended();
  expect(outline(seen)).toEqual([
    "turn_started",
    ...["tool_start", "permission_request", "permission_denied", "tool_result"],
    ...["tool_start", "tool_result"],
    "turn_complete",
  ]);
  expect((await permissions(id)).approval_mode).toBe(4);
});

test("counts add up over unasked, approved, denied and blocked calls, and calls of nothing do not count", async () => {
  await e.json("PUT", "/permissions/rules", { rules: [{ action: "deny", command: "echo" }] });
  const id = await fakeSession(e, fake, { approval_mode: "default" });
  const danger = run("rm -rf no-such-thing");
  const unknown = { call: "no_such_tool" };
  fake.reply({ steps: [run("true"), danger, danger, run("echo"), unknown, run("true")] }, "done");
  await sendAnswering(e, id, "go", ["approve", "deny"]);
  await e.json("PUT", "/permissions/rules", { rules: [] });
  const { stats } = await permissions(id);
  expect(stats).toEqual({
    total_checks: 5,
    auto_approved: 2,
    user_approved: 1,
    denied: 1,
    blocked: 1,
  });
});

test("each mode asks about what it says", async () => {
  await Bun.write(`${e.workspace}/modes.txt`, "one\n");
  const steps = [
    { call: "file_read", input: { file: "modes.txt" } },
    { call: "file_edit", input: { file: "modes.txt", find: "one", replace: "one" } },
    run("true"),
    run("rm -rf no-such-thing"),
  ];
  const asked: Record<string, string[]> = {};
  for (const mode of ["default", "confirm_all", "auto_approve_edits", "trust_all"]) {
    const id = await fakeSession(e, fake, { approval_mode: mode });
    fake.reply({ steps }, "done");
    const seen = await sendAnswering(e, id, "go");
    asked[mode] = eventsOf(seen, "permission_request").map(
      ({ tool_name, input }) => input.command ?? tool_name,
    );
  }
  expect(asked).toEqual({
    default: ["rm -rf no-such-thing"],
    confirm_all: ["file_read", "file_edit", "true", "rm -rf no-such-thing"],
    auto_approve_edits: ["true", "rm -rf no-such-thing"],
    trust_all: [],
  });
});

test("scope session: the same command runs unasked, one joined to another asks again", async () => {
  const id = await fakeSession(e, fake);
  script("echo 1", "echo 1", "echo 1 && true", "echo 1; true", "echo $(true)", "echo 1 > out.txt");
  const stream = await send(e, id, "go");
  const first = await stream.until("permission_request");
  const body = { tool_id: first.tool_id, decision: "approve", scope: "session" };
  expect(await e.json("POST", `/sessions/${id}/permission`, body)).toEqual({
    ok: true,
    tool_id: first.tool_id,
    decision: "approve",
    applied_scope: "session",
    persisted: false,
  });
  for (const [nth, command] of [
    "echo 1 && true",
    "echo 1; true",
    "echo $(true)",
    "echo 1 > out.txt",
  ].entries()) {
    const asked = await stream.until("permission_request", nth + 2);
    expect(asked.input.command).toBe(command);
    await answer(e, id, asked.tool_id, "deny");
  }
  const seen = await stream.ended();
  expect(eventsOf(seen, "permission_granted").map(({ scope }) => scope)).toEqual(["session"]);
  expect(eventsOf(seen, "tool_result").map(({ success }) => success)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  expect((await permissions(id)).stats).toMatchObject({
    total_checks: 6,
    auto_approved: 1,
    user_approved: 1,
    denied: 4,
  });
});

test("scope session never covers a dangerous command, and says so", async () => {
  const id = await fakeSession(e, fake);
  script("rm -rf no-such-thing", "rm -rf no-such-thing", "rm no-such-thing");
  const stream = await send(e, id, "go");
  const path = `/sessions/${id}/permission`;
  for (const nth of [1, 2, 3]) {
    const { tool_id } = await stream.until("permission_request", nth);
    const reply = await e.json("POST", path, { tool_id, decision: "approve", scope: "session" });
    expect(reply.applied_scope).toBe(nth === 3 ? "session" : "once");
  }
  await stream.ended();
});

test("an approval of one session is unknown to another", async () => {
  const [one, other] = [await fakeSession(e, fake), await fakeSession(e, fake)];
  script("echo 1");
  const stream = await send(e, one, "go");
  const { tool_id } = await stream.until("permission_request");
  await answer(e, one, tool_id, "approve", "session");
  await stream.ended();
  script("echo 1");
  expect(eventsOf(await sendAnswering(e, other, "go"), "permission_request")).toHaveLength(1);
});

test("scope trust_tool: the tool is not asked about again, others are", async () => {
  await Bun.write(`${e.workspace}/trust.txt`, "text\n");
  const id = await fakeSession(e, fake);
  const read = { call: "file_read", input: { file: "trust.txt" } };
  const other = { call: "file_read", input: { file: "other.txt" } };
  fake.reply({ steps: [read, other, run("true")] }, "done");
  const stream = await send(e, id, "go");
  const { tool_id } = await stream.until("permission_request");
  await answer(e, id, tool_id, "approve", "trust_tool");
  const second = await stream.until("permission_request", 2);
  expect(second.tool_name).toBe("terminal");
  await answer(e, id, second.tool_id);
  await stream.ended();
});

test("scope always_edits switches the session to auto_approve_edits", async () => {
  await Bun.write(`${e.workspace}/edits.txt`, "one\n");
  const id = await fakeSession(e, fake);
  const edit = (find: string, replace: string) => ({
    call: "file_edit",
    input: { file: "edits.txt", find, replace },
  });
  fake.reply({ steps: [edit("one", "two"), edit("two", "three")] }, "done");
  const stream = await send(e, id, "go");
  const { tool_id } = await stream.until("permission_request");
  await answer(e, id, tool_id, "approve", "always_edits");
  const seen = await stream.ended();
  expect(eventsOf(seen, "permission_request")).toHaveLength(1);
  expect((await permissions(id)).approval_mode_name).toBe("auto_approve_edits");
  expect(await Bun.file(`${e.workspace}/edits.txt`).text()).toBe("three\n");
});

test("a turn waits for a prompt's answer although its client has left", async () => {
  const id = await e.newSession();
  const stream = await send(e, id, "run echo late");
  const { tool_id } = await stream.until("permission_request");
  await stream.hangUp();
  const resumed = follow(await e.call("GET", `/sessions/${id}/events`));
  await resumed.until("permission_request");
  expect(await answer(e, id, tool_id)).toBe(200);
  await resumed.until("turn_complete");
  expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  await resumed.hangUp();
});

test("a run that waits for an answer says so", async () => {
  const id = await e.newSession();
  const { run_id } = await e.json("POST", `/sessions/${id}/runs`, { content: "run true" });
  const stream = follow(await e.call("GET", `/sessions/${id}/runs/${run_id}/events`));
  const { tool_id } = await stream.until("permission_request");
  const path = `/sessions/${id}/runs/${run_id}`;
  expect((await e.json("GET", path)).state).toBe("waiting_for_permission");
  expect((await e.json("GET", `/sessions/${id}/runs`)).runs[0].state).toBe(
    "waiting_for_permission",
  );
  await answer(e, id, tool_id);
  await stream.ended();
  expect((await e.json("GET", path)).state).toBe("completed");
});

test("dashboards see prompts open and close, and turns begin and end", async () => {
  const all = follow(await e.call("GET", "/events"));
  const id = await e.newSession();
  await sendAnswering(e, id, "run true");
  await e.json("DELETE", `/sessions/${id}`);
  await all.until("session_deleted");
  const own = all.events.filter(({ event }) => event.session_id === id);
  expect(typesOf(own)).toEqual([
    "session_created",
    "turn_started",
    "permission_pending",
    "permission_resolved",
    "turn_ended",
    "session_deleted",
  ]);
  expect(own[3]?.event).toMatchObject({ decision: "approve" });
  expect(own[4]?.event).toMatchObject({ state: "completed" });
  const ids = all.events.map((each) => each.id as number);
  expect(ids).toEqual(ids.map((_, at) => ids[0]! + at));
  await all.hangUp();

  const resumed = await e.call("GET", "/events", undefined, {
    "last-event-id": String(own[0]?.id),
  });
  const again = readSse(resumed);
  const next = await within(again.next(), () => "nothing after the cursor");
  expect(next.value).toEqual(own[1]);
  await again.return(undefined);
});
