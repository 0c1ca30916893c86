/** Bad input of every tool that a model is offered: a failed result that says what to do, never the turn's end. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { askedTurn, DENY } from "../support/asked-turn.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import type { Json } from "../support/sse.ts";
import { fakeSession, historyOf, unansweredCalls } from "../support/turns.ts";

/** The schemas of what a model is offered. */
const offered = new Map<string, Json>();
let e: TestEngine;
let fake: FakeProvider;
let workspace: string;
let workspaces = 0;
beforeAll(async () => {
  e = await startEngine({ files: { "outside.txt": "one\n" } });
  const model = await startFakeProvider();
  await e.turn(await fakeSession(e, model), "what can you do?");
  for (const { function: tool } of model.requests[0]?.body.tools ?? [])
    offered.set(tool.name, tool.parameters);
  await model.stop();
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
  workspaces += 1;
  workspace = join(dirname(e.workspace), `workspace-${workspaces}`);
  mkdirSync(join(workspace, "folder"), { recursive: true });
  writeFileSync(join(workspace, "a.txt"), "one\ntwo\n");
});
afterEach(() => fake.stop());

type Input = Record<string, unknown>;
const text = { file: "a.txt", content: "x" };
const FITTING: Record<string, Input> = {
  apply_patch: { patch: "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+1\n" },
  file_append: text,
  file_copy: { from: "a.txt", to: "b.txt" },
  file_copy_overwrite: { from: "a.txt", to: "b.txt" },
  file_create: { file: "new.txt", content: "x" },
  file_create_overwrite: text,
  file_delete: { file: "a.txt" },
  file_edit: { file: "a.txt", find: "one", replace: "1" },
  file_grep: { file: "a.txt", pattern: "one" },
  file_insert_after: { ...text, pattern: "one" },
  file_insert_before: { ...text, pattern: "one" },
  file_list: { path: "." },
  file_mkdir: { path: "made" },
  file_move: { from: "a.txt", to: "b.txt" },
  file_read: { file: "a.txt" },
  file_rmdir: { path: "folder" },
  glob: { pattern: "*" },
  grep: { pattern: "one" },
  scratchpad: { content: "x" },
  scratchpad_append: { content: "x" },
  scratchpad_clear: {},
  scratchpad_get: {},
  subagent: { task: "a task", prompt: "do it" },
  terminal: { command: "true" },
  terminal_kill: { name: "none" },
  terminal_output: { name: "none" },
  terminal_status: { name: "none" },
  todo: { items: [] },
  web_fetch: { url: "http://192.168.7.7/" },
};
const NAMES = Object.keys(FITTING);

test("every tool that is offered is tried here", async () => {
  expect([...offered.keys()].sort()).toEqual(NAMES);
});

/** `says`: what the error must say. */
type BadCall = { what: string; input: Input | string; says: string };

/** Values of another type than the schema's, which nobody could mean for one of it. */
const WRONG: Record<string, unknown[]> = {
  string: [5, true, {}, ["a.txt"]],
  integer: ["five", 1.5, {}, [], true, ""],
  number: ["five", {}, []],
  boolean: ["maybe", 5, {}, []],
  array: ["text", 5, {}, '{"a":1}'],
};

function badTypes(name: string, parameters: Json): BadCall[] {
  const { properties, required = [] } = parameters;
  const fitting = FITTING[name] ?? {};
  const missing = required.flatMap((parameter: string) => {
    const { [parameter]: _, ...rest } = fitting;
    const says = `Missing required parameter '${parameter}'`;
    return [
      { what: `without ${parameter}`, input: rest, says },
      { what: `${parameter} misspelt`, input: { ...rest, [`${parameter}s`]: "a.txt" }, says },
      {
        what: `${parameter}: null`,
        input: { ...fitting, [parameter]: null },
        says: `'${parameter}'`,
      },
    ];
  });
  const wrong = Object.entries<Json>(properties).flatMap(([parameter, schema]) =>
    [...(WRONG[schema.type] ?? []), ...(schema.enum ? ["no such choice"] : [])].map((value) => ({
      what: `${parameter}: ${JSON.stringify(value)}`,
      input: { ...fitting, [parameter]: value },
      says: `Parameter '${parameter}'`,
    })),
  );
  return [...missing, ...wrong];
}

const NO_OBJECT = [
  '{"file": "a.txt',
  "[]",
  '["a.txt"]',
  '"a.txt"',
  "5",
  "true",
  "{'file': 'a'}",
  "\0",
].map((input): BadCall => ({ what: `arguments ${input}`, input, says: "JSON object" }));
const TOO_DEEP: BadCall = {
  what: "arguments without end",
  input: `{"file":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
  says: "levels deep",
};

test.each(NAMES)("%s: input of another form is refused before anybody is asked", async (name) => {
  const parameters = offered.get(name);
  const calls = [...badTypes(name, parameters), ...NO_OBJECT, TOO_DEEP];
  const id = await fakeSession(e, fake, { workspace });
  const results = await resultsOf(id, name, calls);
  for (const [at, { what, says }] of calls.entries()) {
    const { success, error, output } = results[at];
    expect({ what, success, error }).toEqual({
      what,
      success: false,
      error: expect.stringContaining(says),
    });
    expectReadable(what, error, output);
  }
  expect((await e.json("GET", `/sessions/${id}/permissions`)).stats.total_checks).toBe(0);
});

const PATHS = new Set(["file", "path", "from", "to", "cwd"]);
/** A new file may be called that. */
const ODD_NAME = "none\nof these\u001b[31m";
const LONG = "x".repeat(50_000);

/** Fitting in form: paths that lead nowhere or outside must fail; of the rest some are meant. */
function badValues(name: string, parameters: Json): (BadCall & { mustFail: boolean })[] {
  const fitting = FITTING[name] ?? {};
  return Object.entries<Json>(parameters.properties).flatMap(([parameter, schema]) => {
    const isPath = PATHS.has(parameter);
    const values = isPath ? badPaths() : (ABSURD[schema.type] ?? []);
    return values.map((value) => ({
      what: `${parameter}: ${JSON.stringify(value).slice(0, 60)}`,
      input: { ...fitting, [parameter]: value },
      says: "",
      mustFail: isPath && value !== ODD_NAME,
    }));
  });
}

const badPaths = (): unknown[] => [
  ...[
    "",
    "\0",
    "a\0b",
    "..",
    "../a.txt",
    "folder/../../a.txt",
    "/etc/passwd",
    "/",
    "~",
    "~/outside.txt",
  ],
  ...[join(e.home, "outside.txt"), join(e.home, ".kollab/engine.token"), "/proc/self/environ"],
  ...["a.txt/b", LONG, `${"y/".repeat(3_000)}z`, ODD_NAME],
];
const ABSURD: Record<string, unknown[]> = {
  string: ["", `((((\0\ud800${LONG}`],
  integer: [-1, 1e300],
  array: [[{}], [null], ["x"], [[[]]], Array.from({ length: 5_000 }, () => ({})), '["x"]'],
};

test.each(NAMES)(
  "%s: values that make no sense end in a result, and the turn goes on",
  async (name) => {
    const calls = badValues(name, offered.get(name));
    const id = await fakeSession(e, fake, { workspace, approval_mode: "trust_all" });
    const results = await resultsOf(id, name, calls);
    for (const [at, { what, mustFail }] of calls.entries()) {
      const { success, error, output } = results[at];
      if (mustFail) expect({ what, success }).toEqual({ what, success: false });
      if (!success) expectReadable(what, error, output);
    }
    expect(readFileSync(join(e.home, "outside.txt"), "utf8")).toBe("one\n");
    expect(readdirSync(e.home).sort()).toEqual([".kollab", "outside.txt"]);
  },
  20_000,
);

/** Every call is answered in order, and the turn ends as it should. */
async function resultsOf(id: string, name: string, calls: readonly BadCall[]): Promise<Json[]> {
  const steps = calls.map(({ input }) => ({ call: name, input }));
  const { prompts, results, seen } = await askedTurn(e, fake, id, steps, DENY);
  expect(prompts).toEqual([]);
  expect(results).toHaveLength(calls.length);
  expect(seen.at(-1)?.event.type).toBe("turn_complete");
  expect(unansweredCalls(await historyOf(e, id))).toEqual([]);
  return results;
}

/** A line or a few for the model, and no trace of a program that fell over. */
function expectReadable(what: string, error: string, output: string): void {
  expect({ what, isEmpty: error.trim() === "" }).toEqual({ what, isEmpty: false });
  for (const said of [error, output]) {
    expect({ what, said }).not.toEqual({
      what,
      said: expect.stringMatching(
        /TypeError|RangeError|ReferenceError|is not a function|Cannot read prop|undefined|\[object |\bE[A-Z]{3,}:|\.ts:\d|NaN/,
      ),
    });
  }
}

/** The error for such a value of the parameter. */
async function errorFor(name: string, parameter: string, value: string): Promise<string> {
  const id = await fakeSession(e, fake, { workspace, approval_mode: "trust_all" });
  const input = { ...FITTING[name], [parameter]: value };
  const [{ success, error }] = await resultsOf(id, name, [{ what: "", input, says: "" }]);
  expect(success).toBe(false);
  return error;
}

const UP = `${"../".repeat(15_000)}etc`;
const QUOTED: [name: string, parameter: string, value: string][] = [
  ["file_read", "file", LONG],
  ["file_read", "file", UP],
  ["file_mkdir", "path", LONG],
  ["file_move", "to", UP],
  ["grep", "path", LONG],
  ["grep", "type", LONG],
  ["web_fetch", "url", LONG],
  ["web_fetch", "url", `http://${"x".repeat(3_000)}.localhost/`],
  ["terminal_kill", "name", LONG],
  ["terminal_output", "name", LONG],
  ["terminal_status", "name", LONG],
  ["apply_patch", "patch", `--- a/${UP}\n+++ b/${UP}\n@@ -1 +1 @@\n-one\n+1\n`],
  ["apply_patch", "patch", `*** Begin Patch\n*** Update File: ${LONG}\n*** End Patch\n`],
  ["apply_patch", "patch", `*** Begin Patch\n${LONG}\n*** End Patch\n`],
];
test.each(QUOTED)("%s: the error for %s of any length is short", async (name, parameter, value) => {
  expect((await errorFor(name, parameter, value)).length).toBeLessThan(1_000);
});

const MISLEADING = "a\u202eb\u001b[2Jc\nd";
const QUOTED_AS_ONE_LINE: [name: string, parameter: string, value: string][] = [
  ["file_read", "file", MISLEADING],
  ["file_delete", "file", MISLEADING],
  ["file_edit", "file", MISLEADING],
  ["file_copy", "from", MISLEADING],
  ["file_rmdir", "path", MISLEADING],
  ["grep", "path", MISLEADING],
  ["grep", "type", MISLEADING],
  ["terminal", "cwd", MISLEADING],
  ["terminal_status", "name", MISLEADING],
  ["apply_patch", "patch", "*** Begin Patch\n\u202e\u001b[2J\n*** End Patch\n"],
];
test.each(QUOTED_AS_ONE_LINE)(
  "%s: the error for %s is one line that shows what would mislead as '?'",
  async (name, parameter, value) => {
    const error = await errorFor(name, parameter, value);
    expect(error).toContain("?");
    expect(error).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  },
);

test("arguments that are no JSON, and the name of no tool, are quoted in short", async () => {
  const id = await fakeSession(e, fake, { workspace });
  const cut = { what: "", input: `{"file": "\u202e${LONG}`, says: "" };
  const [noJson] = await resultsOf(id, "file_read", [cut]);
  expect(noJson.error).toStartWith(
    'The arguments are no JSON object of at most 1 MiB: {"file": "?xxx',
  );
  expect(noJson.error.length).toBeLessThan(200);
  const [noTool] = await resultsOf(id, "y".repeat(5_000), [{ what: "", input: {}, says: "" }]);
  expect(noTool.error).toMatch(/^Tool 'y{50,110}…' not found$/);
});

test("arguments of more than a megabyte are refused with their beginning, and the next turn works", async () => {
  const id = await fakeSession(e, fake, { workspace });
  const input = { file: "big.txt", content: "x".repeat(1_100_000) };
  const [result] = await resultsOf(id, "file_create", [{ what: "", input, says: "" }]);
  expect(result).toMatchObject({ success: false });
  expect(result.error).toContain("more than 1048576 characters");
  expect(result.error.length).toBeLessThan(400);
  fake.reply("still here");
  expect((await e.turn(id, "hello?")).at(-1)?.event.type).toBe("turn_complete");
});
