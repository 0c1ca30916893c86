/** Passes on a growing text while it grows: in pieces of some size, and not without end. */

const INTERVAL_MS = 50;
const TOTAL_CHARS_MAX = 256 * 1024;
const END_NOTE = "\n[… the rest is not shown while it runs …]\n";

/**
 * Whoever keeps the pieces pays for each, so they are collected for a moment. A text that ends within
 * that moment is not passed on at all; its whole is about to be known.
 */
export class LiveText {
  private waiting = "";
  private room = TOTAL_CHARS_MAX;
  private shown = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly show: (text: string) => void) {}

  add(text: string): void {
    if (text === "" || this.room === 0) return;
    this.waiting += text.slice(0, this.room);
    this.room = Math.max(0, this.room - text.length);
    if (this.room === 0) this.waiting += END_NOTE;
    this.timer ??= setTimeout(() => this.flush(), INTERVAL_MS);
  }

  end(): void {
    if (this.timer) clearTimeout(this.timer);
    if (this.shown && this.waiting !== "") this.flush();
  }

  private flush(): void {
    this.timer = null;
    this.shown = true;
    this.show(this.waiting.toWellFormed());
    this.waiting = "";
  }
}
