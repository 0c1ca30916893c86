/** Passes on a growing text while it grows: in pieces of some size, and not without end. */

/** From a piece's first characters to its being passed on: the first pieces come soon, many come slower. */
const INTERVAL_MS_MIN = 50;
const INTERVAL_MS_MAX = 250;
const TOTAL_CHARS_MAX = 256 * 1024;
const END_NOTE = "\n[… the rest is not shown while it runs …]\n";

/**
 * Whoever keeps the pieces pays for each, so they are collected for a moment. A text that ends within
 * that moment is not passed on at all; its whole is about to be known.
 */
export class LiveText {
  private waiting = "";
  private room = TOTAL_CHARS_MAX;
  private intervalMs = INTERVAL_MS_MIN;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly show: (text: string) => void) {}

  add(text: string): void {
    if (text === "" || this.room === 0) return;
    this.waiting += text.slice(0, this.room);
    this.room = Math.max(0, this.room - text.length);
    if (this.room === 0) this.waiting += END_NOTE;
    this.timer ??= setTimeout(() => this.flush(), this.intervalMs);
  }

  /** Nothing is passed on after this. */
  end(): void {
    if (this.timer) clearTimeout(this.timer);
    const shown = this.intervalMs > INTERVAL_MS_MIN;
    if (shown && this.waiting !== "") this.flush();
    this.room = 0;
  }

  private flush(): void {
    this.timer = null;
    this.intervalMs = Math.min(INTERVAL_MS_MAX, 2 * this.intervalMs);
    this.show(this.waiting.toWellFormed());
    this.waiting = "";
  }
}
