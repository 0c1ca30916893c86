/** A workspace with a place beside it and a home, for tests of tools that must not leave it. */
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { FileChange } from "../../src/domain/file-change.ts";
import type { SessionId, ToolCallId } from "../../src/domain/ids.ts";
import type { TodoItem } from "../../src/domain/todo.ts";
import type { Tool, ToolContext, ToolResult } from "../../src/domain/tool.ts";
import { type TemporaryFolder, temporaryFolder } from "./temporary-folder.ts";

export type ToolFixture = Disposable & {
  /** Writes a file below the folder that holds `ws`, `out` and `home`. */
  write: TemporaryFolder["write"];
  path: string;
  workspace: string;
  outside: string;
  home: string;
  /** The session's private folder, made when something is first put there. */
  outputs: string;
  /** What tools said they were about to change, in order. */
  changed: FileChange[];
  /** What tools showed while they ran. */
  shown: string[];
  /** As the engine gives it to a tool. */
  context(more?: Partial<ToolContext>): ToolContext;
  /** Checks the input as the engine does, then runs the tool. */
  run(
    tools: Tool[],
    name: string,
    input: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<ToolResult>;
};

export function toolFixture(): ToolFixture {
  const folder = temporaryFolder();
  const path = realpathSync(folder.path);
  const [workspace, outside, home] = [join(path, "ws"), join(path, "out"), join(path, "home")];
  for (const directory of [workspace, outside, home]) mkdirSync(directory);
  const outputs = join(path, "outputs");
  const changed: FileChange[] = [];
  const shown: string[] = [];
  let todo: readonly TodoItem[] = [];
  let scratchpad = "";
  const context = (more: Partial<ToolContext> = {}): ToolContext => ({
    callId: "call_1" as ToolCallId,
    workspace,
    closedPaths: [],
    signal: new AbortController().signal,
    progress: (chunk) => void shown.push(chunk),
    sees: false,
    session: {
      id: "sess_test" as SessionId,
      outputs,
      todo: () => todo,
      setTodo(items) {
        todo = items;
      },
      scratchpad: () => scratchpad,
      setScratchpad(text) {
        scratchpad = text;
      },
      async runSubagent({ prompt }) {
        return { ok: true, output: prompt };
      },
      async changing(changes) {
        changed.push(...changes);
      },
    },
    ...more,
  });
  return {
    write: folder.write,
    path,
    workspace,
    outside,
    home,
    outputs,
    changed,
    shown,
    context,
    async run(tools, name, input, signal = new AbortController().signal) {
      const tool = tools.find((each) => each.name === name);
      if (!tool) throw new Error(`No tool ${name}`);
      const checked = tool.check(input);
      if (!checked.ok) return { ok: false, output: "", error: checked.error };
      return tool.run(checked.input, context({ signal }));
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}
