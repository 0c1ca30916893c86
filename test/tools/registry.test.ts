import { afterAll, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { BackgroundCommands } from "../../src/tools/background-commands.ts";
import { builtInTools, cleanToolName, nativeName } from "../../src/tools/registry.ts";
import { toolFixture } from "../support/tool-fixture.ts";

const guard = new ProcessGuard();
const background = new BackgroundCommands({ guard });
afterAll(async () => {
  await background.close();
  await guard.close();
});

const toolsWith = (env: Record<string, string>) =>
  builtInTools({ env, guard, background, version: "1", home: "/nowhere" });

test("the built-in tools are sorted by name and say what they are", () => {
  const tools = toolsWith({ HOME: "/nowhere" });
  expect(tools.map(({ name, type, risk }) => [name, type, risk])).toEqual([
    ["apply_patch", "apply_patch", "medium"],
    ["file_mkdir", "file_mkdir", "low"],
    ["file_rmdir", "file_rmdir", "medium"],
    ["file_append", "file_append", "low"],
    ["file_copy", "file_copy", "low"],
    ["file_copy_overwrite", "file_copy_overwrite", "medium"],
    ["file_create", "file_create", "medium"],
    ["file_create_overwrite", "file_create_overwrite", "medium"],
    ["file_delete", "file_delete", "high"],
    ["file_edit", "file_edit", "medium"],
    ["file_grep", "file_grep", "low"],
    ["file_insert_after", "file_insert_after", "medium"],
    ["file_insert_before", "file_insert_before", "medium"],
    ["file_list", "file_list", "low"],
    ["file_move", "file_move", "medium"],
    ["file_read", "file_read", "low"],
    ["glob", "search", "low"],
    ["grep", "search", "low"],
    ["scratchpad", "scratchpad", "low"],
    ["scratchpad_append", "scratchpad_append", "low"],
    ["scratchpad_clear", "scratchpad_clear", "low"],
    ["scratchpad_get", "scratchpad_get", "low"],
    ["subagent", "subagent", "low"],
    ["terminal", "terminal", "high"],
    ["terminal_kill", "terminal_kill", "medium"],
    ["terminal_output", "terminal_output", "low"],
    ["terminal_status", "terminal_status", "low"],
    ["todo", "todo", "low"],
    ["web_fetch", "web_fetch", "medium"],
  ]);
  for (const { parameters, description } of tools) {
    expect(JSON.parse(JSON.stringify(parameters))).toMatchObject({ type: "object" });
    expect(description.length).toBeGreaterThan(40);
  }
});

test("commands get the engine's environment without its secrets", async () => {
  using fixture = toolFixture();
  const tools = toolsWith({
    PATH: "/usr/bin:/bin",
    HOME: fixture.home,
    MY_API_KEY: "s",
    KEPT: "k",
  });
  const { output } = await fixture.run(tools, "terminal", { command: "env" });
  expect(output).toContain("KEPT=k");
  expect(output).not.toContain("MY_API_KEY");
});

test("commands run in the user's shell, and in /bin/sh where that is none", async () => {
  using fixture = toolFixture();
  const shell = fixture.write("shell", '#!/bin/sh\necho "mine: $2"\n');
  chmodSync(shell, 0o755);
  const outputOf = async (SHELL: string) => {
    const tools = toolsWith({ PATH: "/usr/bin:/bin", HOME: fixture.home, SHELL });
    return (await fixture.run(tools, "terminal", { command: "echo sh" })).output;
  };
  expect(await outputOf(shell)).toBe("mine: echo sh\n");
  for (const none of ["", "sh", "/no/such/shell", "/usr/sbin/nologin", "/bin/false"])
    expect(await outputOf(none)).toBe("sh\n");
});

test("no tool reaches what is closed to all", async () => {
  using fixture = toolFixture();
  fixture.write("ws/data/secret", "s");
  fixture.write("ws/.kollab/engine.token", "s");
  const closed = [join(fixture.workspace, "data")];
  const tools = builtInTools({
    env: {},
    guard,
    background,
    version: "1",
    home: fixture.workspace,
    closed,
  });
  for (const file of ["data/secret", ".kollab/engine.token"])
    expect((await fixture.run(tools, "file_read", { file })).error).toBe(
      `Access is not allowed: ${file}`,
    );
  expect((await fixture.run(tools, "terminal", { command: "ls", cwd: "data" })).error).toBe(
    "Access is not allowed: data",
  );
});

test("a tool's canonical name leads to the one that models know", () => {
  expect(
    ["file-read", "directory", "directory-remove", "file_edit", "grep"].map(nativeName),
  ).toEqual(["file_read", "file_mkdir", "file_rmdir", "file_edit", "grep"]);
});

test("a name that is spelled otherwise leads to the tool that is meant", () => {
  const known = ["file_read", "terminal", "Odd.Name"];
  expect(
    ["file-read", "Terminal", "functions.terminal", "Odd.Name", "odd.name", "nothing"].map((name) =>
      cleanToolName(name, known),
    ),
  ).toEqual(["file_read", "terminal", "terminal", "Odd.Name", "odd.name", "nothing"]);
});

test("a tool name is taken out of the tags around it", () => {
  const known = ["file_read", "file_read_all", "terminal"];
  const cleaned = [
    "terminal",
    "unknown",
    "<tool_call>terminal",
    "<tool_call> file_read </tool_call>",
    "<tool_call>made_up<arg>",
    "<function=file_read_all>",
    "terminal<|channel|>commentary",
    "<what>",
    "<tool_call><",
  ].map((name) => cleanToolName(name, known));
  expect(cleaned).toEqual([
    "terminal",
    "unknown",
    "terminal",
    "file_read",
    "made_up",
    "file_read_all",
    "terminal",
    "<what>",
    "<tool_call><",
  ]);
});
