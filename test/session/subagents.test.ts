/** Subagents over HTTP: a call that a child session answers, asking through its parent. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import type { SessionId } from "../../src/domain/ids.ts";
import { createEngine } from "../../src/engine.ts";
import { createLog } from "../../src/lib/log.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import {
  answer,
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  send,
  sendAnswering,
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

const task = (prompt: string) => ({ call: "subagent", input: { task: "look", prompt } });
const terminal = (command: string) => ({ call: "terminal", input: { command } });

test("a task runs in a child session, which answers the call and can be followed", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task("count the files")] }, "There are 3 files.", "It says 3.");
  const seen = await e.turn(id, "delegate it");
  const [started] = eventsOf(seen, "subagent_started");
  expect(started).toMatchObject({ task: "look" });
  const [result] = eventsOf(seen, "tool_result");
  expect(result).toMatchObject({ success: true, output: "There are 3 files." });
  expect(result?.metadata.child_session_id).toBe(started?.child_session_id);

  const child = await e.json("GET", `/sessions/${started?.child_session_id}`);
  expect(child).toMatchObject({ parent_session_id: id, workspace: e.workspace, active: false });
  expect(await e.json("GET", `/sessions/${id}`)).toMatchObject({
    child_session_ids: [child.session_id],
  });
  const said = await historyOf(e, child.session_id);
  expect(said.filter(({ role }) => role !== "system").map(({ content }) => content)).toEqual([
    "count the files",
    "There are 3 files.",
  ]);
  // Its context is its own.
  expect(JSON.stringify(fake.requests[1]?.body)).not.toContain("delegate it");
});

test("its prompts show on the parent's stream, and are answered there", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [task("run it")] }, { steps: [terminal("echo hi")] }, "It said hi.", "Good.");
  const stream = await send(e, id, "delegate it");
  const own = await stream.until("permission_request");
  expect(await answer(e, id, own.tool_id)).toBe(200);
  const relayed = await stream.until("permission_request", 2);
  expect(relayed).toMatchObject({ tool_name: "terminal", input: { command: "echo hi" } });
  const { session_id: child, tool_id } = relayed.subagent;
  const waits = await e.json("GET", `/sessions/${child}/permissions`);
  expect(waits.pending).toEqual([tool_id]);
  expect(await answer(e, id, relayed.tool_id)).toBe(200);
  // The first answer counts, wherever it was given.
  expect(await answer(e, child, tool_id)).toBe(404);
  const seen = await stream.ended();
  expect(eventsOf(seen, "permission_granted").map((event) => event.tool_id)).toEqual([
    own.tool_id,
    relayed.tool_id,
  ]);
  expect(eventsOf(seen, "tool_result")[0]).toMatchObject({ output: "It said hi." });
});

test("its prompts can be answered on its own stream as well", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [task("run it")] }, { steps: [terminal("echo hi")] }, "Denied.", "Good.");
  const stream = await send(e, id, "delegate it");
  await answer(e, id, (await stream.until("permission_request")).tool_id);
  const relayed = await stream.until("permission_request", 2);
  const { session_id: child, tool_id } = relayed.subagent;
  expect(await answer(e, child, tool_id, "deny")).toBe(200);
  expect(await answer(e, id, relayed.tool_id)).toBe(404);
  const seen = await stream.ended();
  expect(eventsOf(seen, "permission_denied")[0]).toMatchObject({ tool_id: relayed.tool_id });
  expect(eventsOf(seen, "turn_complete")).toHaveLength(1);
});

test("it may do no more than its parent, whose mode counts as it is now", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const { promise: narrowed, resolve: goOn } = Promise.withResolvers<void>();
  fake.reply(
    { steps: [task("run it")] },
    { steps: [{ wait: narrowed }, terminal("echo hi")] },
    "Done.",
    "Good.",
  );
  const stream = await send(e, id, "delegate it");
  await stream.until("subagent_started");
  await e.json("POST", `/sessions/${id}/permissions/mode`, { mode: "confirm_all" });
  goOn();
  const prompt = await stream.until("permission_request");
  expect(prompt.tool_name).toBe("terminal");
  await answer(e, id, prompt.tool_id, "deny");
  await stream.ended();
});

test("what was approved for the parent's session counts for it", async () => {
  const id = await fakeSession(e, fake);
  fake.reply(
    { steps: [terminal("ls")] },
    { steps: [task("list")] },
    { steps: [terminal("ls")] },
    "Listed.",
    "Good.",
  );
  const stream = await send(e, id, "go");
  await answer(e, id, (await stream.until("permission_request")).tool_id, "approve", "session");
  await answer(e, id, (await stream.until("permission_request", 2)).tool_id);
  const seen = await stream.ended();
  expect(eventsOf(seen, "permission_request")).toHaveLength(2);
  expect(eventsOf(seen, "tool_result").at(-1)).toMatchObject({ success: true, output: "Listed." });
});

test("cancelling the parent's turn ends the child's", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task("wait")] }, { steps: [terminal("sleep 30")] });
  const stream = await send(e, id, "delegate it");
  const { child_session_id: child } = await stream.until("subagent_started");
  const running = await send(e, child, "me too", { delivery: "queue" });
  await e.json("POST", `/sessions/${id}/cancel`);
  expect(eventsOf(await stream.ended(), "error")[0]).toMatchObject({ code: "cancelled" });
  await running.hangUp();
  expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
});

test("a child's child is the last: it is not offered the tool", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task("a")] }, { steps: [task("b")] }, "deepest", "middle", "top");
  await e.turn(id, "go deep");
  const offered = fake.requests.map(({ body }) =>
    body.tools.some((tool: { function: { name: string } }) => tool.function.name === "subagent"),
  );
  expect(offered).toEqual([true, true, false, true, true]);
});

test("a failing child is a failed result, and the turn goes on", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply(
    { steps: [task("a")] },
    { fault: { kind: "status", status: 401, body: { error: { message: "no" } } } },
    "It failed.",
  );
  const seen = await e.turn(id, "go");
  expect(eventsOf(seen, "tool_result")[0]).toMatchObject({ success: false });
  expect(eventsOf(seen, "tool_result")[0]?.error).toContain("The subagent failed");
  expect(eventsOf(seen, "turn_complete")).toHaveLength(1);
});

test("deleting a session deletes its children", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task("a")] }, "done", "done");
  const seen = await sendAnswering(e, id, "go");
  const child = eventsOf(seen, "subagent_started")[0]?.child_session_id;
  await e.json("DELETE", `/sessions/${id}`);
  expect((await e.call("GET", `/sessions/${child}`)).status).toBe(404);
});

test("where another engine has a child, the session is not deleted, nor any part of it", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task("a")] }, "one", { steps: [task("b")] }, "two", "done");
  await e.turn(id, "go");
  const children: SessionId[] = (await e.json("GET", `/sessions/${id}`)).child_session_ids;
  await e.engine.sessions.letGoOfIdle(Date.now() + 1);
  const other = await createEngine({
    ...e.engine.options,
    log: createLog({ level: "error", write: () => {} }),
    recover: false,
  });
  try {
    await other.sessions.get(children.at(-1) as SessionId);
    expect((await e.call("DELETE", `/sessions/${id}`)).status).toBe(409);
    const known = (await e.json("GET", "/sessions")).sessions.map(
      (each: { session_id: string }) => each.session_id,
    );
    expect(known).toEqual(expect.arrayContaining([id, ...children]));
  } finally {
    await other.close();
  }
  await e.json("DELETE", `/sessions/${id}`);
  for (const child of children)
    expect((await e.call("GET", `/sessions/${child}`)).status).toBe(404);
});

test("two requests that delete a session at once: it is deleted once", async () => {
  const id = await fakeSession(e, fake);
  const deleting = [e.call("DELETE", `/sessions/${id}`), e.call("DELETE", `/sessions/${id}`)];
  const statuses = (await Promise.all(deleting)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([200, 404]);
});

test("a child that is deleted while it works is a failed result, and the turn goes on", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task("a")] }, { steps: [terminal("sleep 30")] }, "It is gone.");
  const stream = await send(e, id, "go");
  const { child_session_id: child } = await stream.until("subagent_started");
  await follow(await e.call("GET", `/sessions/${child}/events`)).until("tool_start");
  await e.json("DELETE", `/sessions/${child}`);
  const seen = await stream.ended();
  expect(eventsOf(seen, "tool_result")[0]).toMatchObject({
    success: false,
    error: "The subagent failed: The session was deleted",
  });
  expect(eventsOf(seen, "turn_complete")).toHaveLength(1);
});

test("a message that waits in a child starts a turn of its own, of which the parent sees nothing", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "auto_approve_edits" });
  const { promise: queued, resolve: goOn } = Promise.withResolvers<void>();
  fake.reply(
    { steps: [task("first")] },
    { steps: [{ wait: queued }, { text: "The answer." }] },
    // In an order that is not known: the parent's next call and that of the child's own turn.
    { steps: [{ text: "Good." }] },
    { steps: [{ text: "Good." }] },
  );
  const stream = await send(e, id, "go");
  const { child_session_id: child } = await stream.until("subagent_started");
  const path = `/sessions/${child}`;
  const { run_id } = await e.json("POST", `${path}/runs`, { content: "and you?" });
  goOn();
  const seen = await stream.ended();
  expect(eventsOf(seen, "tool_result")[0]).toMatchObject({ output: "The answer." });
  const own = await follow(await e.call("GET", `${path}/runs/${run_id}/events`)).ended();
  expect(eventsOf(own, "turn_complete")).toHaveLength(1);
  expect((await historyOf(e, child)).map(({ role }) => role).slice(-4)).toEqual([
    "user",
    "assistant",
    "user",
    "assistant",
  ]);
});

test("who leaves a child's stream denies nothing that its parent's people can answer", async () => {
  const id = await fakeSession(e, fake, { unattended: "deny" });
  fake.reply({ steps: [task("run it")] }, { steps: [terminal("echo hi")] }, "It said hi.", "Good.");
  const stream = await send(e, id, "go");
  await answer(e, id, (await stream.until("permission_request")).tool_id);
  const relayed = await stream.until("permission_request", 2);
  const child = await e.engine.sessions.get(relayed.subagent.session_id);
  const visitor = follow(await e.call("GET", `/sessions/${child.id}/events`));
  await visitor.until("permission_request");
  await visitor.hangUp();
  while (child.readers > 0) await Bun.sleep(1);
  expect(await answer(e, id, relayed.tool_id)).toBe(200);
  await stream.ended();
});

test("the mode that counts for a child at work is its parent's, and is changed there", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [task("run it")] }, { steps: [terminal("echo hi")] }, "It said hi.", "Good.");
  const stream = await send(e, id, "go");
  await answer(e, id, (await stream.until("permission_request")).tool_id);
  const { subagent } = await stream.until("permission_request", 2);
  const path = `/sessions/${subagent.session_id}/permissions`;
  expect((await e.json("GET", path)).approval_mode_name).toBe("confirm_all");
  await e.json("POST", `${path}/mode`, { mode: "trust_all" });
  expect((await e.json("GET", `/sessions/${id}`)).approval_mode_name).toBe("trust_all");
  await answer(e, subagent.session_id, subagent.tool_id, "deny");
  await stream.ended();
  // Afterwards it is a session as any other, with the mode that it was made with.
  expect((await e.json("GET", path)).approval_mode_name).toBe("confirm_all");
});

test("what caps a run's calls of tools caps those of its subagents with them", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const notes = { steps: [{ call: "scratchpad_get", input: {} }] };
  fake.reply({ steps: [task("look")] }, notes, notes, notes);
  const seen = await e.turn(id, "go", { limits: { tool_calls: 2 } });
  expect(eventsOf(seen, "tool_result")[0]).toMatchObject({
    success: false,
    error: "The subagent stopped before its end: max_tool_calls",
    metadata: { stop_reason: "max_tool_calls" },
  });
  expect(eventsOf(seen, "turn_complete")[0]).toMatchObject({ stop_reason: "max_tool_calls" });
  // One of the parent's, one of the child's; what came then was one call too many for either.
  expect(fake.requests).toHaveLength(4);
});

test("an idle child is let go with its parent's credentials, and has them when it comes back", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  fake.reply({ steps: [task("a")] }, "done", "done", "still here");
  const seen = await e.turn(id, "go");
  const child: SessionId = eventsOf(seen, "subagent_started")[0]?.child_session_id;
  await e.engine.sessions.letGoOfIdle(Date.now() + 1);
  const live = (await e.engine.sessions.live()).map((session) => session.id as string);
  expect(live).toContain(id);
  expect(live).not.toContain(child);
  expect(eventsOf(await e.turn(child, "and you?"), "turn_complete")).toHaveLength(1);
});

test("a parent whose log cannot be written while its child asks: both end, and the engine goes on", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [task("run it")] }, { steps: [terminal("echo hi")] });
  const stream = await send(e, id, "go");
  await answer(e, id, (await stream.until("permission_request")).tool_id);
  const { subagent } = await stream.until("permission_request", 2);
  const child = await e.engine.sessions.get(subagent.session_id);
  const work = child.active;
  const { store } = child.services;
  const apply = store.apply;
  store.apply = async (writes) => {
    if (writes.some((write) => write.kind === "events" && write.log === id))
      throw new Error("disk full");
    return apply(writes);
  };
  try {
    await e.call("POST", `/sessions/${id}/runs`, { content: "me too", delivery: "steer" });
    await work?.ended;
  } finally {
    store.apply = apply;
  }
  expect(work?.record.error).toMatchObject({ code: "cancelled" });
  expect(child.permissions.pending()).toEqual([]);
  expect((await e.json("GET", `/sessions/${id}/permissions`)).pending).toEqual([]);
});

test("a command that it leaves in the background ends with its task", async () => {
  const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
  const server = {
    call: "terminal",
    input: { command: "sleep 300", background: true, name: "dev" },
  };
  fake.reply({ steps: [task("serve")] }, { steps: [server] }, "It runs.", "Good.");
  const seen = await e.turn(id, "go");
  const child = eventsOf(seen, "subagent_started")[0]?.child_session_id;
  expect((await e.json("GET", `/sessions/${child}/processes`)).processes).toEqual([]);
});
