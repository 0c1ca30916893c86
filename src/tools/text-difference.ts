/** In what two texts differ that look alike: in words that tell a model what to write instead. */

type Normalizer = { name: string; apply(line: string): string };

/** Each takes one kind of difference away, and no two the same one. */
const NORMALIZERS: Normalizer[] = [
  { name: "line ends (CRLF or LF)", apply: (line) => line.replaceAll("\r", "") },
  { name: "spaces at the ends of lines", apply: trimmedEnd },
  { name: "indentation", apply: (line) => line.trimStart() },
  { name: "spaces within lines", apply: squeezed },
  { name: "typographic quotes, dashes or spaces", apply: plain },
  { name: "how accented letters are composed", apply: (line) => line.normalize("NFC") },
  { name: "upper and lower case", apply: (line) => line.toLowerCase() },
];

/** Of longer lines only the beginning is compared. */
const LINE_CHARS_MAX = 1_000;

/** Without any difference that is only of form. */
export const canonical = (line: string): string =>
  NORMALIZERS.reduce((text, { apply }) => apply(text), line.slice(0, LINE_CHARS_MAX));

/**
 * The lines are equal but for these differences; null: they differ in more. The first and the last of
 * `wanted` may be parts of lines.
 */
export function differences(wanted: readonly string[], found: readonly string[]): string[] | null {
  if (!matches(wanted, found, NORMALIZERS)) return null;
  const names = NORMALIZERS.filter(
    (each) =>
      !matches(
        wanted,
        found,
        NORMALIZERS.filter((other) => other !== each),
      ),
  ).map(({ name }) => name);
  const tabs = names.indexOf("indentation");
  if (tabs !== -1 && tabsAgainstSpaces(wanted, found))
    names[tabs] = "tabs and spaces of indentation";
  return names;
}

function matches(
  wanted: readonly string[],
  found: readonly string[],
  normalizers: readonly Normalizer[],
): boolean {
  if (wanted.length !== found.length) return false;
  const last = wanted.length - 1;
  return wanted.every((line, index) => {
    const [a, b] = [line, found[index] ?? ""].map((each) =>
      normalizers.reduce((text, { apply }) => apply(text), each),
    ) as [string, string];
    if (last === 0) return b.includes(a);
    if (index === 0) return b.endsWith(a);
    return index === last ? b.startsWith(a) : a === b;
  });
}

function tabsAgainstSpaces(wanted: readonly string[], found: readonly string[]): boolean {
  const indented = (lines: readonly string[], by: string) =>
    lines.some((line) => line.startsWith(by));
  return (
    (indented(wanted, "\t") && indented(found, " ")) ||
    (indented(wanted, " ") && indented(found, "\t"))
  );
}

/** Without the spaces before a line end, which is another difference. */
function trimmedEnd(line: string): string {
  return line.endsWith("\r") ? `${line.trimEnd()}\r` : line.trimEnd();
}

/** Spaces between words as one; those around the line are not this one's. */
function squeezed(line: string): string {
  const body = line.trim();
  if (body === "") return line;
  const start = line.indexOf(body);
  const inner = body
    .split(/[^\S\r]/u)
    .filter((word) => word !== "")
    .join(" ");
  return line.slice(0, start) + inner + line.slice(start + body.length);
}

const PLAIN: Record<string, string> = {
  "‘": "'",
  "’": "'",
  "‚": "'",
  "“": '"',
  "”": '"',
  "„": '"',
  "–": "-",
  "—": "-",
  "−": "-",
  "…": "...",
  "\u00a0": " ",
  "\u202f": " ",
  "\u200b": "",
};

const TYPOGRAPHIC = new RegExp(`[${Object.keys(PLAIN).join("")}]`, "g");

function plain(line: string): string {
  return line.replace(TYPOGRAPHIC, (character) => PLAIN[character] ?? character);
}
