/**
 * The model that needs no key: a small rule-based assistant, honest about being one. Newcomers,
 * authors of clients and the smoke test run every path of the engine with it.
 */
import { setImmediate } from "node:timers/promises";
import { EngineError, type EngineErrorOptions } from "../domain/errors.ts";
import { newToolCallId } from "../domain/ids.ts";
import type { Message, Usage } from "../domain/messages.ts";
import type { Model, ModelEvent, ModelRequest } from "../domain/model.ts";
import type { Profile } from "../domain/profile.ts";
import { sleep } from "../lib/abort.ts";
import { withoutFiles } from "./offline/quoted-files.ts";
import { type Piece, replyTo, type Turn } from "./offline/reply.ts";
import type { Fault, ToolAnswer } from "./offline/steps.ts";

const NAME = "offline";
/** Short, so that whoever tries out retries does not wait. */
const RETRY_AFTER_MS = 50;
const WORDS_PER_TICK = 64;
const CHARS_PER_TOKEN = 4;

export function openOffline(profile: Profile): Model {
  const failures = new Failures();
  return {
    provider: NAME,
    name: NAME,
    sees: false,
    callsTools: profile.supportsTools,
    stream: (request, signal) => streamReply(request, profile.streaming, failures, signal),
    close() {},
  };
}

/** How often a model call failed because the user asked for that. All else is read from the messages. */
class Failures {
  private call = "";
  private attempts = 0;

  /** Counts this attempt and says whether it is one of the first `times` of the same call. */
  isAmongFirst(times: number, request: ModelRequest): boolean {
    const call = `${request.messages.length} ${request.messages.at(-1)?.ts}`;
    this.attempts = call === this.call ? this.attempts + 1 : 1;
    this.call = call;
    return this.attempts <= times;
  }
}

async function* streamReply(
  request: ModelRequest,
  streaming: boolean,
  failures: Failures,
  signal: AbortSignal,
): AsyncGenerator<ModelEvent> {
  const pieces = replyTo(turnOf(request.messages), new Set(request.tools.map(({ name }) => name)));
  for (const piece of pieces)
    if (piece.kind === "failure_at_first" && failures.isAmongFirst(piece.times, request))
      throw askedFor(piece.fault, { retryable: true, retryAfterMs: RETRY_AFTER_MS });

  const events = eventsOf(pieces, signal);
  const spoken = { text: 0, thinking: 0, calls: 0 };
  for await (const event of streaming ? events : inOnePiece(events)) {
    if (event.type === "text") spoken.text += event.text.length;
    if (event.type === "thinking") spoken.thinking += event.text.length;
    if (event.type === "tool_call") spoken.calls += JSON.stringify(event.call).length;
    yield event;
  }
  if (signal.aborted) return;
  const stopReason = spoken.calls > 0 ? "tool_use" : "end_turn";
  yield { type: "finish", stopReason, usage: usageOf(request, spoken) };
}

/** Ends early when the signal aborts. */
async function* eventsOf(
  pieces: readonly Piece[],
  signal: AbortSignal,
): AsyncGenerator<ModelEvent> {
  let gap = "";
  for (const piece of pieces) {
    if (signal.aborted) return;
    switch (piece.kind) {
      case "text":
        for await (const text of paced(wordsOf(`${gap}${piece.text}`), 0, signal))
          yield { type: "text", text };
        gap = "\n\n";
        break;
      case "words":
        for await (const text of paced(spaced(gap, piece.words), piece.pauseMs, signal))
          yield { type: "text", text };
        gap = "\n\n";
        break;
      case "thinking":
        for await (const text of paced(wordsOf(piece.text), 0, signal))
          yield { type: "thinking", text };
        yield {
          type: "thinking_block",
          block: { provider: NAME, text: piece.text, signature: null },
        };
        break;
      case "calls":
        for (const { tool, input } of piece.calls)
          yield { type: "tool_call", call: { id: newToolCallId(), name: tool, input } };
        break;
      case "failure":
        throw askedFor(piece.fault, {});
      case "failure_at_first":
        break;
      default:
        piece satisfies never;
    }
  }
}

/** Words one by one, letting others run now and then. */
async function* paced(
  words: Iterable<string>,
  pauseMs: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let count = 0;
  for (const word of words) {
    if (pauseMs > 0 && count > 0) await sleep(pauseMs, signal);
    else if (count % WORDS_PER_TICK === WORDS_PER_TICK - 1) await setImmediate();
    if (signal.aborted) return;
    yield word;
    count += 1;
  }
}

/** Each word with the white space before it. */
const wordsOf = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? [];

function* spaced(gap: string, words: Iterable<string>): Generator<string> {
  let before = gap;
  for (const word of words) {
    yield `${before}${word}`;
    before = " ";
  }
}

/** For profiles that do not stream: neighbouring texts as one. */
async function* inOnePiece(events: AsyncIterable<ModelEvent>): AsyncGenerator<ModelEvent> {
  let held: { type: "text" | "thinking"; text: string } | null = null;
  for await (const event of events) {
    const speech = event.type === "text" || event.type === "thinking" ? event : null;
    if (held && speech?.type === held.type) {
      held = { type: held.type, text: held.text + speech.text };
      continue;
    }
    if (held) yield held;
    if (!speech) yield event;
    held = speech;
  }
  if (held) yield held;
}

const askedFor = (fault: Fault, options: EngineErrorOptions): EngineError =>
  new EngineError(fault, `The offline model was asked to fail with ${fault}`, options);

function usageOf(
  request: ModelRequest,
  spoken: { text: number; thinking: number; calls: number },
): Usage {
  const tokens = (chars: number) => Math.ceil(chars / CHARS_PER_TOKEN);
  let heard = request.system.length;
  for (const message of request.messages) heard += charsOf(message);
  for (const tool of request.tools) heard += JSON.stringify(tool).length;
  return {
    inputTokens: tokens(heard),
    outputTokens: tokens(spoken.text + spoken.thinking + spoken.calls),
    thinkingTokens: tokens(spoken.thinking),
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
  };
}

function charsOf(message: Message): number {
  if (message.role === "user") return message.text.length;
  if (message.role === "tool") return message.output.length;
  return message.text.length + JSON.stringify(message.toolCalls).length;
}

function turnOf(messages: readonly Message[]): Turn {
  const start = messages.findLastIndex(({ role }) => role === "user");
  const user = messages[start];
  const earlier = messages.slice(0, Math.max(start, 0));
  return {
    ...withoutFiles(user?.role === "user" ? user.text : ""),
    imageTypes: user?.role === "user" ? user.images.map(({ mediaType }) => mediaType) : [],
    rounds: roundsIn(messages.slice(start + 1)),
    before: turnBefore(earlier),
  };
}

function roundsIn(messages: readonly Message[]): ToolAnswer[][] {
  const answers = new Map<string, ToolAnswer>();
  for (const message of messages)
    if (message.role === "tool")
      answers.set(message.callId, { text: message.output, failed: message.isError });
  const rounds: ToolAnswer[][] = [];
  for (const message of messages) {
    if (message.role !== "assistant" || message.toolCalls.length === 0) continue;
    rounds.push(message.toolCalls.flatMap(({ id }) => answers.get(id) ?? []));
  }
  return rounds;
}

function turnBefore(messages: readonly Message[]): Turn["before"] {
  const reply = messages.findLast((message) => message.role === "assistant");
  const request = messages.findLast((message) => message.role === "user");
  if (!reply || !request) return null;
  const last = messages.at(-1);
  const cut = last?.role === "assistant" && (last.partial || last.toolCalls.length > 0);
  return {
    request: withoutFiles(request.text).request,
    lastReply: reply.text,
    finished: last?.role !== "tool" && !cut,
  };
}
