/** What keeps a conversation acceptable to every provider, however a turn ended. */
import type { ToolCall, ToolMessage } from "../domain/messages.ts";
import { addMessage, type Session } from "./session.ts";

/** The calls of the last reply that have no answer yet. */
export function openCalls(session: Session): ToolCall[] {
  const at = session.messages.findLastIndex((message) => message.role === "assistant");
  const reply = session.messages[at];
  if (reply?.role !== "assistant") return [];
  const answered = new Set(
    session.messages.slice(at + 1).map((message) => message.role === "tool" && message.callId),
  );
  return reply.toolCalls.filter((call) => !answered.has(call.id));
}

/** A provider refuses a conversation with an unanswered call: each gets `reason` as its answer. */
export function answerOpenCalls(session: Session, reason: string): void {
  for (const call of openCalls(session)) addMessage(session, toolMessage(call, `Error: ${reason}`));
}

const toolMessage = (call: ToolCall, output: string): ToolMessage & { ts: number } => ({
  role: "tool",
  callId: call.id,
  output,
  isError: true,
  ts: Date.now(),
});
