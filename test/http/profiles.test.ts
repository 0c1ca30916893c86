import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { startFakeProvider } from "../support/fake-provider.ts";
import { type Json, readUntil } from "../support/sse.ts";

let e: TestEngine;
afterEach(() => e.stop());

const config = (llm: object) => ({ ".kollab/config.json": JSON.stringify({ kollabor: { llm } }) });
const named = (list: Json, name: string): Json =>
  list.profiles.find((each: Json) => each.name === name);

const FIELDS = [
  "model",
  "provider",
  "base_url",
  "api_key",
  "max_tokens",
  "temperature",
  "timeout",
  "top_p",
  "streaming",
  "supports_tools",
  "description",
  "extra_headers",
];

describe("GET /profiles", () => {
  test("without settings lists what is built in, with the fields that are always there", async () => {
    e = await startEngine();
    const list = await e.json("GET", "/profiles");
    const names = list.profiles.map(({ name }: Json) => name);
    expect(names).toEqual(expect.arrayContaining(["default", "local", "claude", "openai"]));
    expect([list.count, names]).toContainEqual(names);
    expect(list.count).toBe(names.length);
    expect(names).toContain(list.active);
    expect(named(list, "claude")).toEqual({
      name: "claude",
      provider: "anthropic",
      model: "claude-sonnet-4-6",
      temperature: 0.7,
      max_tokens: null,
      timeout: 0,
      description: "",
      streaming: true,
      supports_tools: true,
      has_api_key: false,
      api_key_source: "none",
      builtin: true,
    });
    expect(named(list, "local").base_url).toBe("http://localhost:1234/v1");
  });

  test("shows settings after the environment had its say, and never a key", async () => {
    const profiles = {
      work: {
        provider: "openai",
        model: "stored",
        api_key: "sk-stored-hunter2",
        base_url: "https://example.com/v1",
        top_p: 0.9,
        max_tokens: 100,
        timeout: 30,
        description: "At work",
        streaming: false,
        supports_tools: false,
        extra_headers: { "X-Team": "a", "X-Api-Key": "hunter2", Cookie: "hunter2" },
      },
      ring: { provider: "openai", model: "m", api_key: "secret:keyring:hunter2" },
    };
    e = await startEngine({
      files: config({ profiles, active_profile: "work" }),
      env: { KOLLAB_WORK_MODEL: "from-env", KOLLAB_CLAUDE_API_KEY: "hunter2" },
    });
    const reply = await e.call("GET", "/profiles");
    const text = await reply.text();
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain("keyring:");
    const list = JSON.parse(text);
    expect(list.active).toBe("work");
    expect(named(list, "work")).toEqual({
      name: "work",
      provider: "openai",
      model: "from-env",
      temperature: 0.7,
      max_tokens: 100,
      timeout: 30,
      description: "At work",
      streaming: false,
      supports_tools: false,
      base_url: "https://example.com/v1",
      top_p: 0.9,
      extra_headers: { "X-Team": "a", "X-Api-Key": "[redacted]", Cookie: "[redacted]" },
      has_api_key: true,
      api_key_source: "config",
      builtin: false,
    });
    expect(named(list, "ring")).toMatchObject({ has_api_key: true, api_key_source: "keyring" });
    expect(named(list, "claude")).toMatchObject({ has_api_key: true, api_key_source: "env" });
  });

  test("leaves out a broken entry, and only that", async () => {
    e = await startEngine({
      files: config({
        profiles: { broken: { model: "m" }, text: "x", fine: { provider: "openai" } },
      }),
    });
    const list = await e.json("GET", "/profiles");
    const names = list.profiles.map(({ name }: Json) => name);
    expect(names).toContain("fine");
    expect(names).not.toContain("broken");
    expect(names).not.toContain("text");
    expect((await e.call("POST", "/sessions", {})).status).toBe(200);
  });

  test("leaves the home as it is", async () => {
    e = await startEngine({
      files: config({ profiles: { work: { provider: "openai", model: "m", api_key: "sk-x" } } }),
    });
    const look = () => {
      const names = readdirSync(join(e.home, ".kollab"), { recursive: true }).map(String);
      const file = join(e.home, ".kollab/config.json");
      const about = statSync(file);
      return [
        names.filter((each) => !each.startsWith("engine/")).sort(),
        about.mtimeMs,
        about.mode,
      ];
    };
    const before = look();
    await e.json("GET", "/profiles");
    await e.json("GET", "/profiles/work");
    await e.newSession({ profile: "work" });
    expect(look()).toEqual(before);
  });
});

describe("GET /profiles/{name}", () => {
  test("adds whether it is active, and the names of its variables, never their values", async () => {
    e = await startEngine({
      files: config({
        profiles: { "my-work": { provider: "openai", model: "m" } },
        active_profile: "my-work",
      }),
      env: { KOLLAB_MY_WORK_API_KEY: "hunter2", KOLLAB_TEMPERATURE: "0.1" },
    });
    const { env_var_hints, is_active, ...profile } = await e.json("GET", "/profiles/my-work");
    expect(is_active).toBe(true);
    expect(profile).toEqual(named(await e.json("GET", "/profiles"), "my-work"));
    expect(profile).toMatchObject({ temperature: 0.1, has_api_key: true, api_key_source: "env" });
    expect(JSON.stringify(env_var_hints)).not.toContain("hunter2");
    const expected = FIELDS.flatMap((field) => [
      [field, { name: `KOLLAB_MY_WORK_${field.toUpperCase()}`, is_set: field === "api_key" }],
      [
        `global_${field}`,
        { name: `KOLLAB_${field.toUpperCase()}`, is_set: field === "temperature" },
      ],
    ]);
    expect(env_var_hints).toEqual(Object.fromEntries(expected));
    expect((await e.json("GET", "/profiles/claude")).is_active).toBe(false);
  });

  test("finds names as clients write them, with signs and not", async () => {
    const odd = { provider: "openai", model: "m" };
    e = await startEngine({ files: config({ profiles: { "a b/ü": odd, __proto__x: odd } }) });
    expect((await e.json("GET", `/profiles/${encodeURIComponent("a b/ü")}`)).name).toBe("a b/ü");
    for (const name of ["constructor", "__proto__", "hasOwnProperty", "%20", "%00"])
      expect([name, (await e.call("GET", `/profiles/${name}`)).status]).toEqual([name, 404]);
    expect((await e.call("GET", `/profiles/${"x".repeat(201)}`)).status).toBe(422);
  });
});

describe("the profile of a session", () => {
  test("is the active one for default, and both names are shown", async () => {
    e = await startEngine({
      files: config({
        profiles: { work: { provider: "openai", model: "m" } },
        active_profile: "work",
      }),
    });
    const session = await e.json("POST", "/sessions", {});
    expect(session).toMatchObject({ profile: "default", profile_resolved: "work" });
    const path = `/sessions/${session.session_id}`;
    expect(await e.json("GET", path)).toEqual(session);
  });

  test("without a key does for a session; the first message says what to set", async () => {
    e = await startEngine({
      files: config({ profiles: { work: { provider: "openai", model: "m" } } }),
    });
    for (const [profile, variable] of [
      ["work", "KOLLAB_WORK_API_KEY"],
      ["claude", "KOLLAB_CLAUDE_API_KEY"],
    ]) {
      const id = await e.newSession({ profile });
      const events = await e.turn(id, "hello");
      expect(events.at(-1)?.event).toMatchObject({
        type: "error",
        code: "auth_error",
        message: expect.stringContaining(variable as string),
        retryable: false,
      });
      const { history } = await e.json("GET", `/sessions/${id}/history`);
      expect(history.map(({ role, content }: Json) => [role, content])).toEqual([
        ["user", "hello"],
      ]);
      expect(await e.json("GET", `/sessions/${id}`)).toMatchObject({
        total_turns: 0,
        last_turn_status: "failed",
        active: false,
      });
    }
  });

  test.each([
    [{ provider: "nonsense", api_key: "hunter2", model: "m" }],
    [{ provider: "custom", api_key: "hunter2", model: "m", base_url: "not a url" }],
    [{ provider: "custom", api_key: "hunter2", model: "", base_url: "http://127.0.0.1:9/v1" }],
    [{ provider: "openai", api_key: "", model: "m" }],
  ])(
    "from credentials that cannot work: the error comes with the message: %j",
    async (credentials) => {
      e = await startEngine();
      const session = await e.json("POST", "/sessions", { credentials });
      expect(session.profile).toBe("app-inline");
      const events = await e.turn(session.session_id, "hello");
      const last = events.at(-1)?.event;
      expect([last.type, last.message]).toEqual(["error", expect.not.stringContaining("hunter2")]);
    },
  );

  test("from credentials wins over a profile, and lives until the engine ends", async () => {
    const provider = await startFakeProvider();
    e = await startEngine();
    const credentials = {
      provider: "custom",
      api_key: "key-hunter2",
      model: "m",
      base_url: provider.baseUrl("chat"),
    };
    const session = await e.json("POST", "/sessions", { profile: "no-such-profile", credentials });
    expect(session).toMatchObject({ profile: "app-inline", profile_resolved: "app-inline" });
    provider.reply("hello");
    const id = session.session_id;
    expect((await e.turn(id, "hi")).at(-1)?.event.type).toBe("turn_complete");
    expect(provider.requests[0]?.headers.authorization).toBe("Bearer key-hunter2");
    await e.restart();
    expect((await e.turn(id, "hi")).at(-1)?.event).toMatchObject({
      type: "error",
      code: "auth_error",
    });
    await e.json("PATCH", `/sessions/${id}`, { credentials });
    provider.reply("hello again");
    expect((await e.turn(id, "hi")).at(-1)?.event.type).toBe("turn_complete");
    await provider.stop();
  });
});

test("no key or token is in any reply, in the log, or in any of the engine's files", async () => {
  const provider = await startFakeProvider();
  // As some providers do, it says what it was sent.
  provider.fallback = ({ headers }) => ({
    fault: { kind: "status", status: 401, body: `Bad key in ${JSON.stringify(headers)}` },
  });
  const base_url = provider.baseUrl("chat");
  const stored = { provider: "custom", model: "m", base_url, api_key: "hunter2-stored" };
  e = await startEngine({
    files: config({
      profiles: { work: { ...stored, extra_headers: { "X-Token": "hunter2-header" } } },
    }),
    env: { KOLLAB_CLAUDE_API_KEY: "hunter2-env", PATH: process.env.PATH },
  });
  const replies: string[] = [];
  const ask = async (...request: Parameters<TestEngine["call"]>) => {
    const reply = await e.call(...request);
    replies.push(`${request.slice(0, 2).join(" ")}: ${await reply.text()}`);
  };
  const credentials = { provider: "custom", model: "m", base_url, api_key: "hunter2-inline" };
  await ask("POST", "/sessions", { session_id: "inline", credentials, user_token: "hunter2-user" });
  await ask(
    "POST",
    "/sessions",
    { session_id: "work", profile: "work" },
    {
      "x-mentiko-session-token": "hunter2-mentiko",
    },
  );
  for (const id of ["inline", "work"]) {
    await ask("PATCH", `/sessions/${id}`, { user_token: "hunter2-later" });
    await ask("POST", `/sessions/${id}/message`, { content: "hello" });
    for (const path of ["", "/history", "/permissions", "/runs", "/queue", "/system-prompt"])
      await ask("GET", `/sessions/${id}${path}`);
    const events = await readUntil(await e.call("GET", `/sessions/${id}/events`), "error");
    replies.push(JSON.stringify(events));
  }
  for (const path of [
    "/sessions",
    "/profiles",
    "/profiles/work",
    "/profiles/claude",
    "/status",
    "/ready",
  ])
    await ask("GET", path);
  expect(replies.filter((each) => each.includes("hunter2"))).toEqual([]);
  expect(replies.join("")).toContain("auth_error");
  expect(e.logged.filter((line) => line.includes("hunter2"))).toEqual([]);
  const folder = join(e.home, ".kollab/engine");
  const files = readdirSync(folder).map((name) => join(folder, name));
  expect(files.length).toBeGreaterThan(0);
  const holding = () => files.filter((each) => readFileSync(each, "latin1").includes("hunter2"));
  expect(holding()).toEqual([]);
  for (const file of files) expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600]);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  await provider.stop();
});
