/** What a search says no with, and how it shows what others have named. */

/** Why nothing was searched, in one line for the model. */
export class SearchProblem extends Error {
  override readonly name = "SearchProblem";
}

/** A path fit for a line of text: nothing in it breaks the line or turns its direction. */
export const shown = (path: string): string =>
  path.toWellFormed().replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, "?");
