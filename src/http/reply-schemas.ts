/** What routes answer, as schemas. The compiler compares them with the views that make the answers. */
import { Type } from "@sinclair/typebox";
import type { LocalServer } from "../config/local-servers.ts";
import type { EnvVarHint, ProfileView } from "../config/profile-view.ts";
import { type ErrorCode, TURN_FAULTS } from "../domain/errors.ts";
import type { RunId, SessionId, ToolCallId } from "../domain/ids.ts";
import { APPROVAL_MODES, APPROVAL_SCOPES, type ApprovalMode } from "../domain/permission.ts";
import { NETWORK_POLICIES, type PermissionStats } from "../domain/session.ts";
import type { Nothing, Unlike } from "../lib/same-type.ts";
import type { PendingRequest } from "../permissions/permissions.ts";
import { named } from "./components.ts";
import { type Issue, STATUS } from "./errors.ts";
import { choice, count, flag, idOf, jsonObject, seq, text, time } from "./fields.ts";
import { PROMPT } from "./prompt-schemas.ts";
import { nullable } from "./schemas.ts";
import type { runView, sessionView } from "./views.ts";

export const SESSION_ID = idOf<SessionId>("the session");
const TOOL_ID = idOf<ToolCallId>("the tool call, as in its events");
const RUN_ID = idOf<RunId>("the run");
export const OK = Type.Literal(true);
export const list = <T extends Parameters<typeof Type.Array>[0]>(items: T, description: string) =>
  Type.Array(items, { description });

const MODE_CODE = Type.Unsafe<(typeof APPROVAL_MODES)[ApprovalMode]>(
  Type.Integer({
    enum: Object.values(APPROVAL_MODES),
    description: "the approval mode as clients of the original engine read it",
  }),
);
const MODE_NAME = choice(Object.keys(APPROVAL_MODES) as ApprovalMode[], "the approval mode");

const ISSUE = named("Issue", "One thing that is wrong with a request.", {
  type: text("for example missing, value_error, json_invalid"),
  loc: list(
    Type.Union([Type.String(), Type.Integer()]),
    "where: first body, query, params or header, then the way to the field",
  ),
  msg: text("what, for people"),
  input: Type.Optional(Type.Unknown({ description: "the value, where it is short and no secret" })),
});
export const ERROR = named("Error", "Every error has this body.", {
  detail: Type.Union(
    [Type.String(), Type.Array(ISSUE), Type.Object({}, { additionalProperties: true })],
    { description: "what is wrong: for people, or where a request is invalid, each thing" },
  ),
  code: choice(Object.keys(STATUS) as ErrorCode[], "what is wrong, for programs"),
  type: Type.Optional(text("with code internal: the class of the failure")),
});

export const HEALTH = Type.Object({
  status: Type.Literal("healthy"),
  uptime: count("whole seconds since the start"),
});
const UNKNOWN = text("for clients of the original engine; always unknown");
export const VERSIONS = Type.Object({
  version: text("of this engine"),
  engine: text("the same"),
  kollabor_ai: UNKNOWN,
  kollabor_agent: UNKNOWN,
  kollabor_events: UNKNOWN,
  python: UNKNOWN,
});
export const ENGINE_STATUS = Type.Object({
  version: text("of this engine"),
  sessions: count("how many there are"),
  uptime: count("whole seconds since the start"),
  providers: list(Type.String(), "those that sessions use now"),
  mcp_servers: Type.Record(Type.String(), choice(["connected", "disconnected"], "")),
  session_ids: list(idOf<SessionId>(""), "empty without the token"),
});
const LOCAL_SERVER = named("LocalServer", "A model server on this machine, usable without a key.", {
  name: text("the program"),
  base_url: text("for a profile's base_url"),
  models: list(Type.String(), "those it offers"),
});
export const READINESS = Type.Object({
  ready: flag("whether a real model can be used, as far as can be told without asking it"),
  checks: Type.Object({
    profiles: choice(["ok", "none"], "none: the config file cannot be read"),
    sessions: choice(["ok", "idle"], "idle: none is in memory"),
    api_credentials: choice(["ok", "failed"], "failed: no profile has a key"),
  }),
  local_servers: list(LOCAL_SERVER, "those that answered at once"),
});

export const SESSION = named("Session", "One conversation, and the settings of its turns.", {
  session_id: SESSION_ID,
  profile: text("as its client asked; app-inline where it brought its own credentials"),
  profile_resolved: text("the profile that this led to when it was last looked up"),
  workspace: nullable(text("absolute; null: it named none, and tools run in the engine's folder")),
  approval_mode: MODE_CODE,
  approval_mode_name: MODE_NAME,
  unattended: choice(["wait", "deny"], "what becomes of a prompt while nobody is attached"),
  created_at: text("UTC, ISO 8601 with microseconds and without a zone"),
  total_turns: count("turns that ended well"),
  total_input_tokens: count("of those turns"),
  total_output_tokens: count("of those turns"),
  mcp_servers: list(Type.String(), "as its client asked"),
  mcp_connected: list(Type.String(), "those that are connected now"),
  metadata: jsonObject("as its client gave it"),
  last_turn_status: nullable(choice(["completed", "failed", "canceled"], "null: none ended yet")),
  last_turn_error: nullable(text("null: it ended well")),
  tools: nullable(list(Type.String(), "the built-in tools it may be offered; null: all")),
  sandbox: Type.Object({ network: choice(NETWORK_POLICIES, "what its tools may reach") }),
  question_pending: nullable(
    Type.Object({
      question: text("what the agent asked; the next message is the answer"),
      pending_tools: count("tool calls that are held until then"),
    }),
  ),
  parent_session_id: nullable(idOf<SessionId>("the session it works for; null: none")),
  child_session_ids: list(idOf<SessionId>(""), "sessions that did tasks for it"),
  history_length: count("messages, the system prompt included"),
  active: flag("a turn is running"),
  active_turn_id: nullable(idOf<RunId>("its run; null: none is running")),
  queued_runs: count("messages that wait for their turn"),
});
export const SESSIONS = Type.Object({ sessions: list(SESSION, "in the order of creation") });

const SEEN_AT = time("when it was added");
const FUNCTION_CALL = Type.Object({
  id: TOOL_ID,
  type: Type.Literal("function"),
  function: Type.Object({ name: text("of the tool"), arguments: text("a JSON object, as text") }),
});
const MESSAGE = Type.Union(
  [
    Type.Object({ role: Type.Literal("system"), content: text("the system prompt") }),
    Type.Object({
      role: Type.Literal("user"),
      content: text("the message's text"),
      metadata: Type.Object({
        ts: SEEN_AT,
        images: Type.Optional(list(Type.String(), "the media type of each image")),
      }),
    }),
    Type.Object({
      role: Type.Literal("assistant"),
      content: text("may be empty where it calls tools"),
      metadata: Type.Object({
        ts: SEEN_AT,
        partial: Type.Optional(flag("the reply was cut short")),
        tool_calls: Type.Optional(list(FUNCTION_CALL, "each is answered by a tool message")),
      }),
    }),
    Type.Object({
      role: Type.Literal("tool"),
      tool_call_id: TOOL_ID,
      content: text("what the model reads"),
      metadata: Type.Object({
        tool_call_id: TOOL_ID,
        ts: SEEN_AT,
        images: Type.Optional(list(Type.String(), "the media type of each image it returned")),
      }),
    }),
  ],
  { $id: "HistoryMessage", description: "One message of a conversation, told apart by `role`." },
);
export const HISTORY = Type.Object({
  session_id: SESSION_ID,
  history: list(MESSAGE, "oldest first"),
});
export const SYSTEM_PROMPT = Type.Object({
  session_id: SESSION_ID,
  system_prompt: text("empty: none"),
});

export const SESSION_DONE = Type.Object({ ok: OK, session_id: SESSION_ID });
export const RUN_DONE = Type.Object({ ok: OK, session_id: SESSION_ID, run_id: RUN_ID });

const RUN_FIELDS = {
  run_id: RUN_ID,
  session_id: SESSION_ID,
  state: choice(
    ["queued", "running", "waiting_for_permission", "completed", "failed", "canceled", "steered"],
    "where it stands",
  ),
  delivery: choice(["reject", "queue", "steer"], "what was to happen to it during a turn"),
  prompt: text("the message's text; cut to a preview once it has begun"),
  position: nullable(
    Type.Integer({ minimum: 1, description: "1 is next; null: it does not wait" }),
  ),
  steered_into: nullable(idOf<RunId>("the run that it joined")),
  created_at: time("when it was accepted"),
  started_at: nullable(time("when it began")),
  ended_at: nullable(time("when it ended")),
  after_seq: nullable(seq("its events come after this id; null: it has not begun")),
  end_seq: nullable(seq("the id of its last event")),
  stop_reason: nullable(text("as in its turn_complete event")),
  error: nullable(
    Type.Object({ code: choice(TURN_FAULTS, "what ended it"), message: text("for people") }),
  ),
  input_tokens: count("of all its model calls"),
  output_tokens: count("of all its model calls"),
  tool_calls: count("how many there were"),
};
export const RUN = named("Run", "One accepted message and what became of it.", RUN_FIELDS);
export const ACCEPTED_RUN = named("AcceptedRun", "An accepted message, as a run.", {
  ...RUN_FIELDS,
  outcome: choice(
    ["started", "queued", "steered", "attached"],
    "attached: a request with this Idempotency-Key was accepted before, and this is its run",
  ),
});
export const RUNS = Type.Object({ session_id: SESSION_ID, runs: list(RUN, "newest first") });
export const QUEUE = Type.Object({ session_id: SESSION_ID, runs: list(RUN, "next first") });

const PENDING = named("PendingPermission", "A tool call that waits for an answer.", {
  ...PROMPT,
  created_at: time("when it was asked"),
});
const STATS = Type.Object(
  {
    total_checks: count("all tool calls; the sum of the others"),
    auto_approved: count("ran unasked"),
    user_approved: count("were allowed"),
    denied: count("were refused"),
    blocked: count("may never run"),
  },
  { description: "since the session was created" },
);
const APPROVAL = named("Approval", "What later calls need no answer for.", {
  key: text("what it covers"),
  level: choice(["low", "medium", "high", "unknown"], "the highest risk that it covers"),
});
export const PERMISSIONS = named("Permissions", "What waits for an answer, and counts.", {
  session_id: SESSION_ID,
  approval_mode: MODE_CODE,
  approval_mode_name: MODE_NAME,
  pending: list(TOOL_ID, "what waits for an answer, oldest first"),
  pending_details: list(PENDING, "the same, whole"),
  stats: STATS,
  approvals: list(APPROVAL, "what was approved for the session"),
  project_approvals: list(Type.String(), "keys that were approved for its project, on disk"),
});
export const ANSWERED = Type.Object({
  ok: OK,
  tool_id: TOOL_ID,
  decision: choice(["approve", "deny"], "as asked"),
  applied_scope: choice(APPROVAL_SCOPES, "may be narrower than asked, where a call is risky"),
  persisted: flag("whether it outlives the session"),
});
export const MODE_SET = Type.Object({ ok: OK, mode: MODE_NAME });

const PROFILE_FIELDS = {
  name: text("what sessions ask for"),
  provider: text("the protocol, for example openai or anthropic"),
  model: text("as the provider calls it"),
  temperature: Type.Number({ description: "0 to 2" }),
  max_tokens: nullable(Type.Integer({ description: "of one reply; null: the provider's own" })),
  timeout: Type.Number({ description: "seconds between two pieces of a reply; 0: the default" }),
  description: text("for people"),
  streaming: flag("replies come in pieces"),
  supports_tools: flag("tools are offered to the model"),
  base_url: Type.Optional(text("where it is not the provider's own")),
  top_p: Type.Optional(Type.Number({ description: "0 to 1, where it is set" })),
  extra_headers: Type.Optional(
    Type.Unsafe<Record<string, string>>(
      Type.Object(
        {},
        { additionalProperties: Type.String(), description: "secret values are [redacted]" },
      ),
    ),
  ),
  auth_type: Type.Optional(text("oauth: a login instead of a key")),
  has_api_key: flag("whether there is one; it is never shown"),
  api_key_source: text("env, keyring, config, oauth or none"),
  builtin: flag("comes with the engine"),
};
const PROFILE = named("Profile", "A provider, a model and how to call it.", PROFILE_FIELDS);
export const PROFILES = Type.Object({
  profiles: list(PROFILE, "those of the files, the environment and the engine"),
  active: text("the selected one"),
  count: count("how many"),
});
const HINT = Type.Object({ name: text("of the variable"), is_set: flag("it is never shown") });
export const PROFILE_DETAILS = named("ProfileDetails", "A profile, and what changes it.", {
  ...PROFILE_FIELDS,
  env_var_hints: Type.Record(Type.String(), HINT, {
    description: "by field, the variable that changes it here, and with global_, in all profiles",
  }),
  is_active: flag("the selected one"),
});

/** The start of a document like this one. */
export const DOCUMENT = Type.Object({
  openapi: text("the version of OpenAPI"),
  info: Type.Object({ title: Type.String(), version: text("of the engine") }),
  paths: Type.Object({}, { additionalProperties: true }),
  components: Type.Object({}, { additionalProperties: true }),
});

/** What the views and the schemas do not share: nothing. */
export type RepliesDescribed = Nothing<
  | Unlike<ReturnType<typeof sessionView>, (typeof SESSION)["static"]>
  | Unlike<ReturnType<typeof runView>, (typeof RUN)["static"]>
  | Unlike<PendingRequest, (typeof PENDING)["static"]>
  | Unlike<PermissionStats, (typeof STATS)["static"]>
  | Unlike<ProfileView, (typeof PROFILE)["static"]>
  | Unlike<EnvVarHint, (typeof HINT)["static"]>
  | Unlike<LocalServer, (typeof LOCAL_SERVER)["static"]>
  | Unlike<Issue, (typeof ISSUE)["static"]>
>;
