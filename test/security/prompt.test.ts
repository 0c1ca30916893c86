/** What a person is shown before a yes is what runs. */
import { expect, test } from "bun:test";
import type { Client } from "../../src/cli/client.ts";
import type { Output } from "../../src/cli/output.ts";
import { PermissionPrompts } from "../../src/cli/permission-prompts.ts";
import { Screen } from "../../src/cli/screen.ts";
import type { EngineEvent } from "../../src/domain/events.ts";

async function shownFor(input: Record<string, unknown>): Promise<string> {
  let shown = "";
  const out: Output = {
    isTerminal: true,
    hasColors: false,
    columns: 100,
    async write(text) {
      shown += text;
    },
  };
  const answered = Promise.withResolvers<void>();
  const client: Client = {
    async send({ method }) {
      if (method === "POST") answered.resolve();
      return Response.json({ pending: ["t"] });
    },
    async close() {},
  };
  const prompts = new PermissionPrompts(client, "s", new Screen(out, out), {
    forgetTypedAhead() {},
    read: async () => "n",
  });
  prompts.see({
    type: "permission_request",
    tool_id: "t",
    tool_name: "terminal",
    tool_type: "terminal",
    input,
    risk_level: "medium",
    risk_reason: "",
    parts: [],
    suggested_scopes: [],
    diff: null,
    subagent: null,
    session_id: "s",
    ts: 0,
  } as unknown as EngineEvent);
  await answered.promise;
  await prompts.close();
  return shown;
}

test("fields that the tool does not have cannot push the command out of sight", async () => {
  const shown = await shownFor({
    "command: npm test\ncomment": "x".repeat(5_000),
    command: "rm -rf ./src",
  });
  expect(shown).toContain("rm -rf ./src");
});

test("a command too long to be shown whole shows its end, too", async () => {
  expect(await shownFor({ command: `echo ${"a".repeat(5_000)}; touch evil` })).toContain(
    "touch evil",
  );
});

test("characters that cannot be seen are made visible", async () => {
  for (const hidden of ["\u200b", "\u200e", "\u2028", "\ufeff", "\u{e0041}"])
    expect(await shownFor({ command: `ls${hidden}x` })).not.toContain(hidden);
});
