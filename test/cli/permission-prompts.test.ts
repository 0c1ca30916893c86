import { expect, test } from "bun:test";
import type { ApiRequest, Client } from "../../src/cli/client.ts";
import { PermissionPrompts } from "../../src/cli/permission-prompts.ts";
import type { TerminalLines } from "../../src/cli/read-line.ts";
import { Screen } from "../../src/cli/screen.ts";
import { EngineError } from "../../src/domain/errors.ts";
import type { EngineEvent } from "../../src/domain/events.ts";
import { recordedOutput } from "../support/recorded-output.ts";

const ALWAYS = ["session", "project"].map((scope) => ({
  scope,
  keys: ["terminal:x"],
  covers: "x",
}));

const request = (id: string, command: string): EngineEvent =>
  ({
    type: "permission_request",
    tool_id: id,
    tool_name: "terminal",
    tool_type: "terminal",
    risk_level: "medium",
    risk_reason: "",
    parts: [],
    suggested_scopes: ALWAYS,
    diff: null,
    subagent: null,
    input: { command },
  }) as unknown as EngineEvent;

const about = (type: string, more: object): EngineEvent =>
  ({ type, ...more }) as unknown as EngineEvent;

/** Prompts of an engine where everything is pending, at a terminal where lines can be typed. */
function atTerminal(reply: object = { applied_scope: "once", persisted: false }) {
  const answers: unknown[] = [];
  const posted = Promise.withResolvers<void>();
  const client: Client = {
    async send({ method, body }: ApiRequest, signal) {
      signal.throwIfAborted();
      if (method === "GET") return Response.json({ pending: ["call_1", "sess_2/call_1"] });
      answers.push(body);
      posted.resolve();
      if (reply instanceof EngineError) throw reply;
      return Response.json({ ok: true, ...reply });
    },
    async close() {},
  };
  let asked = Promise.withResolvers<void>();
  let typed = Promise.withResolvers<string>();
  const lines: TerminalLines = {
    forgetTypedAhead() {},
    read(signal) {
      typed = Promise.withResolvers<string>();
      signal.addEventListener("abort", () => typed.reject(signal.reason), { once: true });
      asked.resolve();
      return typed.promise;
    },
  };
  const screen = recordedOutput();
  const prompts = new PermissionPrompts(client, "sess_1", new Screen(screen, screen), lines);
  return {
    prompts,
    answers,
    screen,
    /** Resolves when a question waits for its answer. */
    async question() {
      await asked.promise;
      asked = Promise.withResolvers();
    },
    type: (line: string) => typed.resolve(line),
    /** Resolves when an answer is on its way. */
    posted: posted.promise,
  };
}

test("several requests are asked about one after the other, each answered under its own id", async () => {
  const { prompts, answers, screen, question, type } = atTerminal();
  prompts.see(request("call_1", "one"));
  prompts.see(request("sess_2/call_1", "two"));
  prompts.see(request("call_1", "one"));
  await question();
  expect(screen.text).not.toContain("two");
  type("y");
  await question();
  expect(screen.text).toContain("Allow terminal (medium risk): two");
  type("n");
  await prompts.close();
  expect(answers).toEqual([
    { tool_id: "call_1", decision: "approve", scope: "once" },
    { tool_id: "sess_2/call_1", decision: "deny", scope: "once" },
  ]);
});

test("an answer elsewhere takes back that question alone, asked or not", async () => {
  const { prompts, answers, screen, question, type } = atTerminal();
  prompts.see(request("call_1", "one"));
  prompts.see(request("sess_2/call_1", "two"));
  await question();
  prompts.see(about("permission_granted", { tool_id: "call_1", scope: "once" }));
  await question();
  expect(screen.text).toContain("answered elsewhere");
  type("y");
  prompts.see(request("call_1", "three"));
  await question();
  prompts.see(about("permission_granted", { tool_id: "sess_2/call_1", scope: "once" }));
  prompts.see(request("sess_2/call_1", "never shown"));
  prompts.see(about("permission_denied", { tool_id: "sess_2/call_1", reason: "timeout" }));
  type("y");
  await prompts.close();
  expect(answers).toEqual([
    { tool_id: "sess_2/call_1", decision: "approve", scope: "once" },
    { tool_id: "call_1", decision: "approve", scope: "once" },
  ]);
  expect(screen.text).not.toContain("never shown");
});

test("the end of the turn takes back all questions", async () => {
  const { prompts, answers, screen, question } = atTerminal();
  prompts.see(request("call_1", "one"));
  prompts.see(request("sess_2/call_1", "two"));
  await question();
  prompts.see(about("turn_complete", { stop_reason: "end_turn" }));
  await prompts.close();
  expect(answers).toEqual([]);
  expect(screen.text).toContain("the turn is over");
  expect(screen.text).not.toContain("two");
});

const NARROWER: [string, object, string | null][] = [
  ["p", { applied_scope: "project", persisted: true }, null],
  ["p", { applied_scope: "session", persisted: false }, "remembered for this session only"],
  ["project", { applied_scope: "once", persisted: false }, "allowed for this call only"],
  ["always", { applied_scope: "session", persisted: false }, null],
  ["a", { applied_scope: "once", persisted: false }, "allowed for this call only"],
];
test.each(NARROWER)("%s that is applied as %j says so", async (answer, applied, said) => {
  const { prompts, answers, screen, question, type } = atTerminal(applied);
  prompts.see(request("call_1", "one"));
  await question();
  type(answer);
  await prompts.close();
  const scope = answer.startsWith("p") ? "project" : "session";
  expect(answers).toEqual([{ tool_id: "call_1", decision: "approve", scope }]);
  expect(screen.text.split("[p]roject ")[1]).toBe(said === null ? "" : `  ${said}\n`);
});

test("what is not offered is not sent", async () => {
  const { prompts, answers, screen, question, type } = atTerminal();
  prompts.see({ ...request("call_1", "one"), suggested_scopes: [] } as EngineEvent);
  await question();
  type("p");
  await question();
  expect(screen.text).toContain("That is not offered here: y allows this call only.");
  type("y");
  await prompts.close();
  expect(answers).toEqual([{ tool_id: "call_1", decision: "approve", scope: "once" }]);
});

test("an answer that comes too late is told", async () => {
  const { prompts, answers, screen, question, type, posted } = atTerminal(
    new EngineError("not_found", "No pending permission"),
  );
  prompts.see(request("call_1", "one"));
  await question();
  type("y");
  await posted;
  await prompts.close();
  expect(answers).toHaveLength(1);
  expect(screen.text).toEndWith("  answered elsewhere\n");
});
