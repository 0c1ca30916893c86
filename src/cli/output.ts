/** Standard output and error: slow readers, readers that left, and what a terminal may be sent. */

export type Output = {
  readonly isTerminal: boolean;
  /** Whether colours are welcome. */
  readonly hasColors: boolean;
  readonly columns: number;
  /** Resolves when it may be followed by more; also when nobody reads it any more. */
  write(text: string): Promise<void>;
};

const COLUMNS_DEFAULT = 100;

/** `onGone` is called once when the reader has left; what is written from then on is lost. */
export function openOutput(stream: NodeJS.WriteStream, onGone: () => void): Output {
  const { env } = process;
  const isTerminal = stream.isTTY === true;
  let isGone = false;
  stream.on("error", () => {
    if (!isGone) onGone();
    isGone = true;
  });
  return {
    isTerminal,
    hasColors: isTerminal && !env.NO_COLOR && env.TERM !== "dumb",
    get columns() {
      return stream.columns || COLUMNS_DEFAULT;
    },
    write(text) {
      if (isGone || text === "") return Promise.resolve();
      return new Promise((resolve) => {
        if (stream.write(text, () => resolve())) resolve();
      });
    },
  };
}

/**
 * Control characters, odd line breaks, and what nobody sees: spaces without width, marks that change
 * the order of others, tags. What only chooses how the character before looks is harmless.
 */
const UNSAFE = /[\p{Cc}\u{2028}\u{2029}[\p{Default_Ignorable_Code_Point}--[\u{fe00}-\u{fe0f}]]]/gv;

/**
 * The text with every character visible that could move the cursor, change the terminal or pass one
 * text off as another. Line breaks and tabs stay.
 */
export const printable = (text: string): string =>
  text.replaceAll("\r\n", "\n").replace(UNSAFE, visible);

function visible(character: string): string {
  if (character === "\n" || character === "\t") return character;
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}

/** JSON that may go to a terminal: what JSON itself leaves unescaped of control characters is not. */
export const printableJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
