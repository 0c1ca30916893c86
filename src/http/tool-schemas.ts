/** What the routes of tools and rules answer, as schemas. */
import { Type } from "@sinclair/typebox";
import type { PermissionRule } from "../config/permission-rule.ts";
import type { TrustedProject } from "../config/trusted-projects.ts";
import type { ProcessView } from "../domain/process.ts";
import type { Nothing, Unlike } from "../lib/same-type.ts";
import { named } from "./components.ts";
import { choice, count, flag, text, time } from "./fields.ts";
import { TODO_ITEM } from "./prompt-schemas.ts";
import { list, OK, SESSION_ID } from "./reply-schemas.ts";
import { nullable } from "./schemas.ts";

export const TODO = Type.Object({
  session_id: SESSION_ID,
  items: list(TODO_ITEM, "in the agent's order"),
});
const PROCESS = named("Process", "A background command of a session.", {
  name: text("unique among those that run"),
  command: text("as the agent gave it"),
  cwd: text("where it runs"),
  pid: Type.Integer({ description: "of its shell, which leads its process group" }),
  state: choice(["running", "exited"], "whether it runs"),
  exit_code: nullable(Type.Integer({ description: "null: it runs, or a signal ended it" })),
  signal: nullable(text("that ended it, if one did")),
  started_at: time("when it was started"),
  ended_at: nullable(time("when it ended")),
  timed_out: flag("its time was up"),
  lines: count("lines that it printed, kept or not"),
});
export const PROCESSES = Type.Object({
  session_id: SESSION_ID,
  processes: list(PROCESS, "in the order of their start"),
});
export const PROCESS_OUTPUT = Type.Object({
  session_id: SESSION_ID,
  name: text("of the background command"),
  output: text("its last lines, errors among them"),
});
export const PROCESS_DONE = Type.Object({
  ok: OK,
  session_id: SESSION_ID,
  name: text("of the background command"),
});

const matcher = (description: string) => Type.Optional(text(description));
const RULE = named("PermissionRule", "What to do about the calls that all its fields fit.", {
  action: choice(["allow", "ask", "deny"], "deny counts in every mode"),
  tool: matcher("name of a tool; * stands for any text"),
  command: matcher("first words of a shell command"),
  path: matcher("of a file, as in .gitignore; relative to the workspace, absolute or from ~/"),
  host: matcher("a host name, or *.example.com for all below it"),
  mcp: matcher("server/tool; * stands for any text"),
  reason: matcher("shown where the rule decides"),
});
export const RULES = Type.Object({
  rules: list(RULE, "the user's, in order"),
  project: nullable(
    Type.Object({
      directory: text("of the project"),
      file: text("its settings"),
      trusted: flag("the user trusts the file as it is now"),
      sha256: nullable(text("of the file as it is now, in hex; null: it cannot be read")),
      rules: list(RULE, "those that count; they come before the user's"),
      untrusted: list(RULE, "those that would count, were the file trusted"),
    }),
  ),
  problems: list(Type.String(), "what is not understood in the files"),
});
const SHA256 = text("of the file's content, in hex");
const TRUSTED = named("TrustedProject", "A settings file that the user trusts.", {
  file: text("its path"),
  sha256: SHA256,
  current: flag("false: it has changed since, and is not trusted as it is now"),
});
export const TRUSTED_PROJECTS = Type.Object({ trusted: list(TRUSTED, "in no order") });
export const PROJECT_TRUST = Type.Object({
  ok: OK,
  file: text("the project's settings"),
  trusted: flag("as asked"),
  sha256: nullable(SHA256),
});

/** What the types and the schemas do not share: nothing. */
export type ToolsDescribed = Nothing<
  | Unlike<ProcessView, (typeof PROCESS)["static"]>
  | Unlike<PermissionRule, (typeof RULE)["static"]>
  | Unlike<TrustedProject, (typeof TRUSTED)["static"]>
>;
