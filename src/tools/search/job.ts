/** What a tool asks of the process that searches, and what it gets back. */

export type Job = Place & (GrepJob | FileGrepJob | GlobJob | ListJob);

/** Where to look: real paths, checked. */
export type Place = {
  /** A file or a directory, or what may be one. */
  root: string;
  /** As the model wrote it. */
  asked: string;
  /** The root or a directory above it: paths are relative to it, and what it ignores counts. */
  base: string;
  /** What makes a path relative to the base one that any tool takes. */
  prefix: string;
  /** Directories that are never entered, in lower case. */
  closed: string[];
  /** Patterns of rules: what they mean is left out, unless the root itself is in it. */
  ruledOut: { patterns: readonly string[]; workspace: string; home: string };
  /** Milliseconds since the epoch; what was found until then is the answer. */
  deadline: number;
};

export type GrepJob = {
  kind: "grep";
  pattern: string;
  literal: boolean;
  caseInsensitive: boolean;
  multiline: boolean;
  glob: string | null;
  type: string | null;
  mode: "content" | "files" | "count";
  before: number;
  after: number;
  limit: number;
};

export type FileGrepJob = { kind: "file_grep"; pattern: string; caseInsensitive: boolean };

export type GlobJob = { kind: "glob"; pattern: string };

export type ListJob = { kind: "list"; depth: number; all: boolean };

export type Answer =
  | { ok: true; text: string; metadata: Record<string, unknown> }
  | { ok: false; error: string };

/** The variable that a job is in: unlike arguments, it is nobody else's to see. */
export const JOB_VARIABLE = "KOLLAB_SEARCH_JOB";

/** The argument that makes the executable search instead of anything else. */
export const SEARCH_ARGUMENT = "__search";

export const OUTPUT_CHARS_MAX = 40_000;
export const FILE_BYTES_MAX = 10 * 1024 * 1024;
export const GREP_LIMIT_DEFAULT = 200;
export const GREP_LIMIT_MAX = 2_000;
export const CONTEXT_LINES_MAX = 50;
export const PATTERN_CHARS_MAX = 2_000;
export const GLOB_PATHS_MAX = 200;
export const LIST_DEPTH_MAX = 20;
