/** A text without end in bounded memory: its last lines, as a terminal would show them. */

export const LINES_MAX = 2_000;
/** Of all kept lines together. Twice as much is held at times, so that not every line moves the others. */
const BYTES_MAX = 512 * 1024;
const FIRST_BYTES = 16 * 1024;
const LINE_CHARS_MAX = 2_000;
const CUT_NOTE = " [… line cut]";

export class RecentLines {
  /** Finished lines, each with its line break. As bytes: a string may hold on to the piece it was cut from. */
  private kept = new Uint8Array(FIRST_BYTES);
  private used = 0;
  /** Whether bytes were given up, so that the first line may have lost its beginning. */
  private givenUp = false;
  private finished = 0;
  /** The line that is not finished. */
  private open = "";

  /** How many lines came, kept or not. */
  get count(): number {
    return this.open === "" ? this.finished : this.finished + 1;
  }

  add(text: string): void {
    const lines = (this.open + text).split("\n");
    this.open = cut(overwritten(lines.pop() ?? ""));
    if (lines.length === 0) return;
    this.finished += lines.length;
    const recent = lines.slice(-LINES_MAX).map((line) => `${asShown(line)}\n`);
    this.append(new TextEncoder().encode(recent.join("")));
  }

  /** The last `count` lines, or as many as are kept. */
  last(count: number): string[] {
    const bytes = lastBytes(this.kept.subarray(0, this.used));
    const lines = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).split("\n");
    const open = asShown(this.open);
    // What follows the last line break is the unfinished line, if there is one.
    lines.splice(-1, 1, ...(open === "" ? [] : [open]));
    const whole = this.givenUp || bytes.length < this.used ? lines.slice(1) : lines;
    return whole.slice(-Math.min(count, LINES_MAX));
  }

  private append(lines: Uint8Array): void {
    const added = lastBytes(lines);
    this.givenUp ||= added.length < lines.length;
    if (this.used + added.length > this.kept.length) this.makeRoom(added.length);
    this.kept.set(added, this.used);
    this.used += added.length;
  }

  private makeRoom(length: number): void {
    const held = lastBytes(this.kept.subarray(0, this.used));
    this.givenUp ||= held.length < this.used;
    const size = Math.min(2 * BYTES_MAX, 2 * (held.length + length));
    if (size > this.kept.length) this.kept = new Uint8Array(size);
    this.kept.set(held);
    this.used = held.length;
  }
}

const lastBytes = (bytes: Uint8Array): Uint8Array => bytes.subarray(-BYTES_MAX);

/** A finished line. Its last carriage return is a part of the line break. */
const asShown = (line: string): string =>
  cut(overwritten(line.endsWith("\r") ? line.slice(0, -1) : line));

/** A carriage return goes back to the beginning of the line, as progress bars do; at the end it waits for more. */
const overwritten = (line: string): string =>
  line.slice(line.lastIndexOf("\r", Math.max(0, line.length - 2)) + 1);

const cut = (line: string): string =>
  line.length <= LINE_CHARS_MAX + CUT_NOTE.length
    ? line
    : line.slice(0, LINE_CHARS_MAX).toWellFormed() + CUT_NOTE;
