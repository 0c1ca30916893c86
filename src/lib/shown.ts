/** A path fit for a line of text: nothing in it breaks the line or turns its direction. */
export const shown = (path: string): string =>
  path.toWellFormed().replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, "?");
