/** The tools that find things: by content, by name, as a tree. */
import { realpath } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { Type as t } from "@sinclair/typebox";
import { defineTool, type Tool, type ToolContext } from "../domain/tool.ts";
import { errorCode } from "../lib/error-code.ts";
import type { ProcessGuard } from "../lib/process-guard.ts";
import { answering, ToolFailure } from "./failure.ts";
import {
  CONTEXT_LINES_MAX,
  type FileGrepJob,
  GLOB_PATHS_MAX,
  type GlobJob,
  GREP_LIMIT_DEFAULT,
  GREP_LIMIT_MAX,
  type GrepJob,
  LIST_DEPTH_MAX,
  type ListJob,
  type Place,
} from "./search/job.ts";
import { runJob } from "./search-run.ts";
import { type AreaOf, insideWorkspace } from "./workspace.ts";

export type SearchOptions = {
  areaOf: AreaOf;
  /** Ends a search that the engine can no longer end itself. */
  guard: ProcessGuard;
  /** When a search is ended that does not end. Default: 5 s. */
  timeoutMs?: number;
};

export const searchTools = (options: SearchOptions): Tool[] => [
  fileGrep(options),
  fileList(options),
  glob(options),
  grep(options),
];

const pathParameter = t.Optional(
  t.String({ description: "Where to look: a file or directory; default: the workspace" }),
);
/** What looks like files there is the system itself, should the workspace be all of it. */
const SYSTEM_DIRECTORIES = ["/proc", "/sys", "/dev"];

const subject = ({ path = "." }: { path?: string }) => ({ paths: [path] });

const grep = (options: SearchOptions): Tool =>
  defineTool({
    name: "grep",
    type: "search",
    risk: "low",
    description:
      "Search the contents of files with a regular expression, line by line. Leaves out what " +
      ".gitignore names, hidden files and binary files, unless path names them.",
    parameters: t.Object({
      pattern: t.String({ description: "Regular expression, for example function\\s+\\w+" }),
      path: pathParameter,
      glob: t.Optional(
        t.String({ description: "Only files that match, for example *.ts or src/**/*.{ts,tsx}" }),
      ),
      type: t.Optional(
        t.String({
          description: "Only files of this type, for example ts, py, rust, go, md, json",
        }),
      ),
      case_insensitive: t.Optional(t.Boolean({ description: "Default: false" })),
      literal: t.Optional(
        t.Boolean({ description: "pattern is plain text, no regular expression; default: false" }),
      ),
      context: t.Optional(t.Integer({ description: "Lines to show before and after each match" })),
      before: t.Optional(t.Integer({ description: "Lines to show before each match" })),
      after: t.Optional(t.Integer({ description: "Lines to show after each match" })),
      output_mode: t.Optional(
        t.String({
          enum: ["content", "files", "count"],
          description: "Matching lines (default), paths of files with a match, or matches per file",
        }),
      ),
      head_limit: t.Optional(
        t.Integer({
          description: `Most matches or files to show; default ${GREP_LIMIT_DEFAULT}, at most ${GREP_LIMIT_MAX}`,
        }),
      ),
      multiline: t.Optional(
        t.Boolean({
          description: "A match may span lines, and . matches line breaks; default: false",
        }),
      ),
    }),
    subject,
    run: (input, context) =>
      answering(context.signal, async () => {
        const { context: around = 0, before = around, after = around } = input;
        const job: GrepJob = {
          kind: "grep",
          pattern: input.pattern,
          literal: input.literal ?? false,
          caseInsensitive: input.case_insensitive ?? false,
          multiline: input.multiline ?? false,
          glob: input.glob || null,
          type: input.type || null,
          mode: (input.output_mode ?? "content") as GrepJob["mode"],
          before: within("before", before, 0, CONTEXT_LINES_MAX),
          after: within("after", after, 0, CONTEXT_LINES_MAX),
          limit: within("head_limit", input.head_limit ?? GREP_LIMIT_DEFAULT, 1, GREP_LIMIT_MAX),
        };
        const place = await placeOf(options.areaOf, input.path, context);
        return runJob({ ...place, ...job }, options, context.signal);
      }),
  });

const glob = (options: SearchOptions): Tool =>
  defineTool({
    name: "glob",
    type: "search",
    risk: "low",
    description:
      "Find files by their path, newest first. A pattern without a slash matches at any depth. " +
      `Shows at most ${GLOB_PATHS_MAX} files; leaves out what .gitignore names and hidden files, ` +
      "unless the pattern names them with their dot.",
    parameters: t.Object({
      pattern: t.String({ description: "For example *.ts, src/**/*.{ts,tsx} or .github/**" }),
      path: pathParameter,
    }),
    subject,
    run: ({ pattern, path }, context) =>
      answering(context.signal, async () => {
        const job: GlobJob = { kind: "glob", pattern };
        const place = await placeOf(options.areaOf, path, context);
        return runJob({ ...place, ...job }, options, context.signal);
      }),
  });

const fileList = (options: SearchOptions): Tool =>
  defineTool({
    name: "file_list",
    type: "file_list",
    risk: "low",
    description:
      "Show a directory as a tree with the sizes of files, directories first. " +
      "Leaves out hidden files and what .gitignore names, and says how many.",
    parameters: t.Object({
      path: t.Optional(t.String({ description: "The directory; default: the workspace" })),
      depth: t.Optional(
        t.Integer({ description: `How many levels to show; default 2, at most ${LIST_DEPTH_MAX}` }),
      ),
      all: t.Optional(
        t.Boolean({ description: "Show hidden and ignored files as well; default: false" }),
      ),
    }),
    subject,
    run: ({ path, depth = 2, all = false }, context) =>
      answering(context.signal, async () => {
        const job: ListJob = {
          kind: "list",
          depth: within("depth", depth, 1, LIST_DEPTH_MAX),
          all,
        };
        const place = await placeOf(options.areaOf, path, context);
        return runJob({ ...place, ...job }, options, context.signal);
      }),
  });

const fileGrep = (options: SearchOptions): Tool =>
  defineTool({
    name: "file_grep",
    type: "file_grep",
    risk: "low",
    description:
      "Search one file with a regular expression, line by line. Shows at most 50 matching lines " +
      "with their numbers. Use grep for several files.",
    parameters: t.Object({
      file: t.String({
        description: "Path of the file: relative to the workspace, or absolute inside it",
      }),
      pattern: t.String({ description: "Regular expression" }),
      case_insensitive: t.Optional(t.Boolean({ description: "Default: false" })),
    }),
    subject: ({ file }) => ({ paths: [file] }),
    run: ({ file, pattern, case_insensitive = false }, context) =>
      answering(context.signal, async () => {
        const job: FileGrepJob = {
          kind: "file_grep",
          pattern,
          caseInsensitive: case_insensitive,
        };
        const place = await placeOf(options.areaOf, file, context);
        const result = await runJob({ ...place, ...job }, options, context.signal);
        return { ...result, metadata: { ...result.metadata, file_path: place.root } };
      }),
  });

/** What is above the limit gets the limit; what is below is a mistake. */
function within(name: string, value: number, least: number, most: number): number {
  if (value < least) throw new ToolFailure(`Parameter '${name}' must be at least ${least}`);
  return Math.min(value, most);
}

/** Throws ToolFailure where the path is not allowed. */
async function placeOf(
  areaOf: AreaOf,
  asked = ".",
  { workspace, closedPaths, session }: ToolContext,
): Promise<Omit<Place, "deadline">> {
  const area = areaOf(workspace, [session.outputs]);
  const root = await insideWorkspace(area, asked);
  const closed = await Promise.all([...area.closed, ...SYSTEM_DIRECTORIES].map(realOrNull));
  const place = {
    root,
    asked,
    closed: closed.filter((path) => path !== null),
    ruledOut: { patterns: closedPaths, workspace, home: area.home },
  };
  if (!relative(workspace, root).startsWith("..")) return { ...place, base: workspace, prefix: "" };
  // One of the session's own files.
  const base = dirname(root);
  return { ...place, base, prefix: `${base}/` };
}

/** As directories of a walk are compared; null: it is not there. */
async function realOrNull(path: string): Promise<string | null> {
  try {
    return (await realpath(path)).toLowerCase();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}
