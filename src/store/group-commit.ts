/**
 * Group commit: what one turn of the event loop writes, by whatever session, goes down in one
 * transaction. Writes are made in the order they were given, and those given without an `await`
 * between them are made together or not at all.
 */
import type { Store, Write } from "./store.ts";

/** A write, or one that is put together only when its group goes down; null: not any more. */
export type LateWrite = Write | (() => Write | null);

/**
 * Groups that follow each other without a pause are made larger: after a burst one goes down each
 * interval. A single turn never waits; many streams at once share their transactions.
 */
const GROUP_INTERVAL_MS = 1;
const BURST = 16;

export class GroupCommit {
  private group: LateWrite[] = [];
  private committed: Promise<void> | null = null;
  private lastGroup: Promise<void> = Promise.resolve();
  private credit = BURST;
  private creditAt = performance.now();

  constructor(private readonly store: Store) {}

  /** Resolves when the writes are durable; rejects when their group was not made. */
  write(...writes: LateWrite[]): Promise<void> {
    this.group.push(...writes);
    this.committed ??= this.commitSoon();
    return this.committed;
  }

  /** Resolves when all that was given so far is durable; rejects when its last group was not made. */
  settled(): Promise<void> {
    return this.committed ?? this.lastGroup;
  }

  private async commitSoon(): Promise<void> {
    const before = this.lastGroup;
    await (this.takeCredit() ? new Promise(setImmediate) : Bun.sleep(GROUP_INTERVAL_MS));
    // One that failed has told its own writers.
    await before.catch(() => {});
    const group = this.group;
    this.group = [];
    this.lastGroup = this.committed ?? this.lastGroup;
    this.committed = null;
    const writes = group.map((write) => (typeof write === "function" ? write() : write));
    await this.store.apply(writes.filter((write) => write !== null));
  }

  private takeCredit(): boolean {
    const now = performance.now();
    this.credit = Math.min(BURST, this.credit + (now - this.creditAt) / GROUP_INTERVAL_MS);
    this.creditAt = now;
    if (this.credit < 1) return false;
    this.credit -= 1;
    return true;
  }
}
