/** A workspace with a place beside it and a home, for tests of tools that must not leave it. */
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { Tool, ToolResult } from "../../src/domain/tool.ts";
import { type TemporaryFolder, temporaryFolder } from "./temporary-folder.ts";

export type ToolFixture = Disposable & {
  /** Writes a file below the folder that holds `ws`, `out` and `home`. */
  write: TemporaryFolder["write"];
  path: string;
  workspace: string;
  outside: string;
  home: string;
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
  return {
    write: folder.write,
    path,
    workspace,
    outside,
    home,
    async run(tools, name, input, signal = new AbortController().signal) {
      const tool = tools.find((each) => each.name === name);
      if (!tool) throw new Error(`No tool ${name}`);
      const checked = tool.check(input);
      if (!checked.ok) return { ok: false, output: "", error: checked.error };
      return tool.run(checked.input, { workspace, signal, progress: () => {} });
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}
