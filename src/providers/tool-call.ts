/** Tool calls as providers send them, made whole and kept within limits. */
import { newToolCallId, type ToolCallId } from "../domain/ids.ts";
import type { Message } from "../domain/messages.ts";
import type { ModelToolCall } from "../domain/model.ts";
import { type Failing, protocolFailure } from "./failures.ts";
import { isDeeper, isRecord, wordOf } from "./wire.ts";

/** Of one reply. A model that wants more runs in circles. */
const CALLS_MAX = 128;
const NAME_CHARS_MAX = 128;
const ARGUMENTS_CHARS_MAX = 1024 * 1024;
const ARGUMENTS_LEVELS_MAX = 100;
/** What is shown of arguments that cannot be used. */
const EXCERPT_CHARS_MAX = 200;
/** Ids of calls that the conversation no longer has. */
const FORGOTTEN_IDS_MAX = 10_000;
/** Ids stand in events, and in paths and bodies of the requests that answer them. */
const USABLE_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

/**
 * The ids of one model's calls: none is used twice, also when the conversation was forgotten meanwhile,
 * so an answer for one call never counts for another. Some servers count from zero in each reply.
 */
export class CallIds {
  private readonly taken = new Set<string>();

  /** The conversation's own count as well, whoever made them. */
  remember(messages: readonly Message[]): void {
    for (const id of this.taken) {
      if (this.taken.size <= FORGOTTEN_IDS_MAX) break;
      this.taken.delete(id);
    }
    for (const message of messages)
      if (message.role === "assistant")
        for (const call of message.toolCalls) this.taken.add(call.id);
  }

  /** The provider's own id where it can be used, else a new one. */
  take(id: unknown): ToolCallId {
    const usable = typeof id === "string" && USABLE_ID.test(id) && !this.taken.has(id);
    const taken = usable ? (id as ToolCallId) : newToolCallId();
    this.taken.add(taken);
    return taken;
  }
}

/** The tool calls of one reply. */
export class ReplyCalls {
  private count = 0;

  constructor(
    private readonly ids: CallIds,
    private readonly failing: Failing,
  ) {}

  /** Called for every call before anything of it is kept; throws for one too many. */
  begin(): void {
    if (this.count === CALLS_MAX)
      throw protocolFailure(`sent more than ${CALLS_MAX} tool calls in one reply`, this.failing);
    this.count++;
  }

  whole(id: unknown, name: unknown, text: string): ModelToolCall {
    return { id: this.ids.take(id), name: wordOf(name, NAME_CHARS_MAX), ...argumentsOf(text) };
  }

  /** In chat's words, for a reply that came without. */
  get stopReason(): string {
    return this.count > 0 ? "tool_calls" : "stop";
  }
}

type Arguments = Pick<ModelToolCall, "input" | "invalidInput">;

/** No arguments at all mean an empty object: tools without parameters are called that way. */
function argumentsOf(text: string): Arguments {
  if (text.length > ARGUMENTS_CHARS_MAX)
    return invalid(`(more than ${ARGUMENTS_CHARS_MAX} characters) `, text);
  if (isDeeper(text, ARGUMENTS_LEVELS_MAX))
    return invalid(`(more than ${ARGUMENTS_LEVELS_MAX} levels deep) `, text);
  const input = text.trim() === "" ? {} : jsonObject(text);
  return input === null ? invalid("", text) : { input };
}

const invalid = (fault: string, text: string): Arguments => ({
  input: {},
  invalidInput: `${fault}${text.slice(0, EXCERPT_CHARS_MAX - fault.length)}`.toWellFormed(),
});

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
