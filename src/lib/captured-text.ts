/** A stream of bytes kept as text in bounded memory: its beginning and its end. */
import { BINARY_TEXT, DecodedText } from "./decoded-text.ts";

/** No text that was cut is longer than this. */
export const TEXT_CHARS_MAX = 80_000;
const NOTE_CHARS_MAX = 100;
/** Kept of the beginning, and as much of the end. */
const HALF_CHARS_MAX = (TEXT_CHARS_MAX - NOTE_CHARS_MAX) / 2;

export class CapturedText {
  private characters = 0;
  private head = "";
  private tail = "";
  private readonly decoded = new DecodedText();

  /** Keeps what it can; returns the text that these bytes complete. */
  add(bytes: Uint8Array): string {
    return this.keep(this.decoded.add(bytes));
  }

  /** The stream has ended: a character that was cut in its middle counts as well. */
  end(): string {
    return this.keep(this.decoded.end());
  }

  get binary(): boolean {
    return this.decoded.binary;
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
 * of its middle is lost already. `more`: what the note says besides.
 */
export function cutMiddle(text: string, length = text.length, more = ""): string {
  if (length <= TEXT_CHARS_MAX) return text;
  const half = HALF_CHARS_MAX - Math.ceil(more.length / 2);
  const head = text.slice(0, half).toWellFormed();
  const tail = text.slice(-half).toWellFormed();
  const omitted = length - 2 * half;
  return `${head}\n[… ${omitted} characters left out here${more} …]\n${tail}`;
}
