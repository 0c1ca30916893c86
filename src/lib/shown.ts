/** Texts of others fit for a line of ours: nothing in them breaks the line or turns its direction. */

/** Of what somebody wrote; and of a path, which says more at its end than at its beginning. */
const QUOTED_CHARS_MAX = 100;
const PATH_CHARS_MAX = 250;

export const shown = (text: string): string =>
  text.toWellFormed().replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, "?");

/** In short, for an error that says what is wrong with it: its beginning. */
export const quoted = (text: string): string =>
  text.length > QUOTED_CHARS_MAX ? `${shown(text.slice(0, QUOTED_CHARS_MAX))}…` : shown(text);

/** A path as `quoted`: what is too long loses its middle. */
export function quotedPath(path: string): string {
  if (path.length <= PATH_CHARS_MAX) return shown(path);
  const half = PATH_CHARS_MAX / 2;
  return `${shown(path.slice(0, half))}…${shown(path.slice(-half))}`;
}
