/** Undo as a client drives it, and across the end of the engine. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { startEngineProcess } from "../support/engine-process.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import type { Json } from "../support/sse.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { answer, bodyOf, eventsOf, fakeSession, send, sendAnswering } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  e = await startEngine();
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
  writeFileSync(join(e.workspace, "a.txt"), "old\n");
});
afterEach(() => fake.stop());

const edit = (find: string, replace: string) => ({
  call: "file_edit",
  input: { file: "a.txt", find, replace },
});
const create = (name: string) => ({
  call: "file_create",
  input: { file: name, content: `${name}\n` },
});
const a = () => readFileSync(join(e.workspace, "a.txt"), "utf8");
const checkpointsOf = async (id: string): Promise<Json[]> =>
  (await e.json("GET", `/sessions/${id}/checkpoints`)).checkpoints;

test("a turn's changes are announced, listed, shown and undone, and the undo as well", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [edit("old", "new")] }, { steps: [create("new/b.txt")] }, "done");
  const seen = await sendAnswering(e, id, "change both");
  const [event, ...more] = eventsOf(seen, "checkpoint");
  expect(more).toEqual([]);
  expect(event?.files).toContain("a.txt");

  const [checkpoint] = await checkpointsOf(id);
  expect(checkpoint).toMatchObject({
    checkpoint_id: event?.checkpoint_id,
    turn_id: event?.turn_id,
    kind: "turn",
    restored: false,
  });
  const path = `/sessions/${id}/checkpoints/${checkpoint?.checkpoint_id}`;
  const { diff } = await e.json("GET", `${path}/diff?path=a.txt`);
  expect(diff).toContain("-old\n+new\n");
  expect(diff).not.toContain("b.txt");

  const undone = await e.json("POST", `${path}/restore`);
  expect([a(), existsSync(join(e.workspace, "new"))]).toEqual(["old\n", false]);
  await e.restart();
  expect((await checkpointsOf(id)).map(({ kind, restored }) => [kind, restored])).toEqual([
    ["restore", false],
    ["turn", true],
  ]);
  await e.json("POST", `/sessions/${id}/checkpoints/${undone.checkpoint_id}/restore`, {
    files: ["a.txt"],
  });
  expect([a(), existsSync(join(e.workspace, "new"))]).toEqual(["new\n", false]);
});

test("a file that changed since is named, and only force goes over it", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [edit("old", "new")] }, "done");
  await sendAnswering(e, id, "change it");
  writeFileSync(join(e.workspace, "a.txt"), "mine\n");
  const [checkpoint] = await checkpointsOf(id);
  const path = `/sessions/${id}/checkpoints/${checkpoint?.checkpoint_id}/restore`;
  const refused = await e.call("POST", path, { files: ["a.txt"] });
  expect([refused.status, (await bodyOf(refused)).detail.files]).toEqual([
    409,
    [{ path: "a.txt", reason: "changed_since", message: "It has changed since" }],
  ]);
  expect(a()).toBe("mine\n");
  await e.json("POST", path, { files: ["a.txt"], force: true });
  expect(a()).toBe("old\n");
});

test("while a turn is under way nothing is restored", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [edit("old", "new")] }, "done", { steps: [create("c.txt")] }, "done");
  await sendAnswering(e, id, "change it");
  const [checkpoint] = await checkpointsOf(id);
  const stream = await send(e, id, "make another");
  const { tool_id } = await stream.until("permission_request");
  const path = `/sessions/${id}/checkpoints/${checkpoint?.checkpoint_id}/restore`;
  expect((await e.call("POST", path)).status).toBe(409);
  await answer(e, id, tool_id);
  await stream.ended();
  expect((await e.call("POST", path)).status).toBe(200);
});

test("what does not exist is not found, and what is no request is refused", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [edit("old", "new")] }, "done");
  await sendAnswering(e, id, "change it");
  const [checkpoint] = await checkpointsOf(id);
  const path = `/sessions/${id}/checkpoints/${checkpoint?.checkpoint_id}`;
  const statuses = await Promise.all(
    [
      ["GET", "/sessions/none/checkpoints"],
      ["GET", `/sessions/${id}/checkpoints/none/diff`],
      ["GET", `${path}/diff?path=none.txt`],
      ["POST", `/sessions/${id}/checkpoints/none/restore`],
      ["POST", `${path}/restore`, { files: ["none.txt"] }],
      ["POST", `${path}/restore`, { files: "a.txt" }],
      ["POST", `${path}/restore`, { force: "yes" }],
    ].map(
      async ([method, where, body]) => (await e.call(String(method), String(where), body)).status,
    ),
  );
  expect(statuses).toEqual([404, 404, 404, 404, 404, 422, 422]);
  expect(a()).toBe("new\n");
});

test("with a session go the contents that were kept for it", async () => {
  const id = await fakeSession(e, fake);
  fake.reply({ steps: [edit("old", "new")] }, "done");
  await sendAnswering(e, id, "change it");
  const kept = join(e.home, ".kollab/engine/sessions", id);
  expect(existsSync(kept)).toBe(true);
  await e.json("DELETE", `/sessions/${id}`);
  expect(existsSync(kept)).toBe(false);
});

test("a turn that was killed right after it wrote a file is undone by the next engine", async () => {
  using folder = temporaryFolder();
  const home = join(realpathSync(folder.path), "home");
  const project = join(home, "project");
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "a.txt"), "old\n");
  const start = () => startEngineProcess({ home, cwd: project, env: { KOLLAB_NO_KEYRING: "1" } });
  const killed = await start();
  const client = {
    call: killed.call,
    json: killed.json,
    newSession: async (body = {}) => (await killed.json("POST", "/sessions", body)).session_id,
  };
  const id = await fakeSession(client, fake, { workspace: project });
  fake.reply({ steps: [edit("old", "new")] }, { fault: { kind: "stall", after: null } });
  const stream = await send(client, id, "change it");
  await answer(client, id, (await stream.until("permission_request")).tool_id);
  await stream.until("tool_result");
  killed.kill("SIGKILL");
  await killed.ended;
  await stream.ended().catch(() => {});
  expect(readFileSync(join(project, "a.txt"), "utf8")).toBe("new\n");

  const next = await start();
  try {
    const [checkpoint] = (await next.json("GET", `/sessions/${id}/checkpoints`)).checkpoints;
    const path = `/sessions/${id}/checkpoints/${checkpoint.checkpoint_id}/restore`;
    await next.json("POST", path, { files: ["a.txt"] });
    expect(readFileSync(join(project, "a.txt"), "utf8")).toBe("old\n");
  } finally {
    next.kill("SIGTERM");
    await next.ended;
  }
});
