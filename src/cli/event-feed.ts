/** The events of a run or a session as they come, across broken connections. */
import { EngineError } from "../domain/errors.ts";
import type { EngineEvent, StreamNotice } from "../domain/events.ts";
import type { Seq } from "../domain/ids.ts";
import { sleep } from "../lib/abort.ts";

/** `seq` is null for what the stream says of itself and for prompts that are shown again. */
export type Received = { seq: Seq | null; event: EngineEvent | StreamNotice };

export type FeedOptions = {
  /** Everything up to here has been seen; null: nothing yet. */
  after: Seq | null;
  /** The first time, and again after a break. */
  open(after: Seq | null): Promise<Response>;
  /** True for the event after which nothing more comes. */
  isLast(event: EngineEvent | StreamNotice): boolean;
};

/** In a row, without an event between them: some twelve seconds, enough for a restart. */
const RECONNECTS_MAX = 6;
const RECONNECT_DELAY_MS = 250;
const RECONNECT_DELAY_MS_MAX = 4_000;
/** No event is longer: bodies of requests are not, and tools' outputs are cut far below. */
const LINE_CHARS_MAX = 32 * 1024 * 1024;

/**
 * Yields each event once and returns after the last one. Throws what `open` throws at first; later
 * only when the engine stays away or has nothing to go on with.
 */
export async function* eventFeed(
  { after, open, isLast }: FeedOptions,
  signal: AbortSignal,
): AsyncGenerator<Received> {
  let cursor = after;
  let response = await open(cursor);
  for (let failures = 0; ; failures++) {
    let broken: unknown = null;
    try {
      for await (const received of readFrames(response, signal)) {
        failures = 0;
        cursor = received.seq ?? cursor;
        yield received;
        if (isLast(received.event)) return;
      }
    } catch (error) {
      if (error instanceof EngineError) throw error;
      broken = error;
    }
    ({ response, failures } = await reopen(() => open(cursor), failures, broken, signal));
  }
}

async function reopen(
  open: () => Promise<Response>,
  failuresBefore: number,
  broken: unknown,
  signal: AbortSignal,
): Promise<{ response: Response; failures: number }> {
  let cause = broken;
  for (let failures = failuresBefore; failures < RECONNECTS_MAX; failures++) {
    signal.throwIfAborted();
    await sleep(Math.min(RECONNECT_DELAY_MS * 2 ** failures, RECONNECT_DELAY_MS_MAX), signal);
    try {
      return { response: await open(), failures };
    } catch (error) {
      // While it starts, an engine listens before its new token is written.
      const code = error instanceof EngineError ? error.code : null;
      if (code !== "unavailable" && code !== "unauthorized") throw error;
      cause = error;
    }
  }
  throw new EngineError("unavailable", "The connection to the engine is lost", { cause });
}

/** Ends early when the signal aborts. */
async function* readFrames(response: Response, signal: AbortSignal): AsyncGenerator<Received> {
  if (!response.body) return;
  const reader = response.body.getReader();
  const hangUp = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", hangUp, { once: true });
  try {
    const decoder = new TextDecoder();
    let rest = "";
    let seq: Seq | null = null;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += textOf(value, decoder);
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LINE_CHARS_MAX)
        throw new EngineError("bad_gateway", "The engine sent a line without an end");
      for (const line of lines) {
        if (line.startsWith("id: ")) seq = Number(line.slice("id: ".length));
        if (!line.startsWith("data: ")) continue;
        yield { seq, event: JSON.parse(line.slice("data: ".length)) };
        seq = null;
      }
    }
  } finally {
    signal.removeEventListener("abort", hangUp);
    hangUp();
  }
}

/** An engine in this process hands over its text as it is. */
const textOf = (chunk: Uint8Array | string, decoder: TextDecoder): string =>
  typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
