/**
 * What streams send, as schemas. The compiler compares them with the types in domain/events.ts:
 * an event added there does not compile until it is described here.
 */
import { type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { TURN_FAULTS } from "../domain/errors.ts";
import type { EngineEvent, LifecycleEvent, StreamNotice } from "../domain/events.ts";
import type { CheckpointId, RunId, SessionId } from "../domain/ids.ts";
import { APPROVAL_SCOPES } from "../domain/permission.ts";
import type { Nothing, Unlike } from "../lib/same-type.ts";
import type { PendingRequest } from "../permissions/permissions.ts";
import { eventUnion, named } from "./components.ts";
import { choice, count, idOf, jsonObject, seq, text, time } from "./fields.ts";
import { CALL, PROMPT, RISK_LEVEL, TODO_ITEM, TOOL_ID } from "./prompt-schemas.ts";
import { nullable } from "./schemas.ts";

const RUN_ID = idOf<RunId>("the run");

const ABOUT = {
  session_id: idOf<SessionId>("the session that it is about"),
  ts: time("when it happened"),
};
const USAGE = {
  input_tokens: count("tokens sent to the model, those of a cache included"),
  output_tokens: count("tokens that the model wrote"),
  thinking_tokens: count("those of them that were reasoning, where the provider says"),
};

const inPascalCase = (name: string): string =>
  name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());

const eventsOf =
  (log: string) =>
  <const Name extends string, Fields extends TProperties>(
    type: Name,
    description: string,
    fields: Fields,
  ) =>
    named(`${log}${inPascalCase(type)}Event`, description, {
      type: Type.Literal(type),
      ...fields,
      ...ABOUT,
    });
const event = eventsOf("");
const lifecycle = eventsOf("Lifecycle");

/** What clients skip: a type that none of `known` has. */
const unknownEvent = (name: string, known: readonly TSchema[]) =>
  named(name, "An event of a later version: to be skipped.", {
    type: Type.String({
      description: "one that is not known",
      not: { enum: known.map(({ properties }) => properties.type.const) },
    }),
    ...ABOUT,
  });

const OF_STREAM = {
  ts: time("when it was said"),
  session_id: Type.Optional(idOf<SessionId>("the session, unless it is the stream of all")),
};

const STREAM_NOTICES = [
  named("ReplayGapNotice", "What lies between the reader's cursor and `next` is not kept.", {
    type: Type.Literal("replay_gap"),
    after: seq("the reader's cursor"),
    next: seq("id of the next event that is sent"),
    ...OF_STREAM,
  }),
  named("StreamCutNotice", "The stream ends here; `?after=<cursor>` goes on.", {
    type: Type.Literal("stream_cut"),
    cursor: seq("id of the last event that was sent"),
    reason: choice(
      ["slow_reader", "shutdown"],
      "the reader took nothing for too long, or the engine stops",
    ),
    ...OF_STREAM,
  }),
] as const;

const PENDING_PERMISSION_REQUEST = named(
  "PendingPermissionRequestNotice",
  "A prompt from before this reader's place that still waits for an answer.",
  {
    type: Type.Literal("permission_request"),
    pending: Type.Literal(true),
    ...PROMPT,
    created_at: time("when it was asked"),
    ...ABOUT,
  },
);

const PENDING_PERMISSION_NOTICE = named(
  "PendingPermissionNotice",
  "A session's prompt that waited when this reader came.",
  {
    type: Type.Literal("permission_pending"),
    pending: Type.Literal(true),
    tool_id: TOOL_ID,
    tool_name: text("as the model called it"),
    risk_level: RISK_LEVEL,
    ...ABOUT,
  },
);

const ENGINE_EVENTS = [
  event("token", "A piece of the reply's text.", { text: text("never empty") }),
  event("thinking", "A piece of the model's reasoning.", { text: text("never empty") }),
  event("tool_start", "The model calls a tool; before it is checked and run.", CALL),
  event(
    "permission_request",
    "The call waits for an answer: `POST /sessions/{session_id}/permission`.",
    PROMPT,
  ),
  event("permission_granted", "The call was allowed and runs now.", {
    tool_id: TOOL_ID,
    scope: choice(APPROVAL_SCOPES, "which later calls need no answer any more"),
  }),
  event("permission_denied", "The call was refused; the model is told and the turn goes on.", {
    tool_id: TOOL_ID,
    reason: choice(["user", "timeout", "unattended", "cancelled"], "who or what refused it"),
  }),
  event("tool_output", "What a tool printed while it runs; the whole comes with its result.", {
    tool_id: TOOL_ID,
    chunk: text("never empty"),
  }),
  event("tool_result", "The end of a tool call. Every call has exactly one.", {
    tool_id: TOOL_ID,
    tool_name: text("as the model called it"),
    success: Type.Boolean({ description: "false: it failed, or was refused" }),
    output: text(
      "what the model reads; where it is very long its middle is left out, and kept in a file",
    ),
    error: text("one line; empty where it succeeded"),
    execution_time: Type.Number({
      minimum: 0,
      description: "seconds, without the wait for an answer",
    }),
    metadata: jsonObject("more about it; depends on the tool"),
  }),
  event(
    "question_gate",
    "The agent asks the user; its turn ends with this: the next message answers.",
    {
      question: text("without its markers"),
      pending_tools: count("tool calls that are held until then"),
    },
  ),
  event("turn_complete", "The turn ended well. Always the last of its run.", {
    ...USAGE,
    tool_calls: count("tool calls of the whole turn"),
    stop_reason: text(
      "the provider's own word, or the limit that was reached: max_turns, max_tool_calls, max_seconds, max_run_tokens; or question",
    ),
  }),
  event("error", "The turn failed or was cancelled. Always the last of its run.", {
    code: choice(TURN_FAULTS, "what ended the turn"),
    message: text("for people; no secrets"),
    retryable: Type.Boolean({ description: "whether the same message may succeed later" }),
  }),
  event("turn_started", "A run begins. Always the first of its run.", {
    turn_id: RUN_ID,
    prompt: text("the message's text, cut to a preview"),
  }),
  event("model_call", "One call of the model, after its reply.", {
    provider: text("as in the profile"),
    model: text("as in the profile"),
    ...USAGE,
    cache_read_tokens: count("tokens sent that were read from the provider's cache"),
    cache_write_tokens: count("tokens sent that were written to it"),
    cost_usd: nullable(Type.Number({ minimum: 0, description: "US dollars; null: not known" })),
    duration_ms: count("milliseconds from the request to the reply's end"),
  }),
  event("todo", "The agent's plan has changed.", {
    items: Type.Array(TODO_ITEM, { description: "the whole plan, in order" }),
  }),
  event("subagent_started", "A tool call handed a task to a child session.", {
    tool_id: TOOL_ID,
    child_session_id: idOf<SessionId>("the child; it can be followed as a session of its own"),
    task: text("for people"),
  }),
  event("process_ended", "A background command has ended.", {
    name: text("of the command"),
    exit_code: nullable(Type.Integer({ description: "null: a signal ended it" })),
    signal: nullable(text("that ended it, if one did")),
    timed_out: Type.Boolean({ description: "its time was up" }),
  }),
  event("checkpoint", "Files are about to change; they are kept as they were.", {
    checkpoint_id: idOf<CheckpointId>("the checkpoint"),
    turn_id: nullable(idOf<RunId>("the turn that changes them; null: a restore does")),
    files: Type.Array(Type.String(), {
      description: "the first of them, relative to the workspace",
    }),
  }),
  event("checkpoint_skipped", "What changes cannot be brought back.", {
    checkpoint_id: nullable(idOf<CheckpointId>("the checkpoint that lacks it; null: none")),
    path: nullable(text("relative to the workspace; null: not one file")),
    size: nullable(count("bytes; null: not known")),
    reason: text("why, for people"),
  }),
  event("retry", "A call of the model failed before its first token; it is made again.", {
    attempt: Type.Integer({ minimum: 1, description: "1 after the first failure" }),
    delay_ms: count("milliseconds until then"),
    reason: text("what went wrong, for people"),
  }),
  event("message_queued", "A message was accepted while a run was active, and waits.", {
    run_id: RUN_ID,
    position: Type.Integer({ minimum: 1, description: "1 is next" }),
  }),
  event("message_steered", "A message joins the active run before its next model call.", {
    run_id: RUN_ID,
    into: idOf<RunId>("the run that it joins"),
  }),
  event("run_canceled", "A waiting run was cancelled before it began.", { run_id: RUN_ID }),
] as const;

const LIFECYCLE_EVENTS = [
  lifecycle("session_created", "A session was created.", {
    profile: text("as its client asked"),
    workspace: nullable(text("null: it named none")),
  }),
  lifecycle("session_deleted", "A session was deleted.", {}),
  lifecycle("turn_started", "A run begins.", { turn_id: RUN_ID }),
  lifecycle("turn_ended", "A run ended.", {
    turn_id: RUN_ID,
    state: choice(["completed", "failed", "canceled"], "how"),
    reason: text("its stop reason, or its error's code"),
  }),
  lifecycle("permission_pending", "A tool call waits for an answer.", {
    tool_id: TOOL_ID,
    tool_name: text("as the model called it"),
    risk_level: RISK_LEVEL,
  }),
  lifecycle("permission_resolved", "It waits no more.", {
    tool_id: TOOL_ID,
    decision: choice(["approve", "deny"], "deny: also by time or cancel"),
  }),
] as const;

/** What the types and the schemas do not share: nothing. */
export type EventsDescribed = Nothing<
  | Unlike<EngineEvent, (typeof ENGINE_EVENTS)[number]["static"]>
  | Unlike<LifecycleEvent, (typeof LIFECYCLE_EVENTS)[number]["static"]>
  | Unlike<StreamNotice, (typeof STREAM_NOTICES)[number]["static"]>
  | Unlike<
      PendingRequest &
        Pick<EngineEvent, "session_id" | "ts"> & { type: "permission_request"; pending: true },
      (typeof PENDING_PERMISSION_REQUEST)["static"]
    >
>;

const STREAM_NOTICE = eventUnion(
  "StreamNotice",
  "Said by the stream, not by the session: never stored, sent without an id.",
  [...STREAM_NOTICES, PENDING_PERMISSION_REQUEST],
  [],
);
const ENGINE_EVENT = eventUnion(
  "EngineEvent",
  "What happens in a session, told apart by `type`. Its place in the session's log is the SSE `id`.",
  [...ENGINE_EVENTS],
  [unknownEvent("UnknownEngineEvent", [...ENGINE_EVENTS, ...STREAM_NOTICES])],
);
const LIFECYCLE_EVENT = eventUnion(
  "LifecycleEvent",
  "What happens to sessions, told apart by `type`. Its place in the log of all sessions is the SSE `id`.",
  [...LIFECYCLE_EVENTS],
  [unknownEvent("UnknownLifecycleEvent", [...LIFECYCLE_EVENTS, ...STREAM_NOTICES])],
);

/** The `data` of each message of a stream. */
export const SESSION_STREAM = Type.Union([ENGINE_EVENT, STREAM_NOTICE]);
export const LIFECYCLE_STREAM = Type.Union([
  LIFECYCLE_EVENT,
  PENDING_PERMISSION_NOTICE,
  STREAM_NOTICE,
]);
