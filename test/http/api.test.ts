import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionId } from "../../src/domain/ids.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type Json, readSse, readUntil, typesOf } from "../support/sse.ts";

let e: TestEngine;
beforeAll(async () => {
  e = await startEngine();
});
afterAll(() => e.stop());

const get = (path: string): Promise<Json> => e.json("GET", path);
const textOfError = async (reply: Response) => [reply.status, await reply.json()];

const NAIVE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/;
const sessionObject = (more: object = {}) => ({
  session_id: expect.stringMatching(/^sess_[0-9a-f]{12}$/),
  profile: "default",
  profile_resolved: "offline",
  workspace: null,
  approval_mode: 2,
  approval_mode_name: "confirm_all",
  unattended: "wait",
  created_at: expect.stringMatching(NAIVE_TIME),
  total_turns: 0,
  total_input_tokens: 0,
  total_output_tokens: 0,
  history_length: 0,
  active: false,
  active_turn_id: null,
  queued_runs: 0,
  last_turn_status: null,
  last_turn_error: null,
  mcp_servers: [],
  mcp_connected: [],
  metadata: {},
  tools: null,
  sandbox: { network: "allowlist" },
  question_pending: null,
  parent_session_id: null,
  child_session_ids: [],
  ...more,
});

describe("POST /sessions", () => {
  test("answers 200 with the session, every field at its default", async () => {
    const reply = await e.call("POST", "/sessions", {});
    expect([reply.status, await reply.json()]).toEqual([200, sessionObject()]);
  });

  test("takes every field, and shows those that are no secret", async () => {
    const { session_id, ...shown } = await e.json("POST", "/sessions", {
      session_id: "Chosen.id-1_x",
      profile: "offline",
      system_prompt: "Be brief.",
      workspace: e.workspace,
      approval_mode: "trust_all",
      unattended: "deny",
      mcp_servers: ["memory", "memory"],
      metadata: { any: ["thing", { deep: null }], n: 1 },
      user_token: "opaque",
    });
    expect(session_id).toBe("Chosen.id-1_x");
    expect(shown).toMatchObject({
      profile: "offline",
      workspace: e.workspace,
      approval_mode: 4,
      approval_mode_name: "trust_all",
      unattended: "deny",
      mcp_connected: [],
      metadata: { any: ["thing", { deep: null }], n: 1 },
      history_length: 1,
    });
    expect(JSON.stringify(shown)).not.toContain("opaque");
  });

  test("takes null for what may be left out, as the original's clients send it", async () => {
    const reply = await e.call("POST", "/sessions", {
      agent: null,
      system_prompt: null,
      workspace: null,
      credentials: null,
      user_token: null,
      session_id: null,
    });
    expect([reply.status, await reply.json()]).toEqual([200, sessionObject()]);
  });

  test("ignores fields that it does not know, at every depth", async () => {
    const reply = await e.call("POST", "/sessions", {
      nobody_knows: { this: 1 },
      credentials: { api_key: "k", model: "m", region: "eu" },
    });
    expect(reply.status).toBe(200);
    const session: Json = await reply.json();
    expect(session.profile).toBe("app-inline");
  });

  test.each([
    ["default", 1],
    ["confirm_all", 2],
    ["auto_approve_edits", 3],
    ["trust_all", 4],
  ])("takes the mode %s by name and shows it as %d", async (name, number) => {
    const session = await e.json("POST", "/sessions", { approval_mode: name });
    expect([session.approval_mode, session.approval_mode_name]).toEqual([number, name]);
  });

  test("resolves the workspace: links, dots, and ~ as the engine's home", async () => {
    symlinkSync(e.workspace, join(e.home, "link"));
    mkdirSync(join(e.home, "project/sub"), { recursive: true });
    for (const [given, resolved] of [
      [join(e.home, "link"), e.workspace],
      [`${e.workspace}/../workspace/.`, e.workspace],
      ["~/project/sub", join(e.home, "project/sub")],
      ["~", e.home],
    ]) {
      const session = await e.json("POST", "/sessions", { workspace: given });
      expect([given, session.workspace]).toEqual([given, resolved]);
    }
  });

  test("takes a relative workspace from the engine's directory, not the process's", async () => {
    mkdirSync(join(e.workspace, "below"));
    const session = await e.json("POST", "/sessions", { workspace: "below" });
    expect(session.workspace).toBe(join(e.workspace, "below"));
  });

  test("takes an empty workspace for none", async () => {
    const session = await e.json("POST", "/sessions", { workspace: "" });
    expect(session.workspace).toBeNull();
  });

  test("refuses a workspace that is not there or is no folder, and creates nothing", async () => {
    const before = await get("/sessions");
    writeFileSync(join(e.workspace, "file"), "");
    for (const [workspace, detail] of [
      ["/no/such/folder", "Workspace does not exist: /no/such/folder"],
      [join(e.workspace, "file"), `Workspace is not a directory: ${join(e.workspace, "file")}`],
      [
        join(e.workspace, "file/below"),
        `Workspace does not exist: ${join(e.workspace, "file/below")}`,
      ],
      ["~nobody", expect.stringContaining("Workspace does not exist: ")],
      ["a\0b", expect.stringContaining("Workspace does not exist: ")],
      ["x".repeat(5000), expect.stringContaining("Workspace does not exist: ")],
    ])
      expect(await textOfError(await e.call("POST", "/sessions", { workspace }))).toEqual([
        400,
        { detail, code: "bad_request" },
      ]);
    expect(await get("/sessions")).toEqual(before);
  });

  test("of twenty with the same id creates one", async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => e.call("POST", "/sessions", { session_id: "twin" })),
    );
    const statuses = replies.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array(19).fill(409)]);
    const refused = replies.find(({ status }) => status === 409);
    expect(await refused?.json()).toMatchObject({ code: "conflict" });
    const { sessions } = await get("/sessions");
    expect(sessions.filter((each: Json) => each.session_id === "twin")).toHaveLength(1);
  });

  test("leaves the session that has the id as it is, after a restart too", async () => {
    const before = await e.json("POST", "/sessions", {
      session_id: "first",
      metadata: { mine: true },
    });
    expect((await e.call("POST", "/sessions", { session_id: "first" })).status).toBe(409);
    await e.restart();
    expect((await e.call("POST", "/sessions", { session_id: "first" })).status).toBe(409);
    expect(await get("/sessions/first")).toEqual(before);
  });

  test("takes an id again once its session was deleted, with nothing of the old one", async () => {
    await e.newSession({ session_id: "again", system_prompt: "old" });
    await e.turn("again", "say old");
    await e.json("DELETE", "/sessions/again");
    const session = await e.json("POST", "/sessions", { session_id: "again" });
    expect(session).toEqual(sessionObject({ session_id: "again" }));
    expect((await get("/sessions/again/history")).history).toEqual([]);
    expect((await get("/sessions/again/runs")).runs).toEqual([]);
  });
});

test("sessions are listed in the order of their creation, also after a restart and after use", async () => {
  const ids = [];
  for (const id of ["z-1", "a-2", "m-3"]) ids.push(await e.newSession({ session_id: id }));
  await e.turn("z-1", "say hi");
  const listed = async () =>
    (await get("/sessions")).sessions.map((each: Json) => each.session_id).slice(-3);
  expect(await listed()).toEqual(ids);
  await e.restart();
  await get("/sessions/m-3");
  expect(await listed()).toEqual(ids);
});

test("a session looks the same when created, alone, in the list, and after a restart", async () => {
  const created = await e.json("POST", "/sessions", { system_prompt: "x", metadata: { a: 1 } });
  const path = `/sessions/${created.session_id}`;
  const views = async () => [
    await get(path),
    (await get("/sessions")).sessions.find((each: Json) => each.session_id === created.session_id),
  ];
  expect(await views()).toEqual([created, created]);
  await e.restart();
  // Listed before it is brought back.
  expect((await views()).reverse()).toEqual([created, created]);
});

test("totals and the last turn's end are shown; a failed turn does not count", async () => {
  const id = await e.newSession();
  const events = await e.turn(id, "say one");
  const done = events.at(-1)?.event;
  await e.turn(id, "fail");
  expect(await get(`/sessions/${id}`)).toMatchObject({
    total_turns: 1,
    total_input_tokens: done.input_tokens,
    total_output_tokens: done.output_tokens,
    active: false,
    active_turn_id: null,
    last_turn_status: "failed",
    last_turn_error: expect.any(String),
  });
});

test("a session says that it is active, which turn it is, and how many wait", async () => {
  const id = await e.newSession();
  const run = await e.json("POST", `/sessions/${id}/runs`, {
    content: "stream 5000 words every 50 ms",
  });
  await e.json("POST", `/sessions/${id}/runs`, { content: "say later" });
  expect(await get(`/sessions/${id}`)).toMatchObject({
    active: true,
    active_turn_id: run.run_id,
    queued_runs: 1,
  });
  expect(await e.json("DELETE", `/sessions/${id}`)).toEqual({ ok: true, session_id: id });
});

test("PATCH answers ok, also when it changes nothing", async () => {
  const id = await e.newSession();
  for (const body of [{}, { user_token: "new" }, { user_token: null }, { unknown: 1 }])
    expect(await e.json("PATCH", `/sessions/${id}`, body)).toEqual({ ok: true, session_id: id });
});

test("DELETE ends a running turn with one error{cancelled}, and the session is gone", async () => {
  const id = await e.newSession();
  const message = await e.call("POST", `/sessions/${id}/message`, {
    content: "stream 5000 words every 50 ms",
  });
  const seen: Json[] = [];
  for await (const { event } of readSse(message)) {
    seen.push(event);
    if (seen.length === 2)
      expect(await e.json("DELETE", `/sessions/${id}`)).toEqual({ ok: true, session_id: id });
  }
  expect(seen.filter(({ type }) => type === "error")).toHaveLength(1);
  expect(seen.at(-1)).toMatchObject({ type: "error", code: "cancelled" });
  for (const [method, path] of [
    ["GET", ""],
    ["DELETE", ""],
    ["GET", "/history"],
    ["POST", "/cancel"],
    ["GET", "/events"],
  ] as const)
    expect((await e.call(method, `/sessions/${id}${path}`)).status).toBe(404);
});

describe("the conversation", () => {
  test("has roles and contents that clients can print, the system prompt first", async () => {
    const id = await e.newSession({ system_prompt: "Be brief.", approval_mode: "trust_all" });
    await e.turn(id, "run `echo hi`");
    const { session_id, history } = await get(`/sessions/${id}/history`);
    expect(session_id).toBe(id);
    expect(history.map(({ role }: Json) => role)).toEqual([
      "system",
      "user",
      "assistant",
      "tool",
      "assistant",
    ]);
    for (const { content } of history) expect(typeof (content ?? "")).toBe("string");
    expect(history[0]).toEqual({ role: "system", content: "Be brief." });
    const [call] = history[2].metadata.tool_calls;
    expect(call).toEqual({
      id: expect.any(String),
      type: "function",
      function: { name: "terminal", arguments: expect.stringContaining("echo hi") },
    });
    expect(history[3]).toMatchObject({ tool_call_id: call.id, content: "hi\n" });
  });

  test("is cut to the last messages by limit; 0 is all", async () => {
    const id = await e.newSession({ system_prompt: "Be brief." });
    await e.turn(id, "say one");
    const history = async (limit: string) => (await get(`/sessions/${id}/history${limit}`)).history;
    const all = await history("");
    expect(all).toHaveLength(3);
    expect(await history("?limit=0")).toEqual(all);
    expect(await history("?limit=2")).toEqual(all.slice(-2));
    expect(await history("?limit=3")).toEqual(all);
    expect(await history("?limit=999999999")).toEqual(all);
    expect(await history("?unknown=1&limit=1")).toEqual(all.slice(-1));
  });

  test("is forgotten by DELETE, but for the system prompt; the totals stay", async () => {
    const id = await e.newSession({ system_prompt: "Be brief." });
    await e.turn(id, "say one");
    expect(await e.json("DELETE", `/sessions/${id}/history`)).toEqual({ ok: true, session_id: id });
    const left = { session_id: id, history: [{ role: "system", content: "Be brief." }] };
    expect(await get(`/sessions/${id}/history`)).toEqual(left);
    expect(await get(`/sessions/${id}`)).toMatchObject({ total_turns: 1, history_length: 1 });
    await e.restart();
    expect(await get(`/sessions/${id}/history`)).toEqual(left);
    expect(typesOf(await e.turn(id, "say two")).at(-1)).toBe("turn_complete");
  });

  test("and the system prompt are left alone while a turn runs", async () => {
    const id = await e.newSession({ system_prompt: "Be brief." });
    await e.json("POST", `/sessions/${id}/runs`, { content: "stream 5000 words every 50 ms" });
    for (const [method, path] of [
      ["DELETE", "history"],
      ["POST", "system-prompt/rebuild"],
    ] as const)
      expect(await textOfError(await e.call(method, `/sessions/${id}/${path}`))).toEqual([
        409,
        { detail: "Turn already in progress", code: "conflict" },
      ]);
    await e.json("DELETE", `/sessions/${id}`);
  });

  test("keeps what a client's text holds, whatever it is, over a restart", async () => {
    const odd = 'nul \0, tab \t, quote ", lone \ud800, pair \u{1f511}, line \u2028 end';
    const shown = odd.replace("\ud800", "\ufffd");
    const id = await e.newSession({ system_prompt: odd, metadata: { odd } });
    await e.turn(id, odd);
    const look = async () => {
      const { system_prompt } = await get(`/sessions/${id}/system-prompt`);
      const { history } = await get(`/sessions/${id}/history`);
      const { metadata } = await get(`/sessions/${id}`);
      return [system_prompt, history[1].content, metadata.odd].map((text: string) =>
        text.replace("\ud800", "\ufffd"),
      );
    };
    expect(await look()).toEqual([shown, shown, shown]);
    await e.restart();
    expect(await look()).toEqual([shown, shown, shown]);
  });
});

test("the system prompt is shown, and rebuilt to the same", async () => {
  const id = await e.newSession({ system_prompt: "Be <trender>date</trender> brief." });
  const shown = {
    session_id: id,
    system_prompt: "Be [dynamic content removed for security] brief.",
  };
  expect(await get(`/sessions/${id}/system-prompt`)).toEqual(shown);
  expect(await e.json("POST", `/sessions/${id}/system-prompt/rebuild`)).toEqual(shown);
  const bare = await e.newSession();
  expect(await get(`/sessions/${bare}/system-prompt`)).toEqual({
    session_id: bare,
    system_prompt: "",
  });
});

describe("cancel", () => {
  test("is ok when nothing runs", async () => {
    const id = await e.newSession();
    expect(await e.json("POST", `/sessions/${id}/cancel`)).toEqual({ ok: true, session_id: id });
    const withBody = await e.call("POST", `/sessions/${id}/cancel`, {});
    expect(withBody.status).toBe(200);
  });

  test("works as webui sends it: the header of a JSON body, and no body", async () => {
    const id = await e.newSession();
    const reply = await e.call("POST", `/sessions/${id}/cancel`, undefined, {
      "content-type": "application/json",
    });
    expect(reply.status).toBe(200);
  });
});

describe("messages and runs", () => {
  test("a message is a run: the reply's headers name it and what became of it", async () => {
    const id = await e.newSession();
    const reply = await e.call("POST", `/sessions/${id}/message`, { content: "" });
    expect([reply.status, reply.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("text/event-stream"),
    ]);
    const run = reply.headers.get("x-run-id");
    expect([run, reply.headers.get("x-delivery")]).toEqual([
      expect.stringMatching(/^run_[0-9a-f]{16,32}$/),
      "started",
    ]);
    const events = await Array.fromAsync(readSse(reply));
    expect(events.at(-1)?.event).toMatchObject({
      type: "turn_complete",
      input_tokens: expect.any(Number),
      output_tokens: expect.any(Number),
      tool_calls: expect.any(Number),
      stop_reason: expect.any(String),
      session_id: id,
      ts: expect.any(Number),
    });
    expect(await get(`/sessions/${id}/runs/${run}`)).toMatchObject({ state: "completed" });
  });

  test("a run has a shape of its own, and its events can be read afterwards", async () => {
    const id = await e.newSession();
    const reply = await e.call("POST", `/sessions/${id}/runs`, { content: "say hi" });
    expect(reply.status).toBe(202);
    const accepted: Json = await reply.json();
    const stream = await e.call("GET", `/sessions/${id}/runs/${accepted.run_id}/events`);
    const events = await Array.fromAsync(readSse(stream));
    const run = {
      run_id: accepted.run_id,
      session_id: id,
      delivery: "queue",
      prompt: "say hi",
      position: null,
      steered_into: null,
      created_at: expect.any(Number),
      started_at: expect.any(Number),
      after_seq: 0,
      error: null,
    };
    // It may be over by now: a reply says how things stand.
    expect(accepted).toMatchObject({
      ...run,
      outcome: "started",
      state: expect.stringMatching(/^(running|completed)$/),
    });
    const ended = {
      ...run,
      state: "completed",
      ended_at: expect.any(Number),
      end_seq: events.length,
      stop_reason: events.at(-1)?.event.stop_reason,
      input_tokens: events.at(-1)?.event.input_tokens,
      output_tokens: events.at(-1)?.event.output_tokens,
      tool_calls: 0,
    };
    expect(await get(`/sessions/${id}/runs/${accepted.run_id}`)).toEqual(ended);
    expect(await get(`/sessions/${id}/runs`)).toEqual({ session_id: id, runs: [ended] });
  });

  test("a second message during a turn is refused, unless it says that it can wait", async () => {
    const id = await e.newSession();
    const first = await e.json("POST", `/sessions/${id}/runs`, {
      content: "stream 5000 words every 50 ms",
    });
    const refused = await e.call("POST", `/sessions/${id}/message`, { content: "say no" });
    expect(await textOfError(refused)).toEqual([
      409,
      { detail: "Turn already in progress", code: "conflict" },
    ]);
    const reject = await e.call("POST", `/sessions/${id}/runs`, {
      content: "say no",
      delivery: "reject",
    });
    expect(reject.status).toBe(409);
    const waiting: Json[] = [];
    for (const word of ["one", "two", "three"])
      waiting.push(await e.json("POST", `/sessions/${id}/runs`, { content: `say ${word}` }));
    expect(waiting.map(({ outcome, state, position }) => [outcome, state, position])).toEqual([
      ["queued", "queued", 1],
      ["queued", "queued", 2],
      ["queued", "queued", 3],
    ]);
    const [one, two, three] = waiting.map(({ run_id }) => run_id);
    const order = ({ runs }: Json) => runs.map(({ run_id, position }: Json) => [run_id, position]);
    const reordered = await e.json("PUT", `/sessions/${id}/queue`, { run_ids: [three] });
    expect(order(reordered)).toEqual([
      [three, 1],
      [one, 2],
      [two, 3],
    ]);
    expect(await e.json("POST", `/sessions/${id}/runs/${one}/cancel`)).toEqual({
      ok: true,
      session_id: id,
      run_id: one,
    });
    expect(order(await get(`/sessions/${id}/queue`))).toEqual([
      [three, 1],
      [two, 2],
    ]);
    expect((await get(`/sessions/${id}/runs/${one}`)).state).toBe("canceled");
    await e.json("POST", `/sessions/${id}/runs/${first.run_id}/cancel`);
    const last = await e.call("GET", `/sessions/${id}/runs/${two}/events`);
    expect(typesOf(await Array.fromAsync(readSse(last))).at(-1)).toBe("turn_complete");
    const { runs } = await get(`/sessions/${id}/runs`);
    expect(runs.map(({ run_id, state }: Json) => [run_id, state])).toEqual([
      [three, "completed"],
      [two, "completed"],
      [one, "canceled"],
      [first.run_id, "canceled"],
    ]);
  });

  test("an unknown field in a message is ignored", async () => {
    const id = await e.newSession();
    const reply = await e.call("POST", `/sessions/${id}/message`, {
      content: "say hi",
      temperature: 1,
      limits: { model_calls: 1, hours: 5 },
    });
    expect(typesOf(await Array.fromAsync(readSse(reply))).at(-1)).toBe("turn_complete");
  });
});

describe("permissions", () => {
  test("are shown while they wait, answered once, and counted", async () => {
    const id = await e.newSession();
    expect(await get(`/sessions/${id}/permissions`)).toEqual({
      session_id: id,
      approval_mode: 2,
      approval_mode_name: "confirm_all",
      pending: [],
      pending_details: [],
      stats: { total_checks: 0, auto_approved: 0, user_approved: 0, denied: 0, blocked: 0 },
      approvals: [],
      project_approvals: [],
    });
    const message = await e.call("POST", `/sessions/${id}/message`, { content: "run `echo hi`" });
    const seen = await readUntil(message, "permission_request");
    const tool_id = seen.at(-1)?.event.tool_id;
    const waiting = await get(`/sessions/${id}/permissions`);
    expect(waiting.pending).toEqual([tool_id]);
    expect(waiting.pending_details).toMatchObject([
      { tool_id, tool_name: "terminal", risk_level: expect.any(String) },
    ]);
    const answer = { tool_id, decision: "approve" };
    // Two at once: one of them counts.
    const replies = await Promise.all(
      [answer, answer].map((body) => e.call("POST", `/sessions/${id}/permission`, body)),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 404]);
    const [taken, late] = replies.sort((a, b) => a.status - b.status);
    expect(await taken?.json()).toMatchObject({ ok: true, tool_id, decision: "approve" });
    expect(await late?.json()).toEqual({
      detail: `No pending permission for tool_id '${tool_id}'`,
      code: "not_found",
    });
    const end = await e.call("GET", `/sessions/${id}/events?after=0`);
    await readUntil(end, "turn_complete");
    expect((await get(`/sessions/${id}/permissions`)).stats).toMatchObject({
      total_checks: 1,
      user_approved: 1,
    });
  });

  test("change with the mode, for this session alone", async () => {
    const [id, other] = [await e.newSession(), await e.newSession()];
    expect(await e.json("POST", `/sessions/${id}/permissions/mode`, { mode: "trust_all" })).toEqual(
      {
        ok: true,
        mode: "trust_all",
      },
    );
    expect((await get(`/sessions/${id}`)).approval_mode).toBe(4);
    expect((await get(`/sessions/${other}`)).approval_mode).toBe(2);
    await e.restart();
    expect((await get(`/sessions/${id}`)).approval_mode).toBe(4);
  });
});

test("sessions whose names differ in case alone have private folders that differ in more", async () => {
  const folders = await Promise.all(
    ["Demo", "demo", "DEMO"].map(async (session_id) => {
      const id = await e.newSession({ session_id });
      return (await e.engine.sessions.get(id as SessionId)).directory.toLowerCase();
    }),
  );
  expect(new Set(folders).size).toBe(3);
});

test("an endpoint that the original had for one customer is not there", async () => {
  const id = await e.newSession();
  expect((await e.call("GET", `/sessions/${id}/token`)).status).toBe(404);
});
