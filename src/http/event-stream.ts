/**
 * Event log → SSE response. The client pulls: one that is slow costs its place in the log, not
 * memory, and is cut off when it takes nothing for too long.
 */
import { EngineError, toEngineError } from "../domain/errors.ts";
import type { Seq, SessionId } from "../domain/ids.ts";
import { SSE_HEADERS, SSE_OPEN, SSE_PING, sseFrame } from "../lib/sse.ts";
import type { Said } from "../session/attach.ts";
import { type EventBatch, type LogReader, lastOf } from "../session/event-log.ts";
import { CORS_HEADERS } from "./errors.ts";

/** Proxies cut what is silent for a minute or so. */
const PING_MS = 15_000;
/** A client that took nothing for so long is cut off. */
export const SLOW_READER_MS = 60_000;

export type EventSource = {
  /** The reader has seen everything up to here. */
  after: Seq;
  /** What follows, past and live. */
  open(signal: AbortSignal): LogReader;
  /** The events follow each other without a gap, unless some are no longer kept. */
  whole: boolean;
  /** What is said before, without a place of its own. */
  before?: readonly Said[];
  /** What is said when the events have ended, without a place of its own. */
  afterwards?(): Said | null;
  /** Goes into all that the stream says itself. */
  about: { session_id?: SessionId };
  /** Whether nothing more can come: else the client is told that the engine ended the stream. */
  isOver?(): boolean;
  /** Aborts when the engine ends the stream. */
  closed: AbortSignal;
  /** `hungUp`: the client left before the end. */
  onEnd?(hungUp: boolean): void;
  headers?: Record<string, string>;
};

export function eventStream(source: EventSource, slowReaderMs = SLOW_READER_MS): Response {
  const gone = new AbortController();
  const reader = source.open(AbortSignal.any([gone.signal, source.closed]));
  let cursor = source.after;
  let takenAt = performance.now();
  let reading = false;
  let watch: Timer | undefined;

  function end(controller: Controller | null, hungUp: boolean): void {
    if (gone.signal.aborted) return;
    clearInterval(watch);
    gone.abort();
    controller?.close();
    source.onEnd?.(hungUp);
  }

  const say = (what: Said) =>
    sseFrame(JSON.stringify({ ...what, ts: Date.now(), ...source.about }));

  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // At once, so that the client has its headers.
        send(controller, SSE_OPEN + (source.before ?? []).map(say).join(""));
        const look = () => {
          if (reading) return send(controller, SSE_PING);
          if (performance.now() - takenAt <= slowReaderMs) return;
          send(controller, say({ type: "stream_cut", cursor, reason: "slow_reader" }));
          end(controller, false);
        };
        watch = setInterval(look, Math.min(PING_MS, slowReaderMs / 2));
      },
      async pull(controller) {
        reading = true;
        const batch = await reader.next().catch(toEngineError);
        reading = false;
        takenAt = performance.now();
        if (gone.signal.aborted) return;
        if (batch === null || batch instanceof EngineError) {
          const last = batch ? failure(batch) : lastWords(source, cursor);
          if (last) send(controller, say(last));
          end(controller, false);
          return;
        }
        if (source.whole && batch.first > cursor + 1)
          send(controller, say({ type: "replay_gap", after: cursor, next: batch.first }));
        send(controller, framesOf(batch));
        cursor = lastOf(batch);
      },
      cancel: () => end(null, true),
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, {
    headers: { ...SSE_HEADERS, ...CORS_HEADERS, ...source.headers },
  });
}

function framesOf({ first, json }: EventBatch): string {
  let text = "";
  for (let at = 0; at < json.length; at++) text += sseFrame(json[at] as string, first + at);
  return text;
}

function lastWords(source: EventSource, cursor: Seq): Said | null {
  const afterwards = source.afterwards?.() ?? null;
  if (afterwards !== null || !source.closed.aborted || source.isOver?.()) return afterwards;
  return { type: "stream_cut", cursor, reason: "shutdown" };
}

/** The log cannot be read or written any more; what was sent of it stands. */
const failure = ({ message }: EngineError): Said => ({
  type: "error",
  code: "internal",
  message,
  retryable: true,
});

type Controller = ReadableStreamDefaultController<Uint8Array>;
const ENCODER = new TextEncoder();
const send = (controller: Controller, text: string): void =>
  controller.enqueue(ENCODER.encode(text));
