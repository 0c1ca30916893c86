/** Patterns over names and paths. Matching takes time in the product of both lengths at most. */

type Token<Element> = ((element: Element) => boolean) | "any";

/** A shell's pattern over a whole text: `*`, `?`, `[…]`; `*` matches a slash too. */
export const matchesText = (pattern: string, text: string): boolean =>
  matches(characterTokens(pattern, { escapes: false }), [...text]);

/** The text as a pattern that matches nothing else. */
export const literalPattern = (text: string): string => text.replace(/[*?[]/g, "[$&]");

/** Whether a pattern matches more than one text. */
export const isPattern = (pattern: string): boolean =>
  /[*?[]/.test(pattern.replace(/\[[*?[]\]/g, ""));

export type PathPattern = {
  /** Whether it matches exactly this path, without what is below it. */
  matches(path: readonly string[]): boolean;
};

/**
 * A pattern as in `.gitignore`. With a slash before its end it is about paths from the start, without one
 * about names anywhere. `**` stands for any folders.
 */
export function pathPattern(pattern: string): PathPattern {
  const parts = pattern.replace(/\/+$/, "").split("/");
  if (parts.length === 1) parts.unshift("**");
  if (parts[0] === "") parts.shift();
  const below = parts.length > 1 && parts.at(-1) === "**";
  const tokens = parts.map((part): Token<string> => {
    if (part === "**") return "any";
    const characters = characterTokens(part, { escapes: true });
    return (name) => matches(characters, [...name]);
  });
  // What is below a folder is not the folder.
  if (below) tokens.push(() => true);
  return { matches: (path) => matches(tokens, path) };
}

/** Whether the pattern matches the path or a folder that it is in. */
export function coversPath(pattern: PathPattern, path: readonly string[]): boolean {
  for (let depth = 1; depth <= path.length; depth++)
    if (pattern.matches(path.slice(0, depth))) return true;
  return false;
}

function characterTokens(pattern: string, { escapes }: { escapes: boolean }): Token<string>[] {
  const characters = [...pattern];
  const tokens: Token<string>[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    const set = character === "[" ? readSet(characters, at) : null;
    if (set !== null) {
      tokens.push(set.token);
      at = set.end;
    } else if (character === "*") {
      tokens.push("any");
    } else if (character === "?") {
      tokens.push(() => true);
    } else {
      if (escapes && character === "\\" && at + 1 < characters.length) at += 1;
      const literal = characters[at];
      tokens.push((each) => each === literal);
    }
  }
  return tokens;
}

/** Null: the bracket is one that is never closed, and stands for itself. */
function readSet(characters: readonly string[], start: number) {
  let at = start + 1;
  const isNegated = characters[at] === "!" || characters[at] === "^";
  if (isNegated) at += 1;
  const end = characters.indexOf("]", at + 1);
  if (end === -1) return null;
  const ranges: [first: string, last: string][] = [];
  while (at < end) {
    const first = characters[at] ?? "";
    const isRange = characters[at + 1] === "-" && at + 2 < end;
    ranges.push([first, isRange ? (characters[at + 2] ?? "") : first]);
    at += isRange ? 3 : 1;
  }
  const token = (each: string) =>
    isNegated !== ranges.some(([first, last]) => first <= each && each <= last);
  return { token, end };
}

/** With "any" for any number of elements: goes back to the last one only, which is enough. */
function matches<Element>(
  tokens: readonly Token<Element>[],
  elements: readonly Element[],
): boolean {
  let token = 0;
  let element = 0;
  let lastAny = -1;
  let resumeAt = 0;
  while (element < elements.length) {
    const wanted = tokens[token];
    if (wanted === "any") {
      lastAny = token++;
      resumeAt = element;
    } else if (wanted?.(elements[element] as Element)) {
      token += 1;
      element += 1;
    } else if (lastAny !== -1) {
      token = lastAny + 1;
      element = ++resumeAt;
    } else {
      return false;
    }
  }
  return tokens.slice(token).every((rest) => rest === "any");
}
