/**
 * One call of a model over HTTP: sends the request through its SDK, reads the reply, keeps the limits.
 *
 * The SDKs make requests and errors. The bytes of a reply are read here and not by their iterators,
 * which end silently when a stream is cut, keep lines of any length, wait for ever, and take four
 * times the processor time for each token.
 */
import { EngineError } from "../domain/errors.ts";
import type { Model, ModelEvent, ModelRequest } from "../domain/model.ts";
import { SseParser, SseTooLong } from "../lib/sse-parse.ts";
import { watchConnection } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  cutFailure,
  type Failing,
  protocolFailure,
  readingFailure,
  requestFailure,
  timeoutFailure,
} from "./failures.ts";
import { CallIds, ReplyCalls } from "./tool-call.ts";
import { Watchdog } from "./watchdog.ts";
import { isDeeper } from "./wire.ts";

/** A whole reply with its framing, however long it goes on; a streamed token takes some 250 bytes. */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;
/** One streamed event; the longest holds a whole reply once more. */
const EVENT_CHARS_MAX = 16 * 1024 * 1024;
/** Arguments of a tool call may stand in it, which have a limit of their own. */
const REPLY_LEVELS_MAX = 200;
/** How long counts are waited for, at most, when the reply itself is whole. */
const COUNTS_MS_MAX = 5_000;

/** How a protocol puts a request and understands a reply. */
export type Dialect = {
  body(request: ModelRequest): object;
  reply(calls: ReplyCalls): ReplyReader;
  /** Sends a body through the SDK; rejects for any answer that is not 2xx. */
  post(body: object, signal: AbortSignal): Promise<Response>;
};

/** Understands one reply. Appends to `events` what was said; throws what the provider reports. */
export type ReplyReader = {
  /** The data of one streamed event. */
  event(data: string, events: ModelEvent[]): void;
  /** The body of a reply that was not streamed. */
  whole(body: unknown, events: ModelEvent[]): void;
  /** `whole`: only counts may follow. `over`: nothing follows. */
  readonly state: "open" | "whole" | "over";
  /** What was held back, then `finish`; only for a reply that is not open. */
  finish(events: ModelEvent[]): void;
};

/** What the parts of one call share. */
type Wire = {
  reply: ReplyReader;
  watchdog: Watchdog;
  betweenBytesMs: number;
  failing: Failing;
  /** What was thrown while the reply was read, as what it means. */
  explain(caught: unknown): EngineError;
};

/** Its calls share the SDK's client and which ids are taken, and nothing else. */
export function createModel(endpoint: Endpoint, dialect: Dialect): Model {
  const closing = new AbortController();
  const ids = new CallIds();
  return {
    provider: endpoint.provider,
    name: endpoint.model,
    sees: endpoint.sees,
    callsTools: endpoint.profile.supportsTools,
    stream: (request, signal) => call(endpoint, dialect, ids, request, [signal, closing.signal]),
    close: () => closing.abort(new EngineError("cancelled", "The session was closed")),
  };
}

async function* call(
  endpoint: Endpoint,
  dialect: Dialect,
  ids: CallIds,
  request: ModelRequest,
  stops: readonly AbortSignal[],
): AsyncGenerator<ModelEvent> {
  const { deadlines, failing } = endpoint;
  const upstream = new AbortController();
  let stopped = stops.some((signal) => signal.aborted);
  const stop = () => {
    stopped = true;
    upstream.abort();
  };
  for (const signal of stops) signal.addEventListener("abort", stop, { once: true });
  let late: EngineError | null = null;
  const giveUp = (what: string) => {
    late = timeoutFailure(what, failing);
    upstream.abort();
  };
  const watchdog = new Watchdog((ms) => giveUp(`sent nothing for ${ms / 1000} s`));
  const unwatch = watchConnection(endpoint, () =>
    giveUp(`took no connection within ${deadlines.connectMs / 1000} s`),
  );
  try {
    if (stopped) throw stopReason(stops);
    ids.remember(request.messages);
    const reply = dialect.reply(new ReplyCalls(ids, failing));
    watchdog.wait(deadlines.firstByteMs);
    const response = await dialect
      .post(dialect.body(request), upstream.signal)
      .catch((caught) => Promise.reject(late ?? requestFailure(caught, failing)));
    unwatch();
    const explain = (caught: unknown) => late ?? readingFailure(caught, failing);
    const wire = { reply, watchdog, betweenBytesMs: deadlines.betweenBytesMs, failing, explain };
    const batches = isStreamed(response, endpoint.profile.streaming)
      ? streamedReply(response, wire)
      : wholeReply(response, wire);
    for await (const batch of batches)
      for (const event of batch) {
        if (stopped) throw stopReason(stops);
        yield event;
      }
  } catch (caught) {
    throw stopped ? stopReason(stops) : caught;
  } finally {
    unwatch();
    watchdog.stop();
    for (const signal of stops) signal.removeEventListener("abort", stop);
    upstream.abort();
  }
}

function stopReason(stops: readonly AbortSignal[]): EngineError {
  const reason: unknown = stops.find((signal) => signal.aborted)?.reason;
  return reason instanceof EngineError
    ? reason
    : new EngineError("cancelled", "The call of the model was cancelled", { cause: reason });
}

/** As the server says; it may stream, or not, whatever was asked. */
const isStreamed = (response: Response, asked: boolean): boolean =>
  isEventStream(response) || (asked && !contentType(response).includes("json"));

const isEventStream = (response: Response): boolean =>
  contentType(response).includes("text/event-stream");
const contentType = (response: Response): string => response.headers.get("content-type") ?? "";

/** The events of a streamed reply as its bytes bring them; the last batch ends in `finish`. */
async function* streamedReply(response: Response, wire: Wire): AsyncGenerator<ModelEvent[]> {
  const { reply, failing } = wire;
  const parser = new SseParser(EVENT_CHARS_MAX);
  let eventCount = 0;
  const take = (bytes: Uint8Array | null, batch: ModelEvent[]): void => {
    for (const { data } of bytes === null ? parser.end() : parser.push(bytes)) {
      eventCount++;
      reply.event(data, batch);
      if (reply.state === "over") return;
    }
  };
  for await (const bytes of pieces(response, wire)) {
    const batch: ModelEvent[] = [];
    let failure: unknown = null;
    try {
      take(bytes, batch);
    } catch (caught) {
      // A reply that is whole stays whole, whatever follows it.
      if (reply.state === "open") failure = replyFault(caught, failing);
    }
    // What came before the failure was said all the same.
    yield batch;
    if (failure !== null) throw failure;
    if (reply.state === "over") break;
  }
  if (reply.state === "open") {
    if (eventCount === 0 && !isEventStream(response))
      throw protocolFailure("sent no event stream: check base_url", failing);
    throw cutFailure("ended its reply before it was whole", failing);
  }
  const last: ModelEvent[] = [];
  reply.finish(last);
  yield last;
}

/** What stopped the reading of a reply: what its provider reported, or what it should not have sent. */
function replyFault(caught: unknown, failing: Failing): EngineError {
  if (caught instanceof EngineError) return caught;
  if (caught instanceof SseTooLong)
    return protocolFailure(`sent too much: ${caught.message}`, failing);
  const cause = caught instanceof Error ? caught : undefined;
  return protocolFailure("sent a reply of no known shape", failing, cause);
}

/** The events of a reply that was sent in one piece. */
async function* wholeReply(response: Response, wire: Wire): AsyncGenerator<ModelEvent[]> {
  const chunks: Uint8Array[] = [];
  for await (const bytes of pieces(response, wire)) if (bytes !== null) chunks.push(bytes);
  const batch: ModelEvent[] = [];
  try {
    wire.reply.whole(parseReply(Buffer.concat(chunks).toString(), wire.failing), batch);
  } catch (caught) {
    throw replyFault(caught, wire.failing);
  }
  wire.reply.finish(batch);
  yield withOneText(batch);
}

/** JSON that a provider sent. */
export function parseReply(text: string, failing: Failing): unknown {
  if (isDeeper(text, REPLY_LEVELS_MAX))
    throw protocolFailure(`sent data more than ${REPLY_LEVELS_MAX} levels deep`, failing);
  try {
    return JSON.parse(text);
  } catch (caught) {
    const cause = caught instanceof Error ? caught : undefined;
    throw cutFailure("sent broken data", failing, cause);
  }
}

/** All text in the place of its first piece. */
function withOneText(events: readonly ModelEvent[]): ModelEvent[] {
  const text = events.map((event) => (event.type === "text" ? event.text : "")).join("");
  const first = events.findIndex((event) => event.type === "text");
  return events.flatMap((event, place): ModelEvent[] => {
    if (event.type !== "text") return [event];
    return place === first ? [{ type: "text", text }] : [];
  });
}

/** The body's bytes as they come, then null at its end. */
async function* pieces(response: Response, wire: Wire): AsyncGenerator<Uint8Array | null> {
  const { reply, watchdog, betweenBytesMs } = wire;
  const countsMs = Math.min(betweenBytesMs, COUNTS_MS_MAX);
  const reader = response.body?.getReader();
  let bytes = 0;
  while (reader) {
    // The first byte is already waited for, since the request.
    if (bytes > 0) watchdog.wait(reply.state === "open" ? betweenBytesMs : countsMs);
    const piece = await reader.read().catch((caught) => {
      if (reply.state === "open") throw wire.explain(caught);
      return null;
    });
    watchdog.rest();
    if (piece === null || piece.done) break;
    bytes += piece.value.byteLength;
    if (bytes > REPLY_BYTES_MAX)
      throw protocolFailure(`sent more than ${REPLY_BYTES_MAX} bytes`, wire.failing);
    yield piece.value;
  }
  yield null;
}
