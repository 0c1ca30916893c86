/** What a model is offered, by what its session says, and what becomes of calls of anything else. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { askedTurn } from "../support/asked-turn.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import type { Json } from "../support/sse.ts";
import { bodyOf, fakeSession, PROTOCOLS } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  e = await startEngine();
  writeFileSync(join(e.workspace, "a.txt"), "one\n");
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
});
afterEach(() => fake.stop());

const offeredTo = (request = fake.requests.at(-1)): string[] =>
  (request?.body.tools ?? []).map((tool: Json) => tool.function?.name ?? tool.name);
async function offered(more: Record<string, unknown> = {}): Promise<string[]> {
  await e.turn(await fakeSession(e, fake, more), "what can you do?");
  return offeredTo();
}

test("in every protocol the same tools are offered, sorted by canonical name", async () => {
  const [chat, ...others] = await Promise.all(PROTOCOLS.map((protocol) => offered({ protocol })));
  const canonical = (name: string) =>
    ({ file_mkdir: "directory", file_rmdir: "directory-remove" })[name] ??
    name.replaceAll("_", "-");
  expect(chat?.map(canonical)).toEqual(chat?.map(canonical).sort());
  expect(chat).toContainEqual("web_fetch");
  for (const each of others) expect(each).toEqual(chat as string[]);
});

test("a session's list of tools is what is offered, in either spelling; names that there are not add none", async () => {
  const tools = ["file-read", "grep", "hub_spawn", "git"];
  expect(await offered({ tools })).toEqual(["file_read", "grep"]);
  expect(await offered({ tools: [] })).toEqual([]);
  expect(await offered({ tools: null })).toContain("terminal");
});

test("without the network nothing is fetched, whatever the list of tools says", async () => {
  const sandbox = { network: "none" };
  const all = await offered();
  expect(await offered({ sandbox })).toEqual(all.filter((name) => name !== "web_fetch"));
  expect(await offered({ sandbox, tools: ["web_fetch", "glob"] })).toEqual(["glob"]);
  const refused = await e.call("POST", "/sessions", { sandbox: { network: "some" } });
  expect(refused.status).toBe(422);
  expect(JSON.stringify(await bodyOf(refused))).toContain("network");
});

test.each([
  ["a tool that the session leaves out", "terminal", { tools: ["file_read"] }],
  ["a fetch without the network", "web_fetch", { sandbox: { network: "none" } }],
  ["a tool that there is not", "no_such_tool", {}],
  ["one that only other programs have", "git", {}],
  ["a name out of an object's past", "constructor", {}],
])("%s is not found when it is called, in every mode, and asks nobody", async (_, call, more) => {
  for (const approval_mode of ["confirm_all", "trust_all"]) {
    const id = await fakeSession(e, fake, { approval_mode, ...more });
    const input = { command: "touch made", url: "http://192.168.7.7/", file: "a.txt" };
    const { prompts, results, seen } = await askedTurn(e, fake, id, [{ call, input }]);
    expect(prompts).toEqual([]);
    expect(results).toMatchObject([
      { tool_name: call, success: false, error: `Tool '${call}' not found` },
    ]);
    expect(seen.at(-1)?.event.type).toBe("turn_complete");
    expect(JSON.stringify(fake.requests.at(-1)?.body)).toContain(`Tool '${call}' not found`);
    const { stats } = await e.json("GET", `/sessions/${id}/permissions`);
    expect(stats.total_checks).toBe(0);
  }
});

test.each(["", " ", "<>", "a".repeat(500), "x\n\u001b[31m"])(
  "a call without a usable name (%j) is a result as well",
  async (call) => {
    const id = await fakeSession(e, fake, { approval_mode: "trust_all" });
    const { results, seen } = await askedTurn(e, fake, id, [{ call, input: {} }]);
    expect(results).toMatchObject([{ success: false, error: expect.stringMatching(/not found$/) }]);
    expect(seen.at(-1)?.event.type).toBe("turn_complete");
  },
);

test("a child session is offered no more than its parent", async () => {
  const more = { tools: ["subagent", "file_read"], sandbox: { network: "none" } };
  const id = await fakeSession(e, fake, { approval_mode: "trust_all", ...more });
  fake.reply(
    { steps: [{ call: "subagent", input: { task: "look", prompt: "look" } }] },
    { steps: [{ call: "terminal", input: { command: "touch made" } }] },
    "child done",
    "done",
  );
  await e.turn(id, "go");
  const [parent, child, ...later] = fake.requests.map((request) => offeredTo(request));
  expect(parent).toEqual(["file_read", "subagent"]);
  expect(child).toEqual(["file_read", "subagent"]);
  expect(later).toHaveLength(2);
  expect(JSON.stringify(fake.requests[2]?.body)).toContain("Tool 'terminal' not found");
});

test("what is offered stays with the session over a restart", async () => {
  const id = await fakeSession(e, fake, { tools: ["glob"], sandbox: { network: "none" } });
  await e.restart();
  expect(await e.json("GET", `/sessions/${id}`)).toMatchObject({ sandbox: { network: "none" } });
  const credentials = {
    provider: "custom",
    api_key: "sk-test-0123456789abcdefghijkl",
    model: "fake-model",
    base_url: fake.baseUrl("chat"),
  };
  await e.json("PATCH", `/sessions/${id}`, { credentials });
  await e.turn(id, "and now?");
  expect(offeredTo()).toEqual(["glob"]);
});
