/**
 * What the routes' own schemas do not say: which headers they read, what they answer, how they fail.
 * Kept apart from them, so that an engine that nobody asks for its document never builds it.
 */
import { type TSchema, Type } from "@sinclair/typebox";
import type { Exposure } from "./auth.ts";
import * as checkpoints from "./checkpoint-schemas.ts";
import { LIFECYCLE_STREAM, SESSION_STREAM } from "./event-schemas.ts";
import { choice, idOf, text } from "./fields.ts";
import * as replies from "./reply-schemas.ts";
import * as tools from "./tool-schemas.ts";

export type Operation = {
  /** Stable, for code that is made from the document. */
  id: string;
  reply: Reply;
  /** Beside those that every route of its kind has. */
  errors?: readonly number[];
  headers?: readonly Header[];
  /** Where it is not what its path says. */
  exposure?: Exposure;
};
export type Reply = {
  status: number;
  description: string;
  type: "application/json" | "text/event-stream" | "text/html";
  schema: TSchema;
  headers?: Record<string, TSchema>;
};
export type Header = { name: string; schema: TSchema };

const json = (schema: TSchema, description: string, status = 200): Reply => ({
  status,
  description,
  type: "application/json",
  schema,
});
const events = (schema: TSchema, description: string): Reply => ({
  status: 200,
  description: `${description} Each \`data\` line is one JSON object of this schema.`,
  type: "text/event-stream",
  schema,
});

const LAST_EVENT_ID: Header = {
  name: "Last-Event-ID",
  schema: Type.String({
    pattern: "^[0-9]{1,15}$",
    description: "the id of the last event that was seen; wins over `after`",
  }),
};
const IDEMPOTENCY_KEY: Header = {
  name: "Idempotency-Key",
  schema: Type.String({
    pattern: "^[\\x21-\\x7e]{1,255}$",
    description: "repeats of a request with this key attach to the run that the first one started",
  }),
};
const USER_TOKEN: Header = {
  name: "x-mentiko-session-token",
  schema: text("as `user_token`, where the body has none"),
};

const NO_SESSION = 404;
const CONFLICT = 409;
const STOPPING = 503;
/** Of whatever needs a session. */
const OF_SESSION = [NO_SESSION, CONFLICT, STOPPING];

/** By method and path, as the router has them. */
export const OPERATIONS: Record<string, Operation> = {
  "GET /health": { id: "getHealth", reply: json(replies.HEALTH, "It runs.") },
  "GET /version": { id: "getVersion", reply: json(replies.VERSIONS, "Versions.") },
  "GET /status": { id: "getStatus", reply: json(replies.ENGINE_STATUS, "What it has.") },
  "GET /ready": {
    id: "getReadiness",
    reply: json(replies.READINESS, "Whether a real model can be used; 200 also where not."),
  },
  "GET /openapi.json": { id: "getOpenApi", reply: json(replies.DOCUMENT, "This document.") },
  "GET /docs": {
    id: "getDocs",
    reply: {
      status: 200,
      description: "A page that shows this document; it asks for the token.",
      type: "text/html",
      schema: Type.String(),
    },
  },

  "POST /sessions": {
    id: "createSession",
    headers: [USER_TOKEN],
    reply: json(replies.SESSION, "The new session."),
    errors: [400, 404, CONFLICT, STOPPING],
  },
  "GET /sessions": { id: "listSessions", reply: json(replies.SESSIONS, "All sessions.") },
  "GET /sessions/:session_id": {
    id: "getSession",
    reply: json(replies.SESSION, "The session."),
    errors: OF_SESSION,
  },
  "PATCH /sessions/:session_id": {
    id: "changeSession",
    reply: json(replies.SESSION_DONE, "Done."),
    errors: OF_SESSION,
  },
  "DELETE /sessions/:session_id": {
    id: "deleteSession",
    reply: json(replies.SESSION_DONE, "Done: it is gone."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/history": {
    id: "getHistory",
    reply: json(replies.HISTORY, "The conversation."),
    errors: OF_SESSION,
  },
  "DELETE /sessions/:session_id/history": {
    id: "clearHistory",
    reply: json(replies.SESSION_DONE, "Done: only the system prompt is left."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/system-prompt": {
    id: "getSystemPrompt",
    reply: json(replies.SYSTEM_PROMPT, "The system prompt."),
    errors: OF_SESSION,
  },
  "POST /sessions/:session_id/system-prompt/rebuild": {
    id: "rebuildSystemPrompt",
    reply: json(replies.SYSTEM_PROMPT, "The system prompt as it is now."),
    errors: OF_SESSION,
  },

  "POST /sessions/:session_id/message": {
    id: "sendMessage",
    headers: [IDEMPOTENCY_KEY],
    reply: {
      ...events(SESSION_STREAM, "The events of the message's run, to its end."),
      headers: {
        "x-run-id": idOf("the run that the message is"),
        "x-delivery": choice(
          ["started", "queued", "steered", "attached"],
          "what became of the message",
        ),
      },
    },
    errors: OF_SESSION,
  },
  "POST /sessions/:session_id/cancel": {
    id: "cancelTurn",
    reply: json(replies.SESSION_DONE, "Done, also where no turn was running."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/events": {
    id: "followSession",
    headers: [LAST_EVENT_ID],
    reply: events(SESSION_STREAM, "The session's events, without an end."),
    errors: OF_SESSION,
  },
  "GET /events": {
    id: "followLifecycle",
    headers: [LAST_EVENT_ID],
    reply: events(LIFECYCLE_STREAM, "What happens to all sessions, without an end."),
  },

  "POST /sessions/:session_id/runs": {
    id: "createRun",
    headers: [IDEMPOTENCY_KEY],
    reply: json(replies.ACCEPTED_RUN, "The message was accepted; this is its run.", 202),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/runs": {
    id: "listRuns",
    reply: json(replies.RUNS, "The session's runs."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/runs/:run_id": {
    id: "getRun",
    reply: json(replies.RUN, "The run."),
    errors: OF_SESSION,
  },
  "POST /sessions/:session_id/runs/:run_id/cancel": {
    id: "cancelRun",
    reply: json(replies.RUN_DONE, "Done, also where it had ended already."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/runs/:run_id/events": {
    id: "followRun",
    headers: [LAST_EVENT_ID],
    reply: events(SESSION_STREAM, "The run's events, to its end."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/queue": {
    id: "getQueue",
    reply: json(replies.QUEUE, "The runs that wait."),
    errors: OF_SESSION,
  },
  "PUT /sessions/:session_id/queue": {
    id: "reorderQueue",
    reply: json(replies.QUEUE, "The runs that wait, in their new order."),
    errors: OF_SESSION,
  },

  "POST /sessions/:session_id/permission": {
    id: "answerPermission",
    reply: json(replies.ANSWERED, "The answer counts."),
    errors: [400, ...OF_SESSION],
  },
  "GET /sessions/:session_id/permissions": {
    id: "getPermissions",
    reply: json(replies.PERMISSIONS, "What waits, and counts."),
    errors: OF_SESSION,
  },
  "DELETE /sessions/:session_id/permissions/approvals": {
    id: "removeApprovals",
    reply: json(replies.SESSION_DONE, "They cover nothing any more."),
    errors: OF_SESSION,
  },
  "POST /sessions/:session_id/permissions/mode": {
    id: "setApprovalMode",
    reply: json(replies.MODE_SET, "The mode counts from the next tool call on."),
    errors: [400, ...OF_SESSION],
  },

  "GET /permissions/rules": {
    id: "getRules",
    reply: json(tools.RULES, "The rules."),
  },
  "PUT /permissions/rules": {
    id: "replaceRules",
    reply: json(tools.RULES, "The rules, as they count from now on."),
    exposure: "admin",
    errors: [CONFLICT, STOPPING],
  },
  "GET /projects/trust": {
    id: "listTrustedProjects",
    reply: json(tools.TRUSTED_PROJECTS, "The files."),
  },
  "POST /projects/trust": {
    id: "trustProject",
    reply: json(tools.PROJECT_TRUST, "Done."),
    exposure: "admin",
    errors: [404, CONFLICT],
  },

  "GET /sessions/:session_id/checkpoints": {
    id: "listCheckpoints",
    reply: json(checkpoints.CHECKPOINTS, "The checkpoints."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/checkpoints/:checkpoint_id/diff": {
    id: "getCheckpointDiff",
    reply: json(checkpoints.CHECKPOINT_DIFF, "The diff."),
    errors: OF_SESSION,
  },
  "POST /sessions/:session_id/checkpoints/:checkpoint_id/restore": {
    id: "restoreCheckpoint",
    reply: json(checkpoints.RESTORED, "The files are back."),
    errors: OF_SESSION,
  },

  "GET /sessions/:session_id/todo": {
    id: "getTodo",
    reply: json(tools.TODO, "The plan; empty where there is none."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/processes": {
    id: "listProcesses",
    reply: json(tools.PROCESSES, "The background commands."),
    errors: OF_SESSION,
  },
  "GET /sessions/:session_id/processes/:name/output": {
    id: "getProcessOutput",
    reply: json(tools.PROCESS_OUTPUT, "The last lines."),
    errors: OF_SESSION,
  },
  "POST /sessions/:session_id/processes/:name/kill": {
    id: "killProcess",
    reply: json(tools.PROCESS_DONE, "It has ended."),
    errors: OF_SESSION,
  },

  "GET /profiles": { id: "listProfiles", reply: json(replies.PROFILES, "All profiles.") },
  "GET /profiles/:name": {
    id: "getProfile",
    reply: json(replies.PROFILE_DETAILS, "The profile."),
    errors: [404],
  },
};
