/** The tools that search, in a workspace of their own. */

import { join } from "node:path";
import type { ToolResult } from "../../src/domain/tool.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { grep } from "../../src/tools/search/grep.ts";
import type { GrepJob } from "../../src/tools/search/job.ts";
import { searchTools } from "../../src/tools/search.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { type ToolFixture, toolFixture } from "./tool-fixture.ts";

/** A busy machine takes its time, and then what was found until then would be the answer. */
const PATIENT_MS = 60_000;

const FILES_WITH_A_HIT: GrepJob = {
  kind: "grep",
  pattern: "hit",
  literal: false,
  caseInsensitive: false,
  multiline: false,
  glob: null,
  type: null,
  mode: "files",
  before: 0,
  after: 0,
  limit: 1000,
};

export type SearchBench = AsyncDisposable &
  Omit<ToolFixture, "run" | typeof Symbol.dispose> & {
    run(name: string, input: Record<string, unknown>, signal?: AbortSignal): Promise<ToolResult>;
    /** Paths of files with a `hit`, in order; without a process of its own, which costs most of the time. */
    files(job?: Partial<GrepJob> & { path?: string }): string[];
  };

/** Of files that are only named, each has one line, `hit`. */
export function searchBench(
  files: Record<string, string> | string[] = {},
  timeoutMs = PATIENT_MS,
): SearchBench {
  const fixture = toolFixture();
  const guard = new ProcessGuard();
  const tools = searchTools({ areaOf: areaOf({ home: fixture.home }), guard, timeoutMs });
  const named = Array.isArray(files) ? files.map((name) => [name, "hit\n"]) : Object.entries(files);
  for (const [name, content] of named) fixture.write(`ws/${name}`, content ?? "");
  const run: SearchBench["run"] = (name, input, signal) => fixture.run(tools, name, input, signal);
  return {
    ...fixture,
    run,
    files({ path = "", ...job } = {}) {
      const { workspace } = fixture;
      const place = { root: join(workspace, path), asked: path, base: workspace, prefix: "" };
      const deadline = Number.POSITIVE_INFINITY;
      const ruledOut = { patterns: [], workspace, home: fixture.home };
      const answer = grep({
        ...FILES_WITH_A_HIT,
        ...place,
        closed: [],
        ruledOut,
        deadline,
        ...job,
      });
      if (!answer.ok) throw new Error(answer.error);
      return answer.text.split("\n").slice(0, -1).filter(Boolean);
    },
    async [Symbol.asyncDispose]() {
      await guard.close();
      fixture[Symbol.dispose]();
    },
  };
}
