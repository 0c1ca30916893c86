/**
 * Reading plain English: quoted passages, lists, places, and phrases as patterns. A pattern takes blanks
 * only from where they begin, because one that tries every blank of a long run takes minutes.
 */

const QUOTED = "`[^`]*`|\"[^\"]*\"|“[^“”]*”|(?<![\\w'])'[^']*'(?!\\w)";
const PASSAGE = new RegExp(`\`\`\`[^]*?\`\`\`|${QUOTED}`, "g");

/** What may stand in a placeholder of a phrase. */
const PLACEHOLDERS: Record<string, string> = {
  name: `${QUOTED}|\\S+?`,
  path: `${QUOTED}|(?=\\S*[./])\\S+?`,
  glob: "[\\w.+-]*[*?][\\w.*?+-]*",
  plain: "[\\w.*?+-]+",
  backticked: "`[^`]+`",
  fenced: "```[^]*```",
  url: "https?://\\S+?",
  number: "\\d[\\d,_]*",
  words: "(?=\\S)[^]+?(?<=\\S)",
  text: "[^]*",
};

/** Words after "in" that mean the workspace itself, or no place at all. */
const NO_PLACE = new Set(
  (
    ". ./ a all an both bytes code codebase current directory each folder here it lines my our " +
    "project repo repository that the them there this total which workspace your"
  ).split(" "),
);

/**
 * A phrase as a pattern for a whole clause. `a|b` is one of these words, `[…]` may be missing,
 * `<dir>` is a word or a quoted passage, `<file:path>` one of another kind. A phrase that ends in a
 * `text` takes it to the last character; others overlook what people add at the end of a sentence.
 */
export function phrase(
  source: string,
): (clause: string) => Record<string, string | undefined> | null {
  const pattern = source.replace(
    /\[|\]|<(\w+)(?::(\w+))?>|[^\s[\]<>]+|\s+/g,
    (part, name, kind) => {
      if (part.trim() === "") return "";
      if (part === "[") return "(?:";
      if (part === "]") return ")?";
      if (name) return `\\s+(?<${name}>${PLACEHOLDERS[kind ?? "name"]})[,:]?`;
      return `\\s+(?:${part.replace(/[.$?+]/g, "\\$&")})[,:]?`;
    },
  );
  const whole = new RegExp(`^${pattern}$`, "i");
  const verbatim = source.endsWith(":text>");
  return (clause) => {
    const match = whole.exec(` ${verbatim ? clause : withoutEnding(clause)}`);
    return match && { ...match.groups };
  };
}

/** The text with its quoted passages blanked out and every other character in its place. */
export const masked = (text: string): string =>
  text.replace(PASSAGE, (passage) => "\0".repeat(passage.length));

/** The parts between matches of `separator` (a global pattern), quoted passages left whole. */
export function splitOutsideQuotes(text: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let from = 0;
  for (const match of masked(text).matchAll(separator)) {
    parts.push(text.slice(from, match.index));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** What stands between the parts of a list. */
export const AND = /(?<!\s)\s*,\s+(?:and\s+)?|(?<!\s)\s+and\s+/gi;

/** `a, "b c" and d` as its parts, quotes kept. */
export const listed = (text: string): string[] => splitOutsideQuotes(text, AND);

/** What stands between the quotes, or the trimmed text where it is not one quoted passage. */
export function unquoted(text = ""): string {
  const trimmed = text.trim();
  const quoted = /^```[^\n]*\n([\s\S]*?)```$|^`([^`]*)`$|^"([^"]*)"$|^“([^”]*)”$|^'([^']*)'$/.exec(
    trimmed,
  );
  return quoted?.slice(1).find((inner) => inner !== undefined) ?? trimmed;
}

export const isQuoted = (text: string): boolean => /^\0+$/.test(masked(text.trim()));

/** Whether the text is one word or one quoted passage. */
export const isOneName = (text: string): boolean => /^(?:\0+|[^\s\0]+)$/.test(masked(text.trim()));

/** Without what people add at the end of a sentence. A dot that stands alone is a path. */
export const withoutEnding = (clause: string): string =>
  clause
    .trim()
    .replace(/(?<![\s.,!?])[.,!?]+$|(?<!\s)\s+[!?]+$/, "")
    .replace(/(?<![\s,])[\s,]+(?:please|thanks|thank you)$/i, "");

/** The path that a word after "in" names; null: the whole workspace. */
export function placeNamed(word: string | undefined): string | null {
  const path = unquoted(word);
  return path === "" || NO_PLACE.has(path.toLowerCase()) ? null : path;
}

/** Where "in …" somewhere in the clause points to; null: the whole workspace. */
export function placeIn(clause: string): string | null {
  const places = clause.matchAll(
    new RegExp(
      `\\s(?:in|inside|under|within)\\s+(?:the\\s+)?(?:(?:directory|folder)\\s+)?(${QUOTED}|\\S+)`,
      "gi",
    ),
  );
  for (const [, word] of places) {
    const place = placeNamed(word?.replace(/[,?!;:]+$|\.$/, ""));
    if (place !== null) return place;
  }
  return null;
}
