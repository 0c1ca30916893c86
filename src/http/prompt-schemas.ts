/** Pieces that events and replies share: a call that asks for permission, an item of a plan. */
import { Type } from "@sinclair/typebox";
import type { SessionId, ToolCallId } from "../domain/ids.ts";
import { APPROVAL_SCOPES } from "../domain/permission.ts";
import { TODO_STATES } from "../domain/todo.ts";
import { named } from "./components.ts";
import { choice, idOf, jsonObject, text } from "./fields.ts";
import { nullable } from "./schemas.ts";

export const TOOL_ID = idOf<ToolCallId>("the tool call; the same in all its events");
export const RISK_LEVEL = choice(
  ["low", "medium", "high", "unknown"],
  "what the call may do, as far as can be told",
);

export const CALL = {
  tool_id: TOOL_ID,
  tool_name: text("as the model called it"),
  tool_type: text("the kind of tool, for example terminal, file_read, mcp_tool"),
  input: jsonObject("the call's arguments"),
  risk_level: RISK_LEVEL,
};

const RISK_PART = named("RiskPart", "One program that a shell command would run.", {
  text: text("as it stands in the command"),
  risk_level: RISK_LEVEL,
  reason: text("why it has this level, for people"),
});
const SUGGESTED_SCOPE = named("SuggestedScope", "A scope that an approval may have.", {
  scope: choice(APPROVAL_SCOPES, "as the answer names it"),
  keys: Type.Array(Type.String(), { description: "what would be remembered, word for word" }),
  covers: text("which later calls that covers, for people"),
});

export const PROMPT = {
  ...CALL,
  risk_reason: text("why it has this level, for people"),
  parts: Type.Array(RISK_PART, {
    description: "of a shell command: every program it would run; else empty",
  }),
  suggested_scopes: Type.Array(SUGGESTED_SCOPE, { description: "narrowest first" }),
  diff: nullable(text("unified diff of what would change; null: no files, or it cannot be told")),
  subagent: nullable(
    Type.Object(
      { session_id: idOf<SessionId>("the child session"), tool_id: TOOL_ID },
      {
        description:
          "the child's own call, where a subagent asks: answered under either id; else null",
      },
    ),
  ),
};

export const TODO_ITEM = named("TodoItem", "A step of the agent's plan.", {
  content: text("what is to be done"),
  status: choice(TODO_STATES, "how far it is"),
});
