/** Brace expansion: `{a,b}` and `{1..9}`. */

const GROUPS_MAX = 20;
const WORDS_MAX = 64;
/** Stands for text that only the shell knows when it runs. */
export const UNKNOWN = "\0";

/** The words that it becomes, itself where there is nothing to expand; `null`: too many to look at. */
export function expandBraces(word: string): string[] | null {
  if (!word.includes("{")) return [word];
  if (word.split("{").length > GROUPS_MAX) return null;
  const done: string[] = [];
  const open = [word];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = firstGroup(next);
    if (!group) done.push(next);
    else for (const choice of group.choices) open.push(group.before + choice + group.after);
    if (done.length + open.length > WORDS_MAX) return null;
  }
  return done.reverse();
}

type Group = { before: string; choices: string[]; after: string };

function firstGroup(word: string): Group | null {
  for (let at = word.indexOf("{"); at !== -1; at = word.indexOf("{", at + 1)) {
    const group = groupAt(word, at);
    if (group) return { before: word.slice(0, at), ...group };
  }
  return null;
}

function groupAt(word: string, at: number): Omit<Group, "before"> | null {
  const choices: string[] = [];
  let depth = 0;
  let from = at + 1;
  for (let index = at; index < word.length; index++) {
    const char = word[index];
    if (char === "{") depth += 1;
    if (char === "," && depth === 1) {
      choices.push(word.slice(from, index));
      from = index + 1;
    }
    if (char !== "}" || --depth > 0) continue;
    const last = word.slice(from, index);
    const after = word.slice(index + 1);
    if (choices.length > 0) return { choices: [...choices, last], after };
    const range = /^([\w-]+)\.\.([\w-]+)(?:\.\.-?\d+)?$/.exec(last);
    return range ? { choices: [range[1] ?? "", UNKNOWN, range[2] ?? ""], after } : null;
  }
  return null;
}
