/** A stream of bytes kept as text in bounded memory: its beginning and its end. */

/** No text that was cut is longer than this. */
export const TEXT_CHARS_MAX = 80_000;
const NOTE_CHARS_MAX = 100;
/** Kept of the beginning, and as much of the end. */
const HALF_CHARS_MAX = (TEXT_CHARS_MAX - NOTE_CHARS_MAX) / 2;

/** A NUL among the first bytes means that the stream is no text. */
const SNIFFED_BYTES = 1024;
const BINARY_TEXT = "[binary output not displayed]";

export class CapturedText {
  /** How many came, kept or not. */
  bytes = 0;
  binary = false;
  private characters = 0;
  private head = "";
  private tail = "";
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** Keeps what it can; returns the text that these bytes complete. */
  add(bytes: Uint8Array): string {
    const sniffed = bytes.subarray(0, Math.max(0, SNIFFED_BYTES - this.bytes));
    if (sniffed.includes(0)) this.binary = true;
    this.bytes += bytes.length;
    return this.binary ? "" : this.keep(this.decoder.decode(bytes, { stream: true }));
  }

  /** The stream has ended: a character that was cut in its middle counts as well. */
  end(): string {
    return this.binary ? "" : this.keep(this.decoder.decode());
  }

  /** Of the whole text, kept or not. */
  get length(): number {
    return this.binary ? BINARY_TEXT.length : this.characters;
  }

  text(): string {
    return this.binary ? BINARY_TEXT : cutMiddle(this.head + this.tail, this.length);
  }

  private keep(text: string): string {
    this.characters += text.length;
    const room = HALF_CHARS_MAX - this.head.length;
    this.head += text.slice(0, room);
    this.tail += text.slice(room);
    // Cut at twice its size, so that a stream of small pieces is not copied for every piece.
    if (this.tail.length > 2 * TEXT_CHARS_MAX) this.tail = this.tail.slice(-TEXT_CHARS_MAX);
    return text;
  }
}

/**
 * A text that is too long as its beginning, a note and its end. `length`: how long it was, where a part
 * of its middle is lost already.
 */
export function cutMiddle(text: string, length = text.length): string {
  if (length <= TEXT_CHARS_MAX) return text;
  const head = text.slice(0, HALF_CHARS_MAX).toWellFormed();
  const tail = text.slice(-HALF_CHARS_MAX).toWellFormed();
  const omitted = length - 2 * HALF_CHARS_MAX;
  return `${head}\n[… ${omitted} characters left out here …]\n${tail}`;
}
