/** An engine that is killed while a session with credentials of its own has a turn. */

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { type EngineProcess, startEngineProcess } from "../support/engine-process.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf, typesOf } from "../support/sse.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  type Client,
  eventsOf,
  fakeSession,
  follow,
  historyOf,
  KEY,
  send,
  unansweredCalls,
} from "../support/turns.ts";

const USER_TOKEN = "user-token-0123456789abcdef";
const folder = temporaryFolder();
let fake: FakeProvider;
let engine: EngineProcess;
let home = "";

beforeAll(async () => {
  home = join(realpathSync(folder.path), "home");
  mkdirSync(join(home, "project"), { recursive: true });
  fake = await startFakeProvider();
  engine = await start();
});
afterAll(async () => {
  engine.kill("SIGTERM");
  await engine.ended;
  await fake.stop();
  folder[Symbol.dispose]();
});

const start = () =>
  startEngineProcess({
    home,
    cwd: join(home, "project"),
    args: ["--port", "0", "--log-level", "debug"],
    env: { KOLLAB_NO_KEYRING: "1" },
  });

const client = (): Client => ({
  call: (method, path, body) => engine.call(method, path, body),
  json: (method, path, body) => engine.json(method, path, body),
  newSession: async (body = {}) => (await engine.json("POST", "/sessions", body)).session_id,
});

test("its database is whole, no file below the home holds a secret, and new credentials heal it", async () => {
  const e = client();
  const id = await fakeSession(e, fake, { user_token: USER_TOKEN });
  const command = { call: "terminal", input: { command: "echo 1" }, id: "c1" };
  fake.reply({ fault: { kind: "status", status: 401, body: `bad key ${KEY}` } });
  await (await send(e, id, "with a wrong key")).ended();
  fake.reply({ steps: [{ text: "Running." }, command] });
  const stream = await send(e, id, "run it");
  await stream.until("permission_request");
  engine.kill("SIGKILL");
  await engine.ended;
  await stream.ended().catch(() => {});

  const database = new Database(join(home, ".kollab/engine/engine.db"));
  expect(database.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  database.close();
  expectNoSecret();

  engine = await start();
  const log = follow(await e.call("GET", `/sessions/${id}/events`));
  expect((await log.until("error", 2)).code).toBe("interrupted");
  await log.hangUp();
  expect(log.events.slice(0, stream.events.length + 2).map((each) => each.id)).toEqual(
    log.events.slice(0, stream.events.length + 2).map((_, at) => at + 1),
  );
  expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  const refused = await (await send(e, id, "hello?")).ended();
  expect(refused.at(-1)?.event).toMatchObject({
    type: "error",
    code: "auth_error",
    message: expect.stringContaining("PATCH /sessions/"),
  });
  expect(eventsOf(refused, "error")).toHaveLength(1);
  const credentials = {
    provider: "custom",
    api_key: KEY,
    model: "fake-model",
    base_url: fake.baseUrl("chat"),
  };
  await e.json("PATCH", `/sessions/${id}`, { credentials, user_token: USER_TOKEN });
  fake.reply("Healed.");
  const healed = await (await send(e, id, "and now?")).ended();
  expect(textOf(healed)).toBe("Healed.");
  expect(typesOf(healed).at(-1)).toBe("turn_complete");
  expect(fake.requests.at(-1)?.headers.authorization).toBe(`Bearer ${KEY}`);
  expectNoSecret();
});

test("a queue of such a session waits for the credentials, it is not used up without them", async () => {
  const e = client();
  const id = await fakeSession(e, fake);
  fake.reply({ fault: { kind: "stall", after: null } });
  await (await e.call("POST", `/sessions/${id}/runs`, { content: "one" })).text();
  for (const content of ["two", "three"])
    await (await e.call("POST", `/sessions/${id}/runs`, { content })).text();
  engine.kill("SIGKILL");
  await engine.ended;
  engine = await start();
  const credentials = {
    provider: "custom",
    api_key: KEY,
    model: "fake-model",
    base_url: fake.baseUrl("chat"),
  };
  await e.json("PATCH", `/sessions/${id}`, { credentials });
  fake.reply("two", "three");
  const { runs } = await e.json("GET", `/sessions/${id}/runs`);
  await follow(await e.call("GET", `/sessions/${id}/runs/${runs[0].run_id}/events`)).ended();
  const states = (await e.json("GET", `/sessions/${id}/runs`)).runs.map(
    ({ prompt, state }: { prompt: string; state: string }) => [prompt, state],
  );
  expect(states).toEqual([
    ["three", "completed"],
    ["two", "completed"],
    ["one", "failed"],
  ]);
});

function expectNoSecret(): void {
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  expect(files.map(({ name }) => name)).toContain("engine.db");
  for (const { parentPath, name } of files) {
    const bytes = readFileSync(join(parentPath, name));
    for (const secret of [KEY, USER_TOKEN])
      expect([name, bytes.indexOf(secret)]).toEqual([name, -1]);
  }
}
