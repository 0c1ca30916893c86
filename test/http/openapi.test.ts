import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createApp } from "../../src/http/app.ts";
import { KEPT_BYTES_MAX } from "../../src/tools/file-changes.ts";
import {
  type DescribedApi,
  describedApi,
  type Operation,
  type Stream,
} from "../support/described-api.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { startFakeProvider } from "../support/fake-provider.ts";
import { faultsOf, resolve, type Schema } from "../support/json-schema.ts";
import type { Json } from "../support/sse.ts";
import { fakeSession } from "../support/turns.ts";

let e: TestEngine;
let api: DescribedApi;
beforeAll(async () => {
  e = await startEngine();
  api = await describedApi(e);
});
afterAll(() => e.stop());

/** Every object in it, at any depth. */
function* objectsIn(value: Json): Generator<Json> {
  if (typeof value !== "object" || value === null) return;
  yield value;
  for (const own of Object.values(value)) yield* objectsIn(own);
}

/** The operation's path with these values; bodies that are right but for what they are about. */
const fill = ({ path }: Operation, values: Record<string, string>): string =>
  path.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "nothing");
const NOTHING = {
  session_id: "nobody",
  run_id: "run_none",
  name: "nothing",
  checkpoint_id: "ckpt_none",
};
const BODIES: Record<string, object> = {
  createSession: { profile: "nothing" },
  changeSession: {},
  sendMessage: { content: "hi" },
  createRun: { content: "hi" },
  reorderQueue: { run_ids: [] },
  answerPermission: { tool_id: "call_1", decision: "approve" },
  setApprovalMode: { mode: "default" },
  replaceRules: { rules: [] },
  trustProject: { workspace: "nothing" },
  restoreCheckpoint: {},
  removeApprovals: { keys: [] },
};

/** Where a wrong path is not what is wrong. */
const WRONG_BODIES: Record<string, object> = {
  createSession: { profile: 7 },
  replaceRules: { rules: [{ action: "maybe", tool: "*" }] },
  trustProject: { workspace: "" },
};

describe("the document", () => {
  test("has all routes of the app and no others", () => {
    const access = { token: { accepts: () => true }, hosts: [], loopbackOnly: true };
    const routes = createApp(e.engine, access).routes.map(
      ({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`,
    );
    expect(api.operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      routes.sort(),
    );
  });

  test("has nothing that leads nowhere, and nothing that nothing leads to", () => {
    const refs = [...objectsIn(api.document)].flatMap(({ $ref, mapping }) => [
      ...(typeof $ref === "string" ? [$ref] : []),
      ...Object.values<string>(mapping ?? {}),
    ]);
    for (const ref of refs) resolve(ref, api.document);
    const { schemas, responses } = api.document.components;
    const there = [
      ...Object.keys(schemas).map((name) => `#/components/schemas/${name}`),
      ...Object.keys(responses).map((name) => `#/components/responses/${name}`),
    ];
    expect(there.filter((ref) => !refs.includes(ref))).toEqual([]);
  });

  test("declares every parameter in a path, and no operation twice", () => {
    for (const { path, parameters } of api.operations)
      expect(
        parameters.filter((each) => each.in === "path" && each.required).map(({ name }) => name),
      ).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    const ids = api.operations.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("says of every field of a reply or an event what it is", () => {
    const { schemas } = api.document.components;
    const silent = Object.entries<Json>(schemas).flatMap(([name, schema]) =>
      Object.entries<Json>(schema.properties ?? {})
        .filter(
          ([, own]) =>
            ![...objectsIn(own)].some((each) => each.description || each.$ref || each.const),
        )
        .map(([field]) => `${name}.${field}`),
    );
    expect(silent).toEqual([]);
  });

  test("names the tags it uses, and one for every route", () => {
    const known = api.document.tags.map(({ name }: Json) => name);
    const used = Object.values<Json>(api.document.paths).flatMap((methods) =>
      Object.values<Json>(methods).map(({ tags }) => tags),
    );
    expect(used.filter((tags) => tags?.length !== 1 || !known.includes(tags[0]))).toEqual([]);
  });

  test("is built once for an app", async () => {
    const texts = await Promise.all(
      [1, 2].map(async () => (await e.call("GET", "/openapi.json")).text()),
    );
    expect(texts[0]).toBe(texts[1]!);
  });
});

describe("replies of a running engine are as described", () => {
  test("the engine itself and its profiles", async () => {
    for (const path of ["/health", "/version", "/status", "/ready", "/openapi.json", "/docs"])
      await api.ask("GET", path);
    const { profiles } = await api.ask("GET", "/profiles");
    for (const { name } of profiles) await api.ask("GET", `/profiles/${name}`);
  });

  test("a session's life", async () => {
    const lifecycle = await api.open("GET", "/events");
    const { session_id: id } = await api.ask("POST", "/sessions", {
      workspace: e.workspace,
      system_prompt: "Be brief.",
      metadata: { any: ["thing"] },
      mcp_servers: ["memory"],
      credentials: null,
    });
    await api.ask("POST", "/sessions", {
      credentials: { api_key: "sk-none", model: "none", max_tokens: 9 },
    });
    await e.turn(id, "say hello");
    await api.ask("GET", "/sessions");
    await api.ask("GET", `/sessions/${id}`);
    await api.ask("PATCH", `/sessions/${id}`, { user_token: "opaque" });
    await api.ask("GET", `/sessions/${id}/history?limit=1`);
    await api.ask("DELETE", `/sessions/${id}/history`);
    await api.ask("GET", `/sessions/${id}/system-prompt`);
    await api.ask("POST", `/sessions/${id}/system-prompt/rebuild`);
    await api.ask("POST", `/sessions/${id}/permissions/mode`, { mode: "trust_all" });
    await api.ask("DELETE", `/sessions/${id}/permissions/approvals`, { keys: ["terminal:ls"] });
    await api.ask("POST", `/sessions/${id}/cancel`);
    await api.ask("DELETE", `/sessions/${id}`);
    await lifecycle.until("session_deleted");
    await lifecycle.hangUp();
    api.checkEvents(lifecycle);
  });

  test("turns with thoughts, tools, prompts, retries and failures", async () => {
    const lifecycle = await api.open("GET", "/events");
    const { session_id: id } = await api.ask("POST", "/sessions", { workspace: e.workspace });
    for (const decision of ["approve", "deny"]) {
      const stream = await api.open("POST", `/sessions/${id}/message`, {
        content: "run echo one; sleep 0.2; echo two",
      });
      const { tool_id } = await stream.until("permission_request");
      await api.ask("GET", `/sessions/${id}/permissions`);
      const late = await api.open(
        "GET",
        `/sessions/${id}/events?after=${stream.events.at(-1)!.id}`,
      );
      await late.until("permission_request");
      await api.ask("POST", `/sessions/${id}/permission`, { tool_id, decision });
      await stream.ended();
      await late.hangUp();
      for (const each of [stream, late]) api.checkEvents(each);
    }
    for (const content of [
      "think about whales",
      "fail once then succeed",
      "fail with auth_error",
    ]) {
      const stream = await api.open("POST", `/sessions/${id}/message`, { content });
      await stream.ended();
      api.checkEvents(stream);
    }
    await lifecycle.until("turn_ended", 5);
    await lifecycle.hangUp();
    api.checkEvents(lifecycle);
    await api.ask("GET", `/sessions/${id}/history`);
    await api.ask("GET", `/sessions/${id}`);
    await api.ask("GET", `/sessions/${id}/runs`);
  });

  test("runs that wait, join, are cancelled, and are sent twice", async () => {
    const id = await e.newSession();
    const key = { "idempotency-key": "once" };
    const body = { content: "stream 500 words every 20 ms" };
    const active = await api.ask("POST", `/sessions/${id}/runs`, body, key);
    await api.ask("POST", `/sessions/${id}/runs`, body, key);
    const waiting = await api.ask("POST", `/sessions/${id}/runs`, { content: "say two" });
    const stream = await api.open("POST", `/sessions/${id}/message`, {
      content: [{ type: "text", text: "say three" }],
      delivery: "queue",
      limits: { seconds: 60 },
    });
    await api.ask("POST", `/sessions/${id}/runs`, { content: "say four", delivery: "steer" });
    await api.ask("GET", `/sessions/${id}/queue`);
    const queued = stream.headers.get("x-run-id")!;
    await api.ask("PUT", `/sessions/${id}/queue`, { run_ids: [queued, waiting.run_id] });
    await api.ask("GET", `/sessions/${id}/runs`);
    await api.ask("GET", `/sessions/${id}/runs/${active.run_id}`);
    await api.ask("POST", `/sessions/${id}/runs/${queued}/cancel`);
    await stream.ended();
    await api.ask("POST", `/sessions/${id}/runs/${waiting.run_id}/cancel`);
    const run = await api.open("GET", `/sessions/${id}/runs/${active.run_id}/events`);
    await api.ask("POST", `/sessions/${id}/cancel`);
    await run.ended();
    const all = await api.open("GET", `/sessions/${id}/events`);
    await all.until("run_canceled", 2);
    await all.hangUp();
    for (const each of [stream, run, all]) api.checkEvents(each);
    await api.ask("GET", `/sessions/${id}/runs/${active.run_id}`);
  });

  test("streams that have a gap, and those that the engine cuts", async () => {
    const streams: Stream[] = [];
    const other = await startEngine();
    try {
      const there = await describedApi(other);
      const id = await other.newSession();
      const stream = await there.open("GET", `/sessions/${id}/events?after=1000`);
      const lifecycle = await there.open("GET", "/events", undefined, { "last-event-id": "1000" });
      await stream.until("replay_gap");
      await lifecycle.until("replay_gap");
      streams.push(stream, lifecycle);
    } finally {
      await other.stop();
    }
    for (const each of streams) {
      await each.until("stream_cut");
      api.checkEvents(each);
    }
  });

  test("a prompt that waits when a dashboard comes", async () => {
    const { session_id: id } = (await api.ask("POST", "/sessions", {})) as Json;
    await api.ask("POST", `/sessions/${id}/runs`, { content: "run echo hi" });
    const session = await api.open("GET", `/sessions/${id}/events`);
    await session.until("permission_request");
    const lifecycle = await api.open("GET", "/events");
    await lifecycle.until("permission_pending");
    await api.ask("POST", `/sessions/${id}/cancel`);
    for (const each of [session, lifecycle]) {
      await each.hangUp();
      api.checkEvents(each);
    }
  });

  test("what tools keep and run: plans, commands, child sessions, files, questions", async () => {
    const fake = await startFakeProvider();
    const call = (name: string, input: object) => ({ steps: [{ call: name, input }] });
    try {
      const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
      fake.reply(
        call("todo", { items: [{ content: "look", status: "pending" }] }),
        call("terminal", { command: "sleep 60", background: true, name: "sleeper" }),
        call("subagent", { task: "look", prompt: "look" }),
        "seen",
        call("file_create", { file: "kept.txt", content: "one" }),
        "<question>Go on?</question>",
      );
      await writeFile(join(e.workspace, "large.bin"), Buffer.alloc(KEPT_BYTES_MAX + 1));
      const stream = await api.open("POST", `/sessions/${id}/message`, { content: "go" });
      await stream.ended();
      fake.reply(call("file_delete", { file: "large.bin" }), "gone");
      const next = await api.open("POST", `/sessions/${id}/message`, { content: "go" });
      await next.ended();
      await api.ask("GET", `/sessions/${id}/todo`);
      await api.ask("GET", `/sessions/${id}/processes`);
      await api.ask("GET", `/sessions/${id}/processes/sleeper/output?lines=5`);
      await api.ask("POST", `/sessions/${id}/processes/sleeper/kill`);
      const { checkpoints } = (await api.ask("GET", `/sessions/${id}/checkpoints`)) as Json;
      const [{ checkpoint_id }] = checkpoints.filter((each: Json) =>
        each.files.some(({ path }: Json) => path === "kept.txt"),
      );
      const path = `/sessions/${id}/checkpoints/${checkpoint_id}`;
      await api.ask("GET", `${path}/diff`);
      await api.ask("POST", `${path}/restore`, { files: ["kept.txt"] });
      await api.ask("GET", `/sessions/${id}`);
      const all = await api.open("GET", `/sessions/${id}/events`);
      await all.until("process_ended");
      await all.hangUp();
      for (const each of [stream, next, all]) api.checkEvents(each);
    } finally {
      await fake.stop();
    }
  });

  test("rules, and projects that may bring some", async () => {
    const rules = [{ action: "deny", command: "git push", reason: "not today" }];
    await api.ask("PUT", "/permissions/rules", { rules });
    await mkdir(join(e.workspace, ".kollab"));
    await writeFile(
      join(e.workspace, ".kollab", "config.json"),
      JSON.stringify({ kollabor: { permissions: { rules: [{ action: "allow", tool: "*" }] } } }),
    );
    const workspace = e.workspace;
    await api.ask("GET", `/permissions/rules?workspace=${encodeURIComponent(workspace)}`);
    await api.ask("POST", "/projects/trust", { workspace });
    await api.ask("GET", "/projects/trust");
    await api.ask("POST", "/projects/trust", { workspace, trusted: false });
    await api.ask("PUT", "/permissions/rules", { rules: [] });
  });

  test("so that every route has answered, and every event has come", () => {
    const good = api.operations.filter(({ id, responses }) =>
      Object.keys(responses).some((status) => api.seen.has(`${id} ${status}`) && status < "300"),
    );
    expect(api.operations.filter((each) => !good.includes(each)).map(({ id }) => id)).toEqual([]);
    const events = Object.keys(api.document.components.schemas).filter((name) =>
      /^(?!Unknown|Engine|Lifecycle).*Event$|^Lifecycle.+Event$|.Notice$/.test(name),
    );
    expect(events.filter((name) => !api.eventsSeen.has(name) && name !== "StreamNotice")).toEqual(
      [],
    );
  });
});

describe("errors of a running engine are as described", () => {
  test("401 and 403 wherever a route says so", async () => {
    for (const operation of api.operations) {
      const path = fill(operation, NOTHING);
      const body = BODIES[operation.id];
      const foreign = { authorization: "", origin: "https://elsewhere.example" };
      if ("401" in operation.responses) await api.ask(operation.method, path, body, foreign);
      await api.ask(operation.method, path, body, { host: "elsewhere.example" });
      const reply = await e.call(operation.method, path, body, { authorization: "" });
      await reply.body?.cancel();
      const open = operation.exposure === "public" || operation.exposure === "local";
      expect([operation.id, reply.status === 401]).toEqual([operation.id, !open]);
    }
    expect(missing("401")).toEqual([]);
    expect(missing("403")).toEqual([]);
  });

  test("404 wherever a route says so", async () => {
    for (const operation of api.operations.filter(({ responses }) => "404" in responses))
      await api.ask(operation.method, fill(operation, NOTHING), BODIES[operation.id]);
    expect(missing("404")).toEqual([]);
  });

  test("422 wherever a route says so, 415 wherever one takes a body", async () => {
    const wrong = { session_id: "not%20an%20id", run_id: "run_none", name: "n".repeat(300) };
    for (const operation of api.operations.filter(({ responses }) => "422" in responses)) {
      const named = (field: string) => operation.parameters.some(({ name }) => name === field);
      const query = `${named("after") ? "?after=x" : ""}${named("workspace") ? "?workspace=" : ""}`;
      const body = WRONG_BODIES[operation.id] ?? BODIES[operation.id];
      await api.ask(operation.method, fill(operation, wrong) + query, body);
      if (!operation.body) continue;
      const plain = { "content-type": "text/plain" };
      await api.ask(operation.method, fill(operation, NOTHING), BODIES[operation.id], plain);
    }
    expect(missing("422")).toEqual([]);
    expect(missing("415")).toEqual([]);
  });

  test("400, 409 and 413 where they are common", async () => {
    const id = await e.newSession();
    await api.ask("POST", "/sessions", { workspace: "/no/such/folder" });
    await api.ask("POST", "/sessions", { session_id: id });
    await api.ask("POST", `/sessions/${id}/permissions/mode`, { mode: "no such mode" });
    await api.ask("POST", `/sessions/${id}/permission`, { tool_id: "x", decision: "perhaps" });
    const stream = await api.open("POST", `/sessions/${id}/message`, {
      content: "stream 500 words every 20 ms",
    });
    await api.ask("POST", `/sessions/${id}/message`, { content: "say no" });
    await api.ask("DELETE", `/sessions/${id}/history`);
    await api.ask("POST", `/sessions/${id}/cancel`);
    await stream.ended();
    await api.ask("POST", `/sessions/${id}/message`, { content: "x".repeat(8 * 1024 * 1024) });
    const came = [...api.seen].filter((place) => /40[09]|413/.test(place));
    expect(came.sort()).toEqual([
      "answerPermission 400",
      "clearHistory 409",
      "createSession 400",
      "createSession 409",
      "sendMessage 409",
      "sendMessage 413",
      "setApprovalMode 400",
    ]);
  });

  test("500 while the config file is broken", async () => {
    const other = await startEngine({ files: { ".kollab/config.json": "{" } });
    try {
      const there = await describedApi(other);
      expect(await there.ask("GET", "/profiles")).toMatchObject({ code: "config_invalid" });
      expect(await there.ask("POST", "/sessions", {})).toMatchObject({ code: "config_invalid" });
      await there.ask("GET", "/ready");
    } finally {
      await other.stop();
    }
  });

  /** The routes that are described as answering so, and never did. */
  const missing = (status: string): string[] =>
    api.operations
      .filter(({ id, responses }) => status in responses && !api.seen.has(`${id} ${status}`))
      .map(({ id }) => id);
});

describe("what later versions add", () => {
  const ABOUT = { session_id: "s", ts: 1 };
  const streamOf = (id: string): Schema => {
    const found = api.operations.find((each) => each.id === id)!;
    return found.responses["200"].content["text/event-stream"].schema;
  };
  const fits = (event: object, stream: Schema) =>
    faultsOf(event, stream, api.document).length === 0;

  test("events of other types, and further fields, are allowed", () => {
    for (const stream of [streamOf("followSession"), streamOf("followLifecycle")]) {
      expect(fits({ type: "not_yet_known", more: 1, ...ABOUT }, stream)).toBe(true);
      expect(
        fits({ type: "stream_cut", cursor: 1, reason: "shutdown", more: 1, ...ABOUT }, stream),
      ).toBe(true);
    }
    expect(fits({ type: "token", text: "a", more: 1, ...ABOUT }, streamOf("sendMessage"))).toBe(
      true,
    );
  });

  test("known events must still have what they have", () => {
    const stream = streamOf("followSession");
    expect(fits({ type: "token", ...ABOUT }, stream)).toBe(false);
    expect(fits({ type: "token", text: "a" }, stream)).toBe(false);
    expect(fits({ type: "token", text: 1, ...ABOUT }, stream)).toBe(false);
    expect(
      fits({ type: "error", code: "other", message: "", retryable: false, ...ABOUT }, stream),
    ).toBe(false);
    expect(fits({ type: "stream_cut", cursor: "1", reason: "shutdown" }, stream)).toBe(false);
  });
});

describe("the page", () => {
  test("may run nothing but its own script, and ask nobody but the engine", async () => {
    const reply = await e.call("GET", "/docs", undefined, { authorization: "" });
    const page = await reply.text();
    const policy = reply.headers.get("content-security-policy")!;
    expect(policy).toStartWith("default-src 'none'; ");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    for (const tag of ["script", "style"]) {
      const found = [...page.matchAll(new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`, "g"))];
      expect(found).toHaveLength(1);
      const hash = new Bun.CryptoHasher("sha256").update(found[0]![1]!).digest("base64");
      expect(policy).toContain(`${tag}-src 'sha256-${hash}'`);
    }
    expect(page).not.toMatch(
      /innerHTML|outerHTML|insertAdjacent|document\.write|https?:|<link|<img/,
    );
    expect(page).not.toMatch(/\son\w+=|\sstyle=/);
  });
});
