/** Patterns over the names of tools and over the keys of approvals, as a shell has them. */
import { compileShellPattern } from "../lib/wildcard.ts";

/** Of the whole text; `*` matches a slash too. */
export const matchesText = (pattern: string, text: string): boolean =>
  compileShellPattern(pattern)(text);

/** The text as a pattern that matches nothing else. */
export const literalPattern = (text: string): string => text.replace(/[*?[]/g, "[$&]");

/** Whether a pattern matches more than one text. */
export const isPattern = (pattern: string): boolean =>
  /[*?[]/.test(pattern.replace(/\[[*?[]\]/g, ""));
