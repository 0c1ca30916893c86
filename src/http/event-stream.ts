/**
 * Event log → SSE response. The client pulls: one that is slow costs its place in the log, not
 * memory, and is cut off when it takes nothing for too long.
 */
import type { StreamNotice } from "../domain/events.ts";
import type { Seq } from "../domain/ids.ts";
import { SSE_HEADERS, SSE_OPEN, SSE_PING, sseFrame } from "../lib/sse.ts";
import type { EventBatch } from "../session/event-log.ts";
import { CORS_HEADERS } from "./errors.ts";

/** Proxies cut what is silent for a minute or so. */
const PING_MS = 15_000;
/** A client that took nothing for so long, while there was something, is cut off. */
export const SLOW_READER_MS = 60_000;

export type EventSource = {
  /** The reader has seen everything up to here. */
  after: Seq;
  /** What follows, past and live. */
  batches(signal: AbortSignal): AsyncIterable<EventBatch>;
  /** The batches follow each other without a gap, unless events are no longer kept. */
  whole: boolean;
  /** JSON of what is said before, without a place of its own. */
  before?: readonly string[];
  /** JSON of what is said when the batches have ended, without a place of its own. */
  afterwards?(): string | null;
  /** Whether there is nothing more to come: else the client is told that the engine ended the stream. */
  isOver?(): boolean;
  /** Aborts when the engine ends the stream. */
  closed: AbortSignal;
  onOpen?(): void;
  /** `hungUp`: the client left before the end. */
  onEnd?(hungUp: boolean): void;
  headers?: Record<string, string>;
};

export function eventStream(source: EventSource, slowReaderMs = SLOW_READER_MS): Response {
  const gone = new AbortController();
  const frames = framesOf(source, AbortSignal.any([gone.signal, source.closed]));
  let cursor = source.after;
  let taken = performance.now();
  let pulling = false;
  let open = true;

  function end(hungUp: boolean): void {
    if (!open) return;
    open = false;
    clearInterval(watch);
    gone.abort();
    source.onEnd?.(hungUp);
  }
  let watch: Timer | undefined;
  const stream = new ReadableStream<string>(
    {
      start(controller) {
        source.onOpen?.();
        watch = setInterval(
          () => {
            if (pulling) controller.enqueue(SSE_PING);
            else if (performance.now() - taken > slowReaderMs) {
              controller.enqueue(notice({ type: "stream_cut", cursor, reason: "slow_reader" }));
              controller.close();
              end(true);
            }
          },
          Math.min(PING_MS, slowReaderMs / 2),
        );
      },
      async pull(controller) {
        pulling = true;
        const next = await frames.next();
        pulling = false;
        taken = performance.now();
        if (!open) return;
        if (next.done) {
          controller.close();
          end(false);
        } else {
          cursor = next.value.last;
          controller.enqueue(next.value.text);
        }
      },
      cancel: () => end(true),
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, {
    headers: { ...SSE_HEADERS, ...CORS_HEADERS, ...source.headers },
  });
}

type Frames = { text: string; last: Seq };

async function* framesOf(source: EventSource, signal: AbortSignal): AsyncGenerator<Frames> {
  let last = source.after;
  // At once, so that the client has its headers.
  yield { text: SSE_OPEN + (source.before ?? []).map((json) => sseFrame(json)).join(""), last };
  for await (const { first, json } of source.batches(signal)) {
    let text = "";
    if (source.whole && first > last + 1)
      text = notice({ type: "replay_gap", after: last, next: first });
    for (let at = 0; at < json.length; at++) text += sseFrame(json[at] as string, first + at);
    last = first + json.length - 1;
    yield { text, last };
  }
  const afterwards = source.afterwards?.() ?? null;
  if (afterwards !== null) yield { text: sseFrame(afterwards), last };
  else if (source.closed.aborted && !source.isOver?.())
    yield { text: notice({ type: "stream_cut", cursor: last, reason: "shutdown" }), last };
}

const notice = (what: StreamNotice): string => sseFrame(JSON.stringify(what));
