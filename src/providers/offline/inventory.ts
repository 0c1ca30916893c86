/** Questions about files by the number: how many of a kind, the largest, how many lines. */
import { counted } from "../../lib/counted.ts";
import { listFiles, selectFiles } from "./shell.ts";
import { block, code } from "./speech.ts";
import { type Step, type ToolAnswer, toolStep } from "./steps.ts";
import { listMatching } from "./tool-steps.ts";
import { masked, placeIn } from "./words.ts";

type Kind = { label: string; patterns: string[] };

type Question = {
  kind: Kind;
  place: string | null;
  measure: "bytes" | "lines";
  asks: { most: boolean; least: boolean; total: boolean };
};

const KINDS: readonly [words: string, label: string, endings: string][] = [
  ["typescript ts", "TypeScript", "ts tsx mts cts"],
  ["javascript js", "JavaScript", "js jsx mjs cjs"],
  ["python py", "Python", "py pyi"],
  ["golang go", "Go", "go"],
  ["rust rs", "Rust", "rs"],
  ["java", "Java", "java"],
  ["kotlin", "Kotlin", "kt kts"],
  ["swift", "Swift", "swift"],
  ["ruby", "Ruby", "rb"],
  ["php", "PHP", "php"],
  ["c", "C", "c h"],
  ["c++ cpp", "C++", "cpp cc cxx hpp hh hxx"],
  ["c# csharp", "C#", "cs"],
  ["shell bash", "shell", "sh bash zsh"],
  ["markdown md", "Markdown", "md markdown"],
  ["json", "JSON", "json"],
  ["yaml yml", "YAML", "yaml yml"],
  ["toml", "TOML", "toml"],
  ["html", "HTML", "html htm"],
  ["css", "CSS", "css"],
  ["sql", "SQL", "sql"],
  ["text txt", "text", "txt"],
];

const ANY_KIND: Kind = { label: "", patterns: ["*"] };

/** Words before "files" that say nothing of their kind. */
const NO_KIND = new Set(
  (
    "a all an any are biggest code count every find give heaviest how largest list longest many me " +
    "most number of our regular shortest show single smallest the these tiniest what which"
  ).split(" "),
);

/** Null where the clause asks for nothing of this, or for a kind of files that is not known here. */
export function understandInventory(clause: string): Step | null {
  const text = masked(clause).toLowerCase();
  const kind = kindIn(text);
  if (kind === null) return null;
  const place = placeIn(clause);
  const counts = /\b(?:how many|count|number of)\b/.test(text);
  const asks = {
    most: /\b(?:largest|biggest|heaviest|longest|most lines)\b/.test(text),
    least: /\b(?:smallest|tiniest|shortest|fewest lines)\b/.test(text),
    total: counts && /\b(?:many|count|number of)\b[^,]*\blines\b/.test(text),
  };
  if (counts || asks.most || asks.least) {
    const measure = /\b(?:lines?|longest|shortest)\b/.test(text) ? "lines" : "bytes";
    return measuring({ kind, place, measure, asks });
  }
  return kind.label !== "" && /^(?:list|find|show|give|which|what)\b/.test(text)
    ? listMatching(kind.patterns, place, filesOf(kind))
    : null;
}

/** What the words before "files" say; null: something that is not known here. */
function kindIn(text: string): Kind | null {
  const ending = /(?<!\S)\*?\.([a-z0-9_+-]+)\s+(?:source\s+)?files?\b/.exec(text)?.[1];
  if (ending !== undefined) return { label: `.${ending}`, patterns: [`*.${ending}`] };
  const word =
    /(\S+)\s+(?:(?:source|code)\s+)?files?\b/.exec(text)?.[1] ?? /\blines of (\S+)/.exec(text)?.[1];
  if (word === undefined) return /\b(?:files?|lines)\b/.test(text) ? ANY_KIND : null;
  const known = KINDS.find(([words]) => words.split(" ").includes(word));
  if (known) return { label: known[1], patterns: known[2].split(" ").map((end) => `*.${end}`) };
  return NO_KIND.has(word) ? ANY_KIND : null;
}

const filesOf = ({ label }: Kind): string => (label === "" ? "files" : `${label} files`);

const whereIs = (place: string | null): string => (place === null ? "here" : `in ${code(place)}`);

function measuring(question: Question): Step {
  const { kind, place, measure } = question;
  const command = `${listFiles(place)} |
${selectFiles(kind.patterns, measure === "bytes" ? "wc -c" : "wc -l")} |
${SUMMARY}`;
  return toolStep(`I measure the ${filesOf(kind)} ${whereIs(place)} with a command.`, {
    tool: "terminal",
    input: { command },
    report: (answer) => reportOf(question, answer),
  });
}

/**
 * Sums up what `wc` says of paths (its own totals have no `./`; it may quote a path with a line break),
 * each path once: git names a file in conflict several times. Sizes stay text, since some awks cut
 * large numbers when they print them.
 */
const SUMMARY = `awk 'match($0, /^ *[0-9]+ .?\\.\\//) {
  path = substr($0, RLENGTH + 1)
  if (seen[path]++) next
  count++; total += $1
  if (count == 1 || $1 + 0 > most + 0) { most = $1; largest = path }
  if (count == 1 || $1 + 0 < least + 0) { least = $1; smallest = path }
}
END {
  printf "count %d\\ntotal %.0f\\n", count, total
  if (count) printf "most %s %s\\nleast %s %s\\n", most, largest, least, smallest
}'`;

function reportOf({ kind, place, measure, asks }: Question, { text, failed }: ToolAnswer): string {
  const summary = /^count (\d+)\ntotal (\d+)(?:\nmost (\d+) (.*)\nleast (\d+) (.*))?$/m.exec(text);
  if (failed || !summary) return `I could not measure the files:\n${block(text)}`;
  const [whole, count = "", total = "", most, largest = "", least, smallest = ""] = summary;
  const patterns = kind.label === "" ? "" : ` (${kind.patterns.join(", ")})`;
  const files = count === "1" ? filesOf(kind).slice(0, -1) : filesOf(kind);
  let said = `There ${count === "1" ? "is" : "are"} ${count} ${files}${patterns} ${whereIs(place)}`;
  if (asks.total) said += ` with ${counted(Number(total), "line")} altogether`;
  if (most !== undefined && (asks.most || !asks.least))
    said += `. The ${measure === "bytes" ? "largest" : "longest"} is ${code(largest)}: ${amount(most, measure)}`;
  if (least !== undefined && asks.least)
    said += `. The ${measure === "bytes" ? "smallest" : "shortest"} is ${code(smallest)}: ${amount(least, measure)}`;
  said += ". I left out what git ignores, and node_modules.";
  const complaints = text.replace(whole, "").trim();
  return complaints === "" ? said : `${said} The command also said:\n${block(complaints)}`;
}

function amount(size: string, measure: Question["measure"]): string {
  if (measure === "lines") return counted(Number(size), "line");
  const kib = Number(size) / 1024;
  return kib < 1 ? counted(Number(size), "byte") : `${size} bytes (${kib.toFixed(1)} KiB)`;
}
