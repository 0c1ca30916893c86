/**
 * The process that searches: takes a job from its environment, prints the answer, ends. A process of its
 * own, since nothing else can stop a regular expression that does not end.
 */

import { errorCode } from "../../lib/error-code.ts";
import { ToolFailure } from "../failure.ts";
import { fileGrep } from "./file-grep.ts";
import { globFiles } from "./glob-files.ts";
import { grep } from "./grep.ts";
import { type Answer, JOB_VARIABLE, type Job } from "./job.ts";
import { listTree } from "./list.ts";

await Bun.write(Bun.stdout, JSON.stringify(answer(process.env[JOB_VARIABLE] ?? "")));

function answer(text: string): Answer {
  try {
    return run(JSON.parse(text) as Job);
  } catch (error) {
    if (error instanceof ToolFailure) return { ok: false, error: error.message };
    const code = errorCode(error);
    if (code === "") throw error;
    return { ok: false, error: `The path cannot be read: ${code}` };
  }
}

function run(job: Job): Answer {
  switch (job.kind) {
    case "grep":
      return grep(job);
    case "file_grep":
      return fileGrep(job);
    case "glob":
      return globFiles(job);
    case "list":
      return listTree(job);
    default:
      return job satisfies never;
  }
}
