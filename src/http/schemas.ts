/** Pieces of request schemas that several routes share. */
import { type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { ID_PATTERN, type RunId, type SessionId } from "../domain/ids.ts";
import { APPROVAL_MODES, type ApprovalMode } from "../domain/permission.ts";
import type { RunLimits } from "../domain/session.ts";
import { IMAGE_TYPES } from "../lib/image-type.ts";

/** What a client sends beside these fields is ignored; the router would refuse it. */
export const object = <T extends TProperties>(fields: T) =>
  Type.Object(fields, { additionalProperties: true });

const SESSION_ID = Type.Unsafe<SessionId>(
  Type.String({ pattern: ID_PATTERN, description: "the session" }),
);
const RUN_ID = Type.Unsafe<RunId>(Type.String({ pattern: ID_PATTERN, description: "the run" }));

export const SESSION_PARAMS = object({ session_id: SESSION_ID });
export const RUN_PARAMS = object({ session_id: SESSION_ID, run_id: RUN_ID });

/** The pattern is what is checked; `enum` tells people. */
export const oneOf = <const T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>(
    Type.String({ enum: [...values], pattern: `^(?:${values.join("|")})$`, description }),
  );

export const MODE = oneOf(
  Object.keys(APPROVAL_MODES) as ApprovalMode[],
  "which tool calls ask first; confirm_all if not given",
);

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** A cursor in the query: what it does not say, `Last-Event-ID` does. */
export const CURSOR_QUERY = object({
  after: Type.Optional(
    Type.String({ pattern: "^[0-9]{1,15}$", description: "only events after this id" }),
  ),
});

const count = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000, description }));

const PART = Type.Union([
  object({ type: Type.Literal("text"), text: Type.String() }),
  object({
    type: Type.Literal("image"),
    media_type: Type.Optional(oneOf(IMAGE_TYPES, "the file's own first bytes count")),
    data: Type.Optional(Type.String({ description: "base64" })),
    path: Type.Optional(Type.String({ description: "a file in the workspace" })),
  }),
  object({
    type: Type.Literal("file"),
    path: Type.String({ description: "a text file in the workspace" }),
  }),
]);

export const MESSAGE_BODY = object({
  content: Type.Union([Type.String(), Type.Array(PART, { minItems: 1, maxItems: 100 })], {
    description: "the message: text, or parts",
  }),
  continuation: Type.Optional(Type.Boolean({ description: "not used" })),
  delivery: Type.Optional(
    oneOf(
      ["reject", "queue", "steer"],
      "during a turn: refuse it, as /message does if not told; let it wait, as /runs does; let it join",
    ),
  ),
  on_disconnect: Type.Optional(
    oneOf(
      ["continue", "cancel"],
      "what becomes of the run when its client hangs up; continue if not given",
    ),
  ),
  limits: Type.Optional(
    Type.Object(
      {
        model_calls: count("calls of the model; each subagent may make as many"),
        tool_calls: count("calls of tools, those of subagents included"),
        seconds: count("from its beginning on"),
        tokens: count("in and out, of all calls, those of subagents included"),
      },
      { additionalProperties: true, description: "where the run ends at the latest" },
    ),
  ),
});

type Limits = { model_calls?: number; tool_calls?: number; seconds?: number; tokens?: number };
export const readLimits = (limits: Limits = {}): RunLimits => ({
  modelCalls: limits.model_calls ?? null,
  toolCalls: limits.tool_calls ?? null,
  seconds: limits.seconds ?? null,
  tokens: limits.tokens ?? null,
});
