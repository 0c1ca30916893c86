import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { rawRequest } from "../support/raw-http.ts";
import type { Json } from "../support/sse.ts";

type Loc = (string | number)[];
/** A body, and the place of what is wrong with it; `inside`: at that place or deeper. */
type Wrong = [body: Json, loc: Loc, inside?: "inside"];

const LONG = "x".repeat(201);
const NOT_TEXT = [5, true, [], {}];
const NOT_AN_OBJECT = [5, "text", true, []];
const NOT_A_COUNT = [0, -1, 1.5, "5", true, [], {}];

const each = (values: Json[], at: (value: Json) => Json, ...loc: Loc): Wrong[] =>
  values.map((value) => [at(value), ["body", ...loc]]);

const CREDENTIALS = { api_key: "key", model: "m" };
const NEW_SESSION: Wrong[] = [
  ...each([...NOT_TEXT, "", LONG], (profile) => ({ profile }), "profile"),
  ...each(NOT_TEXT, (agent) => ({ agent }), "agent"),
  ...each(NOT_TEXT, (system_prompt) => ({ system_prompt }), "system_prompt"),
  ...each(NOT_TEXT, (workspace) => ({ workspace }), "workspace"),
  ...each(
    [...NOT_TEXT, "", "bogus", "CONFIRM_ALL", "confirm_all ", "constructor", "2"],
    (approval_mode) => ({ approval_mode }),
    "approval_mode",
  ),
  ...each([...NOT_TEXT, "bogus", "Deny"], (unattended) => ({ unattended }), "unattended"),
  ...each([5, "memory", {}], (mcp_servers) => ({ mcp_servers }), "mcp_servers"),
  ...each(NOT_TEXT, (name) => ({ mcp_servers: ["a", name] }), "mcp_servers", 1),
  [{ mcp_servers: Array(101).fill("a") }, ["body", "mcp_servers"]],
  ...each(NOT_AN_OBJECT, (metadata) => ({ metadata }), "metadata"),
  [{ metadata: { a: "x".repeat(70_000) } }, ["body", "metadata"]],
  ...each(NOT_AN_OBJECT, (credentials) => ({ credentials }), "credentials"),
  [{ credentials: { model: "m" } }, ["body", "credentials", "api_key"]],
  [{ credentials: { api_key: "key" } }, ["body", "credentials", "model"]],
  ...["api_key", "model", "provider", "base_url"].flatMap((field) =>
    each(
      NOT_TEXT,
      (value) => ({ credentials: { ...CREDENTIALS, [field]: value } }),
      "credentials",
      field,
    ),
  ),
  ...each(
    NOT_A_COUNT,
    (max_tokens) => ({ credentials: { ...CREDENTIALS, max_tokens } }),
    "credentials",
    "max_tokens",
  ),
  ...each(NOT_TEXT, (user_token) => ({ user_token }), "user_token"),
  ...each(
    [...NOT_TEXT, "", "a/b", "a b", "a\n", "a\0", "é", "a:b", "a%2Fb", "x".repeat(129), ".", ".."],
    (session_id) => ({ session_id }),
    "session_id",
  ),
];
const CHANGED_SESSION: Wrong[] = [
  ...each(NOT_TEXT, (user_token) => ({ user_token }), "user_token"),
  ...each(NOT_AN_OBJECT, (credentials) => ({ credentials }), "credentials"),
  [{ credentials: { model: "m" } }, ["body", "credentials", "api_key"]],
  [{ credentials: { api_key: "key" } }, ["body", "credentials", "model"]],
];
const parts = (values: Json[]): Wrong[] =>
  values.map((value) => [
    { content: [{ type: "text", text: "fine" }, value] },
    ["body", "content", 1],
    "inside",
  ]);
const MESSAGE: Wrong[] = [
  [{}, ["body", "content"]],
  ...each([null, 5, true, {}, []], (content) => ({ content }), "content"),
  [{ content: Array(101).fill({ type: "text", text: "x" }) }, ["body", "content"]],
  ...parts([
    5,
    "text",
    null,
    [],
    {},
    { type: "video" },
    { type: "text" },
    { type: "text", text: 5 },
    { type: "image" },
    { type: "image", data: 5 },
    { type: "image", data: "no base64!" },
    { type: "image", data: "aGVsbG8=" },
    { type: "image", media_type: "image/bmp", data: "aGVsbG8=" },
    { type: "image", path: "none.png" },
    { type: "file" },
    { type: "file", path: 5 },
    { type: "file", path: "none.txt" },
    { type: "file", path: "../../etc/passwd" },
    { type: "file", path: "/etc/passwd" },
    { type: "file", path: "." },
    { type: "file", path: "a\0b" },
  ]),
  ...each(["yes", 1, null], (continuation) => ({ content: "x", continuation }), "continuation"),
  ...each([null, 5, "", "bogus", "Queue"], (delivery) => ({ content: "x", delivery }), "delivery"),
  ...each(
    [null, 5, "", "bogus"],
    (on_disconnect) => ({ content: "x", on_disconnect }),
    "on_disconnect",
  ),
  ...each([null, ...NOT_AN_OBJECT], (limits) => ({ content: "x", limits }), "limits"),
  ...["model_calls", "tool_calls", "seconds", "tokens"].flatMap((field) =>
    each(
      [null, 1e15, ...NOT_A_COUNT],
      (count) => ({ content: "x", limits: { [field]: count } }),
      "limits",
      field,
    ),
  ),
];
const ANSWER: Wrong[] = [
  [{ decision: "approve" }, ["body", "tool_id"]],
  [{ tool_id: "t" }, ["body", "decision"]],
  ...each([null, ...NOT_TEXT], (tool_id) => ({ tool_id, decision: "approve" }), "tool_id"),
  ...each([null, ...NOT_TEXT], (decision) => ({ tool_id: "t", decision }), "decision"),
  ...each([null, ...NOT_TEXT], (scope) => ({ tool_id: "t", decision: "approve", scope }), "scope"),
];
const MODE: Wrong[] = [
  [{}, ["body", "mode"]],
  ...each([null, ...NOT_TEXT], (mode) => ({ mode }), "mode"),
];
const QUEUE: Wrong[] = [
  [{}, ["body", "run_ids"]],
  ...each([null, 5, "run", {}], (run_ids) => ({ run_ids }), "run_ids"),
  ...each([null, ...NOT_TEXT], (id) => ({ run_ids: [id] }), "run_ids", 0),
  [{ run_ids: Array(101).fill("run") }, ["body", "run_ids"]],
];

const BODIES: [method: string, path: string, wrong: Wrong[]][] = [
  ["POST", "/sessions", NEW_SESSION],
  ["PATCH", "/sessions/s", CHANGED_SESSION],
  ["POST", "/sessions/s/message", MESSAGE],
  ["POST", "/sessions/s/runs", MESSAGE],
  ["POST", "/sessions/s/permission", ANSWER],
  ["POST", "/sessions/s/permissions/mode", MODE],
  ["PUT", "/sessions/s/queue", QUEUE],
];

let e: TestEngine;
beforeAll(async () => {
  e = await startEngine();
  await e.newSession({ session_id: "s" });
});
afterAll(() => e.stop());

/** All that a request could have changed. */
async function state(): Promise<Json> {
  const paths = ["/sessions", "/sessions/s/history", "/sessions/s/runs", "/sessions/s/permissions"];
  return Promise.all(paths.map((path) => e.json("GET", path)));
}

async function refusal(reply: Response): Promise<Json> {
  const body: Json = await reply.json();
  return reply.status === 422 && body.code === "invalid_request"
    ? body.detail
    : `${reply.status} ${JSON.stringify(body).slice(0, 300)}`;
}

const locOf = (detail: Json): Json =>
  Array.isArray(detail) ? detail.map(({ loc }: Json) => loc) : detail;

const WRONG_BODIES = BODIES.flatMap(([method, path, wrong]) =>
  wrong.map(([body, loc, inside]) => ({
    name: `${method} ${path} ${JSON.stringify(body).slice(0, 90)}`,
    send: () => e.call(method, path, body),
    loc,
    inside,
  })),
);

describe("a field out of type or range", () => {
  test.each(WRONG_BODIES)(
    "is named, once, and nothing changes: $name",
    async ({ send, loc, inside }) => {
      const before = await state();
      const detail = await refusal(await send());
      if (inside) for (const each of locOf(detail)) expect(each.slice(0, loc.length)).toEqual(loc);
      else expect(locOf(detail)).toEqual([loc]);
      for (const issue of detail)
        expect(issue).toMatchObject({ type: expect.any(String), msg: expect.any(String) });
      expect(await state()).toEqual(before);
    },
  );

  test("of which there are several: each is named", async () => {
    const reply = await e.call("POST", "/sessions", { profile: 5, agent: [], session_id: "a b" });
    expect(locOf(await refusal(reply)).sort()).toEqual([
      ["body", "agent"],
      ["body", "profile"],
      ["body", "session_id"],
    ]);
  });

  test("is called missing where it is needed and not there", async () => {
    const reply = await e.call("POST", "/sessions/s/permission", {});
    expect(await refusal(reply)).toEqual([
      { type: "missing", loc: ["body", "tool_id"], msg: "Field required" },
      { type: "missing", loc: ["body", "decision"], msg: "Field required" },
    ]);
  });

  test("is not sent back whole, and not at all where it may be a secret", async () => {
    const long = await e.call("POST", "/sessions", { profile: "x".repeat(1_000_000) });
    expect((await long.text()).length).toBeLessThan(2_000);
    const many = await e.call("POST", "/sessions", { mcp_servers: Array(100_000).fill(5) });
    expect((await many.text()).length).toBeLessThan(20_000);
    for (const body of [
      { user_token: ["hunter2"] },
      { user_token: { t: "hunter2" } },
      { credentials: "hunter2" },
      { credentials: { api_key: ["hunter2"], model: "m" } },
      { credentials: { api_key: "hunter2", model: 5 } },
    ]) {
      const reply = await e.call("POST", "/sessions", body);
      expect([reply.status, await reply.text()]).toEqual([
        422,
        expect.not.stringContaining("hunter2"),
      ]);
    }
  });
});

test("the edges of what is allowed are allowed", async () => {
  const longest = "x".repeat(128);
  for (const session_id of ["a", "A.b_c-9", "...", "-", longest]) {
    expect((await e.call("POST", "/sessions", { session_id })).status).toBe(200);
    expect((await e.call("GET", `/sessions/${session_id}`)).status).toBe(200);
    expect((await e.call("DELETE", `/sessions/${session_id}`)).status).toBe(200);
  }
  const before = (await e.json("GET", "/sessions")).sessions.length;
  await e.newSession({ session_id: "edges" });
  const events = await e.turn("edges", "say hi", {
    limits: { model_calls: 1, tool_calls: 1, seconds: 1_000_000_000, tokens: 1_000_000_000 },
  });
  expect(events.at(-1)?.event).toMatchObject({ type: "turn_complete", stop_reason: "end_turn" });
  await e.json("PUT", "/sessions/edges/queue", { run_ids: [] });
  await e.json("DELETE", "/sessions/edges");
  expect((await e.json("GET", "/sessions")).sessions).toHaveLength(before);
});

describe("a choice that is none of those there are", () => {
  test.each([
    [{ tool_id: "t", decision: "maybe" }, "decision"],
    [{ tool_id: "t", decision: "" }, "decision"],
    [{ tool_id: "t", decision: "approve", scope: "xyz" }, "scope"],
  ])("in an answer to a prompt is refused as in the original: %j", async (body, field) => {
    const reply = await e.call("POST", "/sessions/s/permission", body);
    expect([reply.status, await reply.json()]).toEqual([
      400,
      { detail: expect.stringContaining(field), code: "bad_request" },
    ]);
  });

  test.each(["bogus", "", "TRUST_ALL", "constructor", "__proto__"])(
    "as a mode is refused with those there are: %s",
    async (mode) => {
      const before = await state();
      const reply = await e.call("POST", "/sessions/s/permissions/mode", { mode });
      expect(reply.status).toBe(400);
      const { detail }: Json = await reply.json();
      for (const name of ["default", "confirm_all", "auto_approve_edits", "trust_all"])
        expect(detail).toContain(name);
      expect(await state()).toEqual(before);
    },
  );
});

const WRONG_IDS: [written: string, why: string][] = [
  ["a%2Fb", "a slash"],
  ["..%2f..", "a way up"],
  ["a%20b", "a space"],
  ["%00", "a NUL"],
  ["%C3%A9", "a letter that is not ASCII"],
  ["%F0%9F%94%91", "a picture"],
  ["%zz", "no escape at all"],
  ["a%0A", "a line break"],
  ["x".repeat(129), "a character too many"],
];

describe("an id in the path", () => {
  test.each(WRONG_IDS)("is refused when it has in it: %s (%s)", async (id) => {
    for (const [path, field] of [
      [`/sessions/${id}`, "session_id"],
      [`/sessions/${id}/history`, "session_id"],
      [`/sessions/${id}/events`, "session_id"],
      [`/sessions/s/runs/${id}`, "run_id"],
      [`/sessions/s/runs/${id}/events`, "run_id"],
    ])
      expect(locOf(await refusal(await e.call("GET", path as string)))).toEqual([["path", field]]);
    expect((await e.call("POST", `/sessions/${id}/message`, { content: "x" })).status).toBe(422);
    expect((await e.call("DELETE", `/sessions/${id}`)).status).toBe(422);
  });
});

describe("a number in the query", () => {
  test.each(["-1", "1.5", "x", "", "1e3", "%201", "0x10", "99999999999", "NaN", "null"])(
    "of messages is whole and not negative: %s",
    async (limit) => {
      const reply = await e.call("GET", `/sessions/s/history?limit=${limit}`);
      expect(locOf(await refusal(reply))).toEqual([["query", "limit"]]);
    },
  );

  test.each(["-1", "1.5", "x", "", "1e3", "%201", "0x10", "9999999999999999", "NaN"])(
    "of events is whole and not negative: %s",
    async (after) => {
      for (const path of ["/sessions/s/events", "/events"]) {
        const reply = await e.call("GET", `${path}?after=${after}`);
        expect(locOf(await refusal(reply))).toEqual([["query", "after"]]);
      }
    },
  );
});

describe("a header", () => {
  test.each(["-1", "1.5", "x", "1 2", "9999999999999999", "null", "1,2"])(
    "Last-Event-ID is the id of an event: %s",
    async (id) => {
      for (const path of ["/sessions/s/events", "/events"]) {
        const reply = await e.call("GET", path, undefined, { "last-event-id": id });
        expect(locOf(await refusal(reply))).toEqual([["header", "last-event-id"]]);
      }
    },
  );

  test.each(["", "a b", "tab\there", "é", "\u{1f511}", "\x7f", "x".repeat(256)])(
    "Idempotency-Key is short and visible: %j",
    async (key) => {
      const before = await state();
      const reply = await rawRequest({
        port: e.server.port,
        method: "POST",
        path: "/sessions/s/runs",
        headers: {
          authorization: `Bearer ${e.server.token}`,
          "content-type": "application/json",
          "idempotency-key": key,
        },
        body: JSON.stringify({ content: "say hi" }),
      });
      expect([reply.status, locOf(JSON.parse(reply.text).detail)]).toEqual([
        422,
        [["header", "idempotency-key"]],
      ]);
      expect(await state()).toEqual(before);
    },
  );
});
