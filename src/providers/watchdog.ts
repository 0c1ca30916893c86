/** The limit on a provider's silence. */

/** A timer cannot wait longer. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** Counts silence with one timer for a whole reply, however many pieces it comes in. */
export class Watchdog {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private limitMs = 0;
  private since = 0;
  private waiting = false;

  constructor(private readonly onSilence: (limitMs: number) => void) {}

  /** From now on silence counts, up to `limitMs`. */
  wait(limitMs: number): void {
    this.since = performance.now();
    this.waiting = true;
    if (limitMs === this.limitMs) return;
    this.limitMs = limitMs;
    this.arm(limitMs);
  }

  /** Something came: what its reader now does with it is not the provider's time. */
  rest(): void {
    this.waiting = false;
  }

  stop(): void {
    this.waiting = false;
    clearTimeout(this.timer);
  }

  private arm(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), Math.min(ms, TIMER_MS_MAX));
  }

  private look(): void {
    const left = this.waiting ? this.since + this.limitMs - performance.now() : this.limitMs;
    if (left > 0) {
      this.arm(left);
      return;
    }
    this.stop();
    this.onSilence(this.limitMs);
  }
}
