/** A stream of bytes as text, piece by piece, with characters whole; or the notice that it is no text. */

/** What stands in place of a stream that is no text. */
export const BINARY_TEXT = "[binary output not displayed]";
/** A NUL among the first bytes means that the stream is no text. */
const SNIFFED_BYTES = 1024;

export class DecodedText {
  binary = false;
  private bytes = 0;
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** The text that these bytes complete; none of a stream that is no text. */
  add(bytes: Uint8Array): string {
    const sniffed = bytes.subarray(0, Math.max(0, SNIFFED_BYTES - this.bytes));
    if (sniffed.includes(0)) this.binary = true;
    this.bytes += bytes.length;
    return this.binary ? "" : this.decoder.decode(bytes, { stream: true });
  }

  /** The stream has ended: a character that was cut in its middle counts as well. */
  end(): string {
    return this.binary ? "" : this.decoder.decode();
  }
}
