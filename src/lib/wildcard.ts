/**
 * Names against patterns with `*`, `?` and `[…]`. Takes at most the product of both lengths, whatever a
 * repository writes into its ignore files.
 */

type Wildcard = (name: string) => boolean;

/** Stands for any number of items, none included. */
export const ANY_NUMBER = "*";
export type Sequence<Item> = readonly (typeof ANY_NUMBER | ((item: Item) => boolean))[];

/** As in .gitignore: a backslash before a character makes it literal. null: a bracket is not closed. */
export function compileWildcard(pattern: string): Wildcard | null {
  // Nearly all patterns are one of these, and they are asked for every file of a tree.
  if (/^[^*?[\\]*$/.test(pattern)) return (name) => name === pattern;
  if (/^\*[^*?[\\]*$/.test(pattern)) return (name) => name.endsWith(pattern.slice(1));
  if (/^[^*?[\\]*\*$/.test(pattern)) return (name) => name.startsWith(pattern.slice(0, -1));
  const sequence = parse([...pattern], { literally: false });
  return sequence && ((name) => matchSequence(sequence, [...name], 0));
}

/** A wildcard that only this text matches. */
export const literalWildcard = (text: string): string => text.replace(/[*?[\\]/g, "\\$&");

/** As Python's fnmatch: a backslash stands for itself, and so does a bracket that is not closed. */
export function compileShellPattern(pattern: string): Wildcard {
  const sequence = parse([...pattern], { literally: true }) ?? [];
  return (text) => matchSequence(sequence, [...text], 0);
}

/**
 * Whether the items from `start` on are the whole sequence. When it goes wrong, only the last
 * `ANY_NUMBER` takes one more: that is enough, and keeps it quick.
 */
export function matchSequence<Item>(
  sequence: Sequence<Item>,
  items: readonly Item[],
  start: number,
): boolean {
  let part = 0;
  let item = start;
  let retry: { part: number; item: number } | null = null;
  while (item < items.length) {
    const wanted = sequence[part];
    if (wanted === ANY_NUMBER) {
      part += 1;
      retry = { part, item };
    } else if (wanted?.(items[item] as Item)) {
      part += 1;
      item += 1;
    } else if (retry) {
      retry.item += 1;
      part = retry.part;
      item = retry.item;
    } else {
      return false;
    }
  }
  while (sequence[part] === ANY_NUMBER) part += 1;
  return part === sequence.length;
}

/** `literally`: nothing is escaped, and what is not understood stands for itself; then never null. */
function parse(
  characters: readonly string[],
  { literally }: { literally: boolean },
): Sequence<string> | null {
  const sequence: (typeof ANY_NUMBER | Wildcard)[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at];
    if (character === "*") {
      if (sequence.at(-1) !== ANY_NUMBER) sequence.push(ANY_NUMBER);
      continue;
    }
    if (character === "?") {
      sequence.push(() => true);
      continue;
    }
    const set = character === "[" ? parseSet(characters, at + 1, literally) : null;
    if (set !== null) {
      sequence.push(set.has);
      at = set.end;
      continue;
    }
    if (character === "[" && !literally) return null;
    if (character === "\\" && !literally) at += 1;
    const literal = characters[at] ?? "\\";
    sequence.push((each) => each === literal);
  }
  return sequence;
}

/** `end`: where its `]` is. A `]` that comes first is one of the set. */
function parseSet(
  characters: readonly string[],
  start: number,
  literally: boolean,
): { has: Wildcard; end: number } | null {
  const negated = characters[start] === "!" || characters[start] === "^";
  const first = negated ? start + 1 : start;
  const ranges: { from: string; to: string }[] = [];
  let at = first;
  const take = (): string => {
    if (characters[at] === "\\" && !literally) at += 1;
    at += 1;
    return characters[at - 1] ?? "";
  };
  while (at < characters.length) {
    if (characters[at] === "]" && at > first) {
      const within = (each: string) => ranges.some(({ from, to }) => from <= each && each <= to);
      return { has: (each) => within(each) !== negated, end: at };
    }
    const from = take();
    const isRange = characters[at] === "-" && (characters[at + 1] ?? "]") !== "]";
    if (isRange) at += 1;
    ranges.push({ from, to: isRange ? take() : from });
  }
  return null;
}
