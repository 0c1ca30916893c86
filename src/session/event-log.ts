/**
 * An event log: the one meeting point of the turn that writes and everyone who reads (SSE,
 * dashboards, the command line). Each reader has its own place in it; one that lags or leaves
 * never slows a turn. Nothing can be read before it is stored.
 */
import { EngineError } from "../domain/errors.ts";
import type { EventBody, LifecycleBody } from "../domain/events.ts";
import type { Seq, SessionId } from "../domain/ids.ts";
import type { GroupCommit } from "../store/group-commit.ts";
import type { EventBatch, LogId, LogRange, Store, Write } from "../store/store.ts";

/** What is kept in memory of a log's end, so that live readers need no query. */
const RECENT_CHARS_MAX = 64 * 1024;
/** Text that follows text in the same tick joins its event up to this length. */
const MERGED_CHARS_MAX = 16 * 1024;
/** More events than this in one tick, and the writer should wait for them to be stored. */
const PENDING_MAX = 64;

export type { EventBatch };

type Body = EventBody | LifecycleBody;
type Pending = Body & { ts: number; session_id?: SessionId };

/** One reader's place in a log. */
export type LogReader = {
  /**
   * The next events, a bounded number of them; waits while there are none. Null when there are none
   * and the reader's signal aborts. Throws when the log cannot be written any more.
   */
  next(): Promise<EventBatch | null>;
};

export type LogServices = {
  store: Store;
  commit: GroupCommit;
  /** How many events a log keeps; the oldest go first. */
  eventsKept: number;
  /**
   * Told when an event could not be stored: nothing can be appended any more. A log without it
   * forgets such events and goes on.
   */
  onFailure?(error: Error): void;
};

export class EventLog {
  private pending: Pending[] = [];
  private recent: EventBatch[] = [];
  private recentChars = 0;
  private stored: Seq;
  private wake = Promise.withResolvers<void>();
  private failure: EngineError | null = null;
  private ended = false;

  private constructor(
    private readonly id: LogId,
    /** Goes into every event: the session, where the bodies do not name it themselves. */
    private readonly about: { session_id?: SessionId },
    private readonly services: LogServices,
    private readonly range: LogRange,
  ) {
    this.stored = range.last;
  }

  static async open(
    id: LogId,
    about: { session_id?: SessionId },
    services: LogServices,
  ): Promise<EventLog> {
    return new EventLog(id, about, services, await services.store.logRange(id));
  }

  /** Seq of the newest event, stored or about to be. */
  get last(): Seq {
    return this.range.last;
  }

  /** Seq of the oldest event that can still be read. */
  get first(): Seq {
    return this.range.first;
  }

  /** True when nothing can be appended any more. */
  get closed(): boolean {
    return this.ended || this.failure !== null;
  }

  /** True when a writer in a hurry should await `flushed` before it goes on. */
  get full(): boolean {
    return this.pending.length >= PENDING_MAX;
  }

  /**
   * Gives the event its place; it is stored with all that this tick of the event loop writes.
   * Returns its seq. Throws when an earlier event could not be stored.
   */
  append(body: Body): Seq {
    if (this.failure) throw this.failure;
    if (this.ended) throw new EngineError("unavailable", "The session is closed");
    const last = this.pending.at(-1);
    if (last && joined(last, body)) return this.range.last;
    if (this.pending.length === 0) this.commitPending();
    this.pending.push({ ...body, ts: Date.now(), ...this.about });
    return ++this.range.last;
  }

  /** Resolves when every event appended so far is durable; rejects when one could not be stored. */
  async flushed(): Promise<void> {
    if (this.stored < this.range.last && !this.failure) await this.services.commit.settled();
    if (this.failure) throw this.failure;
  }

  /** Ends it: what was appended is stored, and read; nothing more is. */
  close(): void {
    this.ended = true;
    this.wakeReaders();
  }

  /** A reader that has seen everything up to `after`. `signal` ends its waiting. */
  reader(after: Seq, signal: AbortSignal): LogReader {
    let cursor = after;
    signal.addEventListener("abort", () => this.wakeReaders(), { once: true });
    return {
      next: async () => {
        for (;;) {
          const woken = this.wake.promise;
          const batch = this.stored > cursor ? await this.read(cursor) : null;
          if (batch) cursor = lastOf(batch);
          if (batch) return batch;
          if (this.failure) throw this.failure;
          const isOver = this.ended || signal.aborted;
          // What is on its way to the store is waited for, also at the end.
          if (isOver && this.stored === this.range.last) return null;
          await woken;
        }
      },
    };
  }

  /** Forgets the oldest events where there are more than are to be kept. */
  async trim(): Promise<void> {
    const { commit, store, eventsKept } = this.services;
    const before = this.range.last - eventsKept + 1;
    if (before <= this.range.first) return;
    await commit.write({ kind: "trim_events", log: this.id, before });
    this.range.first = (await store.logRange(this.id)).first;
  }

  private async read(after: Seq): Promise<EventBatch | null> {
    const recent = this.recent.findLast((batch) => batch.first <= after + 1);
    if (recent) return cut(recent, after);
    const [batch, ...more] = await this.services.store.eventsAfter(this.id, after);
    if (!batch) return null;
    return cut({ first: batch.first, json: [batch, ...more].flatMap((each) => each.json) }, after);
  }

  /** Puts into the group whatever is pending when it goes down, and shows it to readers afterwards. */
  private commitPending(): void {
    let batch: EventBatch | null = null;
    const write = (): Write | null => {
      if (this.pending.length === 0) return null;
      const first = this.range.last - this.pending.length + 1;
      try {
        batch = { first, json: this.pending.map((event) => JSON.stringify(event)) };
      } catch (error) {
        // Its own log's trouble; the rest of the group must not suffer for it.
        this.pending = [];
        this.fail(error);
        return null;
      }
      this.pending = [];
      return { kind: "events", log: this.id, batch };
    };
    this.services.commit.write(write).then(
      () => batch && this.publish(batch),
      (error: unknown) => this.fail(error),
    );
  }

  private publish(batch: EventBatch): void {
    this.stored = lastOf(batch);
    this.recent.push(batch);
    this.recentChars += chars(batch);
    while (this.recentChars > RECENT_CHARS_MAX && this.recent.length > 1) {
      this.recentChars -= chars(this.recent[0] as EventBatch);
      this.recent.shift();
    }
    this.wakeReaders();
  }

  private fail(cause: unknown): void {
    const { onFailure } = this.services;
    if (onFailure) {
      this.failure ??= new EngineError("internal", "The event log could not be written", { cause });
      this.pending = [];
      onFailure(this.failure);
    }
    // Those that came after the lost ones take their places.
    this.range.last = this.stored + this.pending.length;
    this.wakeReaders();
  }

  private wakeReaders(): void {
    const { resolve } = this.wake;
    this.wake = Promise.withResolvers<void>();
    resolve();
  }
}

/** Streamed text is cut by accident: what follows in the same tick makes one event with it. */
function joined(last: Pending, body: Body): boolean {
  if (last.type === "token" || last.type === "thinking") {
    if (body.type !== last.type || last.text.length > MERGED_CHARS_MAX) return false;
    last.text += body.text;
    return true;
  }
  if (last.type !== "tool_output" || body.type !== "tool_output") return false;
  if (last.tool_id !== body.tool_id || last.chunk.length > MERGED_CHARS_MAX) return false;
  last.chunk += body.chunk;
  return true;
}

export const lastOf = (batch: EventBatch): Seq => batch.first + batch.json.length - 1;
const chars = (batch: EventBatch): number => batch.json.reduce((sum, line) => sum + line.length, 0);

/** The part of the batch after `after`; null when there is none. */
function cut(batch: EventBatch, after: Seq): EventBatch | null {
  if (batch.first > after) return batch;
  const json = batch.json.slice(after - batch.first + 1);
  return json.length > 0 ? { first: after + 1, json } : null;
}
