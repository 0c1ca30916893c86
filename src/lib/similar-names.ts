/** Which of some names may have been meant by one that is not among them. */

const NAME_CHARS_MAX = 100;
/** How many characters may be wrong: one in three. */
const WRONG_SHARE_MAX = 1 / 3;

/** The most similar first. */
export function similarNames(wanted: string, names: readonly string[]): string[] {
  const cut = wanted.slice(0, NAME_CHARS_MAX);
  return names
    .map((name) => ({ name, distance: distance(cut, name.slice(0, NAME_CHARS_MAX)) }))
    .filter(({ distance }) => distance <= WRONG_SHARE_MAX)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
}

/** 0: the same but for case; 1: nothing in common. */
function distance(a: string, b: string): number {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()];
  if (left === right) return 0;
  const longer = Math.max(left.length, right.length);
  // Another ending of the same name is likelier than another name.
  if (stem(left) === stem(right)) return (edits(left, right) / longer) * WRONG_SHARE_MAX;
  if (Math.abs(left.length - right.length) > longer * WRONG_SHARE_MAX) return 1;
  return edits(left, right) / longer;
}

const stem = (name: string): string => name.replace(/(?<=.)\.[^.]*$/, "");

/** How many characters to insert, remove or replace. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
