/** Engines that end, well or badly, and what the next one makes of their sessions. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type EngineProcess, startEngineProcess } from "../support/engine-process.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { groupIsGone } from "../support/process-group.ts";
import { type Json, type SseEvent, textOf, typesOf } from "../support/sse.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  answer,
  type Client,
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  KEY,
  PROTOCOLS,
  send,
  unansweredCalls,
} from "../support/turns.ts";

const run = (command: string, id?: string) => ({
  call: "terminal",
  input: { command },
  ...(id === undefined ? {} : { id }),
});
const stall = { fault: { kind: "stall", after: null } } as const;
const interrupted = { type: "error", code: "interrupted", retryable: true };

async function logOf(e: Client, id: string, last: number): Promise<SseEvent[]> {
  const stream = follow(await e.call("GET", `/sessions/${id}/events`));
  await stream.untilId(last);
  await stream.hangUp();
  return stream.events;
}

/** All events up to the end of the session's newest run. */
async function wholeLog(e: Client, id: string): Promise<SseEvent[]> {
  const { runs } = await e.json("GET", `/sessions/${id}/runs`);
  return logOf(e, id, Math.max(...runs.map((each: Json) => each.end_seq ?? 0)));
}

const gapless = (events: readonly SseEvent[]): boolean =>
  events.every(({ id }, at) => id === at + 1);

describe("stopped as it should be", () => {
  let e: TestEngine;
  let fake: FakeProvider;
  beforeEach(async () => {
    [e, fake] = await Promise.all([startEngine(), startFakeProvider()]);
  });
  afterEach(async () => {
    await e.stop();
    await fake.stop();
  });

  test("during a turn: it ends as cancelled, and the session is there afterwards", async () => {
    const id = await e.newSession({
      approval_mode: "default",
      system_prompt: "Be kind.",
      metadata: { color: "blue" },
    });
    const before = await e.turn(id, "say hello");
    const session = await e.json("GET", `/sessions/${id}`);
    const stream = await send(e, id, "stream 1000 words every 5 ms");
    await stream.untilText("the quick");
    await e.restart();
    const seen = await stream.ended();
    expect(seen.at(-1)?.event).toMatchObject({ type: "error", code: "cancelled" });
    const { sessions } = await e.json("GET", "/sessions");
    expect(sessions).toEqual([
      {
        ...session,
        history_length: session.history_length + 2,
        last_turn_status: "canceled",
        last_turn_error: "The engine is stopping",
      },
    ]);
    const history = await historyOf(e, id);
    expect(history.at(-1)).toMatchObject({ role: "assistant", metadata: { partial: true } });
    expect(history.at(-1).content).toBe(textOf(seen));
    expect(await wholeLog(e, id)).toEqual([...before, ...seen]);
    expect(typesOf(await e.turn(id, "say hello again")).at(-1)).toBe("turn_complete");
  });

  test("with messages in the queue: they run by themselves, in their order", async () => {
    const id = await e.newSession();
    const stream = await send(e, id, "stream 1000 words every 5 ms");
    await stream.untilText("the");
    for (const content of ["say two", "say three"])
      await e.json("POST", `/sessions/${id}/runs`, { content });
    await e.restart();
    await stream.ended();
    const { runs } = await e.json("GET", `/sessions/${id}/runs`);
    const last = follow(await e.call("GET", `/sessions/${id}/runs/${runs[0].run_id}/events`));
    await last.until("turn_complete");
    const asked = (await historyOf(e, id)).filter(({ role }) => role === "user");
    expect(asked.map(({ content }) => content)).toEqual([
      "stream 1000 words every 5 ms",
      "say two",
      "say three",
    ]);
    expect(gapless(await wholeLog(e, id))).toBe(true);
  });

  test("the queue keeps its order, also where some of it had begun and was reordered", async () => {
    const id = await e.newSession();
    const enqueue = async (content: string): Promise<string> =>
      (await e.json("POST", `/sessions/${id}/runs`, { content })).run_id;
    const slow = "stream 1000 words every 5 ms";
    await enqueue(slow);
    const next = [await enqueue(slow), await enqueue(slow), await enqueue("say a")];
    for (const _ of [1, 2]) await e.json("POST", `/sessions/${id}/cancel`);
    const stream = follow(await e.call("GET", `/sessions/${id}/runs/${next[1]}/events`));
    await stream.until("turn_started");
    await enqueue("say b");
    const steered = await send(e, id, "say c", { delivery: "steer" });
    const prompts = async () =>
      (await e.json("GET", `/sessions/${id}/queue`)).runs.map(({ prompt }: Json) => prompt);
    expect(await prompts()).toEqual(["say a", "say b"]);
    await e.restart();
    await steered.ended();
    const { runs } = await e.json("GET", `/sessions/${id}/runs`);
    const newest = runs.find(({ prompt }: Json) => prompt === "say b").run_id;
    const last = follow(await e.call("GET", `/sessions/${id}/runs/${newest}/events`));
    await last.until("turn_complete");
    const asked = (await historyOf(e, id)).map(({ role, content }) => role === "user" && content);
    expect(asked.filter((each) => String(each).startsWith("say"))).toEqual([
      "say c",
      "say a",
      "say b",
    ]);
  });

  test("a session with its own credentials says what it needs, and works when it has it", async () => {
    const id = await fakeSession(e, fake);
    fake.reply("before");
    await e.turn(id, "hello");
    await e.restart();
    const refused = (await e.turn(id, "hello?")).at(-1)?.event;
    expect(refused).toMatchObject({ type: "error", code: "auth_error", retryable: false });
    expect(refused.message).toContain(`PATCH /sessions/`);
    const credentials = {
      provider: "custom",
      api_key: KEY,
      model: "fake-model",
      base_url: fake.baseUrl("chat"),
    };
    await e.json("PATCH", `/sessions/${id}`, { credentials });
    fake.reply("after");
    expect(textOf(await e.turn(id, "hello!"))).toBe("after");
  });

  test("a session that was given credentials later does not fall back to another model", async () => {
    const id = await e.newSession();
    const credentials = {
      provider: "custom",
      api_key: KEY,
      model: "fake-model",
      base_url: fake.baseUrl("chat"),
    };
    await e.json("PATCH", `/sessions/${id}`, { credentials });
    fake.reply("the fake one");
    expect(textOf(await e.turn(id, "who are you?"))).toBe("the fake one");
    await e.restart();
    const last = (await e.turn(id, "who are you?")).at(-1)?.event;
    expect(last).toMatchObject({ type: "error", code: "auth_error" });
  });

  test("nothing secret is in the data, the log, or what clients see", async () => {
    const user_token = "user-token-0123456789abcdef";
    const id = await fakeSession(e, fake, { user_token });
    fake.reply("hi", { fault: { kind: "status", status: 401, body: `bad key ${KEY}` } });
    const seen = [...(await e.turn(id, "hello")), ...(await e.turn(id, "hello"))];
    expect(seen.at(-1)?.event.code).toBe("auth_error");
    const shown = JSON.stringify([
      seen,
      await e.json("GET", `/sessions/${id}`),
      await e.json("GET", `/sessions/${id}/runs`),
      await historyOf(e, id),
    ]);
    const folder = join(e.home, ".kollab/engine");
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
    expect(files.length).toBeGreaterThan(0);
    for (const secret of [KEY, user_token])
      for (const text of [shown, e.logged.join("\n"), ...files]) expect(text).not.toContain(secret);
  });
});

/** One engine with a session in every state, killed, and another one started in its place. */
describe("killed", () => {
  const folder = temporaryFolder();
  let fake: FakeProvider;
  let e: Client;
  let engine: EngineProcess;
  const id: Record<string, string> = {};
  const seen: Record<string, SseEvent[]> = {};
  let group = 0;
  let listed: Json[] = [];

  const clientOf = (process: EngineProcess): Client => {
    const client: Client = {
      call: (method, path, body) => process.call(method, path, body),
      async json(method, path, body) {
        const response = await process.call(method, path, body);
        if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
        return response.json();
      },
      newSession: async (body = {}) => (await client.json("POST", "/sessions", body)).session_id,
    };
    return client;
  };

  beforeAll(async () => {
    const root = realpathSync(folder.path);
    const at = { home: join(root, "home"), cwd: join(root, "project") };
    for (const each of [at.home, at.cwd]) mkdirSync(each);
    fake = await startFakeProvider();
    const provider = { chat: "custom", responses: "openai_responses", messages: "anthropic" };
    const profiles = Object.fromEntries(
      PROTOCOLS.map((protocol) => [
        protocol,
        {
          provider: provider[protocol],
          model: "fake-model",
          base_url: fake.baseUrl(protocol),
          api_key: KEY,
        },
      ]),
    );
    const config = { kollabor: { llm: { profiles } } };
    folder.write("home/.kollab/config.json", config);
    const env = { KOLLAB_NO_KEYRING: "1" };
    engine = await startEngineProcess({ ...at, env });
    e = clientOf(engine);

    const never = new Promise(() => {});
    const session = async (name: string, body: object = {}) => {
      id[name] = await e.newSession({ ...body });
      return id[name] as string;
    };
    const streams: Record<string, ReturnType<typeof follow>> = {};

    for (const protocol of PROTOCOLS) {
      await session(`text ${protocol}`, { profile: protocol });
      fake.reply({ steps: [{ text: "Once upon " }, { text: "a time" }, { wait: never }] });
      streams[`text ${protocol}`] = await send(e, id[`text ${protocol}`]!, "tell me");
      await streams[`text ${protocol}`]?.untilText("a time");

      await session(`prompt ${protocol}`, { profile: protocol });
      fake.reply({ steps: [{ text: "Both:" }, run("echo 1", "c1"), run("echo 2", "c2")] });
      streams[`prompt ${protocol}`] = await send(e, id[`prompt ${protocol}`]!, "run both");
      await streams[`prompt ${protocol}`]?.until("permission_request");
    }

    await session("command", { profile: "chat", approval_mode: "trust_all" });
    fake.reply({ steps: [run("echo first", "c1"), run("sleep 300 & echo $$; sleep 300", "c2")] });
    streams.command = await send(e, id.command!, "run it");
    let output = await streams.command.until("tool_output");
    if (output.tool_id !== "c2") output = await streams.command.until("tool_output", 2);
    group = Number(output.chunk.trim());

    await session("queue", { profile: "chat" });
    fake.reply(stall);
    streams.queue = await send(e, id.queue!, "one");
    for (const content of ["two", "three"])
      await e.json("POST", `/sessions/${id.queue}/runs`, { content });
    await send(e, id.queue!, "joined", { delivery: "steer" });

    await session("idle", { profile: "offline" });
    seen.idle = await (await send(e, id.idle!, "say hello")).ended();
    listed = (await e.json("GET", "/sessions")).sessions;

    engine.kill("SIGKILL");
    await engine.ended;
    for (const [name, stream] of Object.entries(streams)) {
      await stream.ended().catch(() => {});
      seen[name] = stream.events;
    }
    fake.fallback = { steps: [{ text: "Here again." }] };
    engine = await startEngineProcess({ ...at, env });
    e = clientOf(engine);
  });
  afterAll(async () => {
    engine.kill("SIGTERM");
    await engine.ended;
    await fake.stop();
    folder[Symbol.dispose]();
  });

  /** What was seen before stays, in its place; one error ends it; the next message works. */
  async function expectInterrupted(name: string): Promise<SseEvent[]> {
    const log = await wholeLog(e, id[name]!);
    expect(gapless(log)).toBe(true);
    expect(log.slice(0, seen[name]?.length)).toEqual(seen[name]!);
    expect(eventsOf(log, "error")).toMatchObject([interrupted]);
    expect(log.at(-1)?.event.type).toBe("error");
    expect(unansweredCalls(await historyOf(e, id[name]!))).toEqual([]);
    const next = await (await send(e, id[name]!, "are you there?")).ended();
    expect(textOf(next)).toBe("Here again.");
    expect(next[0]?.id).toBe((log.at(-1)?.id as number) + 1);
    return log;
  }

  test("every session is listed as it was, in its order, and none is active", async () => {
    const { sessions } = await e.json("GET", "/sessions");
    const constant = (each: Json) => ({
      session_id: each.session_id,
      profile: each.profile,
      workspace: each.workspace,
      approval_mode: each.approval_mode,
      created_at: each.created_at,
      // What waited in its queue runs meanwhile.
      total_turns: each.session_id === id.queue ? null : each.total_turns,
    });
    expect(sessions.map(constant)).toEqual(listed.map(constant));
    for (const each of sessions)
      if (each.session_id !== id.queue) expect(each).toMatchObject({ active: false });
    const states = sessions.map(({ session_id, last_turn_status }: Json) => [
      session_id,
      last_turn_status,
    ]);
    expect(states).toContainEqual([id.idle, "completed"]);
    expect(states).toContainEqual([id.command, "failed"]);
  });

  for (const protocol of PROTOCOLS) {
    test(`in the middle of a text: what was shown stays, as partial (${protocol})`, async () => {
      const name = `text ${protocol}`;
      const history = await historyOf(e, id[name]!);
      expect(history).toMatchObject([
        { role: "user", content: "tell me" },
        { role: "assistant", content: "Once upon a time", metadata: { partial: true } },
      ]);
      await expectInterrupted(name);
    });

    test(`while a prompt waits: it is gone, and every call is answered (${protocol})`, async () => {
      const name = `prompt ${protocol}`;
      const history = await historyOf(e, id[name]!);
      expect(history.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool"]);
      expect(history[1].metadata.partial).toBeUndefined();
      expect(history[1].content).toBe("Both:");
      for (const { content } of history.slice(2)) expect(content).toStartWith("Error: Interrupted");
      const { pending, stats } = await e.json("GET", `/sessions/${id[name]}/permissions`);
      expect(pending).toEqual([]);
      expect(await answer(e, id[name]!, "c1")).toBe(404);
      const { total_checks, auto_approved, user_approved, denied, blocked } = stats;
      expect(auto_approved + user_approved + denied + blocked).toBe(total_checks);
      await expectInterrupted(name);
    });
  }

  test("during a command: its processes are gone, and what ran before it stays", async () => {
    expect(await groupIsGone(group)).toBe(true);
    const answers = (await historyOf(e, id.command!)).filter(({ role }) => role === "tool");
    expect(answers.map(({ content }) => content)).toEqual([
      "first\n",
      expect.stringMatching(/^Error: Interrupted/),
    ]);
    await expectInterrupted("command");
  });

  test("messages that waited run by themselves, those to be joined first", async () => {
    const { runs } = await e.json("GET", `/sessions/${id.queue}/runs`);
    for (const { run_id, prompt } of runs)
      if (prompt !== "one")
        await follow(await e.call("GET", `/sessions/${id.queue}/runs/${run_id}/events`)).ended();
    const log = await wholeLog(e, id.queue!);
    expect(gapless(log)).toBe(true);
    expect(eventsOf(log, "error")).toMatchObject([interrupted]);
    expect(eventsOf(log, "turn_complete")).toHaveLength(3);
    const asked = (await historyOf(e, id.queue!)).filter(({ role }) => role === "user");
    expect(asked.map(({ content }) => content)).toEqual(["one", "joined", "two", "three"]);
  });

  test("a turn that had ended stays as it was", async () => {
    expect(await wholeLog(e, id.idle!)).toEqual(seen.idle!);
    expect(await historyOf(e, id.idle!)).toHaveLength(2);
  });

  test("the next message works in every session that was not cut, too", async () => {
    const next = await (await send(e, id.idle!, "say once more")).ended();
    expect(textOf(next)).toBe("once more");
  });
});
