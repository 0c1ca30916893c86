/** Tool calls as providers send them, made whole. */
import { newToolCallId, type ToolCallId } from "../domain/ids.ts";
import type { Message } from "../domain/messages.ts";
import type { ModelToolCall } from "../domain/model.ts";
import { isRecord } from "./wire.ts";

/** Some servers count their calls from zero in each reply: an id that was used before gets a new one. */
export class CallIds {
  private readonly taken = new Set<string>();

  constructor(messages: readonly Message[]) {
    for (const message of messages)
      if (message.role === "assistant")
        for (const call of message.toolCalls) this.taken.add(call.id);
  }

  take(id: unknown): ToolCallId {
    const usable = typeof id === "string" && id !== "" && !this.taken.has(id);
    const taken = usable ? (id as ToolCallId) : newToolCallId();
    this.taken.add(taken);
    return taken;
  }
}

/** No arguments at all mean an empty object: tools without parameters are called that way. */
export function toolCall(id: ToolCallId, name: string, text: string): ModelToolCall {
  const input = text.trim() === "" ? {} : jsonObject(text);
  return input === null ? { id, name, input: {}, invalidInput: text } : { id, name, input };
}

/** Null: the text is not a JSON object. */
function jsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text) ?? {};
    return isRecord(value) && !Array.isArray(value) ? value : null;
  } catch {
    // The model wrote it, and gets to read that it is wrong.
    return null;
  }
}
