/** What a model gets of long outputs and of images, in the requests that it is sent. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { askedTurn, DENY, terminal } from "../support/asked-turn.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import type { Json } from "../support/sse.ts";
import { fakeSession, PROTOCOLS } from "../support/turns.ts";

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const SEES = { chat: "gpt-4o", responses: "gpt-4o", messages: "claude-sonnet-4-5" } as const;
const BLIND = "gpt-oss";
const LINES = 30_000;

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  e = await startEngine();
  writeFileSync(join(e.workspace, "pixel.png"), Buffer.from(PNG, "base64"));
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
});
afterEach(() => fake.stop());

const read = (file: string, more: object = {}) => ({ call: "file_read", input: { file, ...more } });
const newSession = (more: object = {}) =>
  fakeSession(e, fake, { approval_mode: "trust_all", ...more });

/** A command with a long output; returns the result and the file that it names. */
async function longOutput(id: string): Promise<{ output: string; path: string }> {
  const { results } = await askedTurn(e, fake, id, [terminal(`seq ${LINES}`)]);
  const { output } = results[0];
  const path = /(\/\S+\.txt)/.exec(output)?.[1] ?? "";
  return { output, path };
}

test("a long output is cut for the model, and the whole is read by parts in its session", async () => {
  const id = await newSession();
  const { output, path } = await longOutput(id);
  expect(output.length).toBeLessThan(90_000);
  expect([output.startsWith("1\n2\n3\n"), output.includes(`\n${LINES}\n`)]).toEqual([true, true]);
  const sent = fake.requests.at(-1)?.body.messages.at(-1).content;
  expect(sent).toBe(output);
  expect(path.startsWith(join(e.home, ".kollab/engine"))).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);

  const { results } = await askedTurn(e, fake, id, [
    read(path, { offset: 14_999, limit: 2 }),
    read(path, { offset: LINES - 1, limit: 5 }),
    { call: "grep", input: { pattern: "^17777$", path } },
    { call: "file_grep", input: { file: path, pattern: "^17777$" } },
  ]);
  expect(results.map(({ success }) => success)).toEqual([true, true, true, true]);
  expect(results[0].output).toEndWith("\n\n15000\n15001");
  expect(results[1].output).toContain(`\n${LINES}\n`);
  for (const { output: found } of results.slice(2)) expect(found).toContain("17777");
});

test("the kept outputs of a session are closed to every other session, and are not written by tools", async () => {
  const [id, other] = [await newSession(), await newSession()];
  const { path } = await longOutput(id);
  const { results } = await askedTurn(e, fake, other, [
    read(path),
    read(dirname(path)),
    { call: "grep", input: { pattern: "1", path } },
    { call: "file_list", input: { path: dirname(path) } },
    { call: "file_copy", input: { from: path, to: "stolen.txt" } },
    { call: "terminal", input: { command: "true", cwd: dirname(path) } },
  ]);
  expect(results.map(({ success }) => success)).toEqual(results.map(() => false));
  expect(existsSync(join(e.workspace, "stolen.txt"))).toBe(false);

  const own = await askedTurn(e, fake, id, [
    { call: "file_append", input: { file: path, content: "x" } },
    { call: "file_delete", input: { file: path } },
    { call: "file_move", input: { from: path, to: "moved.txt" } },
    { call: "file_create", input: { file: join(dirname(path), "new.txt"), content: "x" } },
    read(join(dirname(path), "../files")),
    read(join(e.home, ".kollab/engine.token")),
  ]);
  expect(own.results.map(({ success }) => success)).toEqual(own.results.map(() => false));
  expect(statSync(path).size).toBeGreaterThan(100_000);
  await e.json("DELETE", `/sessions/${id}`);
  expect(existsSync(path)).toBe(false);
});

test("reading a kept output is asked about like any other file", async () => {
  const id = await newSession();
  const { path } = await longOutput(id);
  await e.json("POST", `/sessions/${id}/permissions/mode`, { mode: "confirm_all" });
  const { prompts, results } = await askedTurn(e, fake, id, [read(path)], DENY);
  expect(prompts).toHaveLength(1);
  expect(results[0].error).toBe("User denied");
});

/** Every image in a request, wherever a protocol puts it. */
function imagesIn(value: Json): string[] {
  if (typeof value !== "object" || value === null) return [];
  if (value.type === "image_url") return [value.image_url.url];
  if (value.type === "input_image") return [value.image_url];
  if (value.type === "image")
    return [`data:${value.source.media_type};base64,${value.source.data}`];
  return Object.values(value).flatMap(imagesIn);
}

for (const protocol of PROTOCOLS) {
  test(`a model that sees gets the image that it reads (${protocol})`, async () => {
    const id = await newSession({ protocol, model: SEES[protocol] });
    const calls = [read("pixel.png"), terminal("echo after")];
    const { results } = await askedTurn(e, fake, id, calls);
    expect(results.map(({ success }) => success)).toEqual([true, true]);
    expect(results[0].output).toContain("image/png, 1×1 pixels");
    expect(JSON.stringify(results)).not.toContain(PNG);
    const body = fake.requests.at(-1)?.body;
    expect(imagesIn(body)).toEqual([`data:image/png;base64,${PNG}`]);
    expect(JSON.stringify(body).split(PNG)).toHaveLength(2);

    // It is part of the conversation.
    await e.turn(id, "and now?");
    expect(imagesIn(fake.requests.at(-1)?.body)).toHaveLength(1);
  });

  test(`a model that sees nothing is told so in place of the image (${protocol})`, async () => {
    const id = await newSession({ protocol, model: BLIND });
    const { results } = await askedTurn(e, fake, id, [read("pixel.png")]);
    expect(results[0].success).toBe(false);
    expect(results[0].error).toEndWith("and this model cannot see images");
    const body = JSON.stringify(fake.requests.at(-1)?.body);
    expect(body).not.toContain(PNG);
    expect(body).toContain("this model cannot see images");
  });
}
