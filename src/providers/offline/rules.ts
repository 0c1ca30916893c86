/** The requests that are understood, each with the phrases that ask for it. */
import { understandInventory } from "./inventory.ts";
import { countedWords, plainWords } from "./speech.ts";
import { FAULTS, type Fault, type Step } from "./steps.ts";
import {
  create,
  delegate,
  edit,
  fetchPage,
  listDirectory,
  listMatching,
  plan,
  read,
  run,
  search,
  start,
} from "./tool-steps.ts";
import { isOneName, isQuoted, listed, phrase, placeNamed, unquoted } from "./words.ts";

export type Rule = {
  /** How people may say it; null: not worth a line in the list. */
  example: string | null;
  understand(clause: string): Step | null;
};

const STREAMED_WORDS_MAX = 100_000;
const PAUSE_MS_MAX = 10_000;
const SLOW_PAUSE_MS = 100;
const FAILURES_MAX = 10;

const IN_DIR = "[in|inside|under|of|from [the] [directory|folder] <dir> [directory|folder]]";

/** The first rule that understands a clause has it. */
export const RULES: readonly Rule[] = [
  rule(
    "start `npm run dev` in the background",
    ["run|start|execute <command:backticked> in [the] background"],
    ({ command }) => start(unquoted(command)),
  ),
  rule(
    "run `git status`",
    [
      "<commands:backticked>",
      "$ <commands:text>",
      "run|execute [[the] [shell] command] <commands:text>",
    ],
    ({ commands = "" }) => {
      if (/^(?:the|my|our|your|all|some)\s/i.test(commands)) return null;
      const parts = listed(commands);
      return run(parts.every(isQuoted) ? parts.map(unquoted) : [unquoted(commands)]);
    },
  ),
  rule(
    "create notes.txt with some text",
    [
      "write|create|make [a|an|the] [new] file [called|named] <file> with|containing [the] [text|content|contents] <content:text>",
      "write|create|make [a|an|the] [new] <file:path> with|containing [the] [text|content|contents] <content:text>",
      "write|create|make [file] <file:path> <content:fenced>",
      "write|put|save <content:words> to|into|in [the] [file] <file:path>",
      "create|make|touch [a|an|the] [new|empty] file [called|named] <file>",
      "create|make|touch [a|an|the] [new|empty] <file:path>",
    ],
    ({ file, content }) => create(unquoted(file), unquoted(content)),
  ),
  rule(
    'replace "old" with "new" in notes.txt',
    [
      "edit|replace|change|substitute <old:words> with|by|to <new:words> in [the] [file] <file>",
      "in|edit|change|update [the] [file] <file> [and|by] replace|change|replacing|changing <old:words> with|by|to <new:text>",
    ],
    (parts) => edit(unquoted(parts.file), unquoted(parts.old), unquoted(parts.new)),
  ),
  rule(
    "search TODO in src",
    [
      "search [in] <dir> for <needle:words>",
      "search|grep|look [for] [the] [text|word|string] <needle:words> in [the] [directory|folder|file] <dir> [directory|folder]",
      "search|grep|look [for] [the] [text|word|string] <needle:words>",
    ],
    ({ needle, dir }) => search(unquoted(needle), placeNamed(dir)),
  ),
  {
    example: "how many TypeScript files are in this repository, and which is the largest?",
    understand: understandInventory,
  },
  rule(
    "list files in src",
    [
      `list|show|display|give [me] [all] [the] files [and folders|directories] [here] ${IN_DIR}`,
      `list [the] contents|entries ${IN_DIR}`,
      `what|which files are [there] [here] ${IN_DIR}`,
      "list|ls|dir [the] [directory|folder] [<dir>]",
    ],
    ({ dir }) => listDirectory(placeNamed(dir)),
  ),
  rule(
    "find *.md",
    [
      `find|search|list [for] [all] [the] [files] [called|named] <name:glob> [files] ${IN_DIR}`,
      `find|look [for] [all] [the] [a] file|files called|named <name:plain> ${IN_DIR}`,
    ],
    ({ name = "", dir }) => listMatching([`*/${name}`], placeNamed(dir), `files named ${name}`),
  ),
  rule(
    null,
    [
      "find <needle:words> in [the] [directory|folder|file] <dir> [directory|folder]",
      "find <needle:words>",
    ],
    ({ needle, dir }) => search(unquoted(needle), placeNamed(dir)),
  ),
  rule(
    "read README.md",
    [
      "read|cat|open|print|view|display|show [me] [the] [content|contents of] [the] [file|files] <files:words>",
      "what is in [the] [file] <files:path>",
    ],
    ({ files = "" }) => {
      const names = listed(files);
      return names.every(isOneName) ? read(names.map(unquoted)) : null;
    },
  ),
  rule("fetch https://example.com", ["fetch|download [the] [page] <url:url>"], ({ url = "" }) =>
    fetchPage(url),
  ),
  rule(
    "plan read the code, fix the bug and run the tests",
    ["plan [the] [steps] <steps:words>"],
    ({ steps = "" }) => plan(listed(steps).map(unquoted)),
  ),
  rule(
    "delegate list files in src",
    ["delegate <task:text>", "ask|let|have|tell a subagent [to] <task:text>"],
    ({ task = "" }) => (task === "" ? null : delegate(unquoted(task))),
  ),
  rule("think about whales", ["think [hard] [about|of|over <topic:words>]"], ({ topic }) => ({
    kind: "think",
    about: unquoted(topic),
  })),
  rule("ask me which file to read", ["ask me [<question:words>]"], ({ question }) => ({
    kind: "ask",
    question: asQuestion(unquoted(question)),
  })),
  rule(
    "stream 500 words every 20 ms",
    ["stream|write|print|generate [me] <count:number> word|words|token|tokens [<pace:words>]"],
    ({ count, pace }) => streaming(count, plainWords, pace),
  ),
  rule(
    "count to 10",
    ["count [up] [from 1|one] to <count:number> [<pace:words>]"],
    ({ count, pace }) => streaming(count, countedWords, pace),
  ),
  rule("say hello", ["say|echo|repeat <text:text>"], ({ text }) => ({
    kind: "say",
    text: unquoted(text),
  })),
  rule(
    "fail twice then succeed",
    ["fail <times> [time|times] [with|by] [a|an] [<fault:words>]", "retry [<times>] [time|times]"],
    ({ times = "once", fault }) =>
      failingAtFirst(timesNamed(times), faultNamed(fault ?? "rate_limit")),
  ),
  rule(null, ["succeed"], () => ({ kind: "say", text: "This time it worked." })),
  rule(
    `fail with ${FAULTS[0]} (or ${FAULTS.slice(1).join(", ")})`,
    ["fail [with|by] [a|an] [<fault:words>]"],
    ({ fault }) => failing(faultNamed(fault ?? "internal")),
  ),
  rule(
    "help",
    [
      "hello|hi|hey [there|you]",
      "help [me]",
      "who|what are you",
      "what [else] can you do",
      "show me what you can do",
      "what do you understand",
    ],
    () => ({ kind: "introduce" }),
  ),
];

function rule(
  example: Rule["example"],
  phrases: readonly string[],
  step: (parts: Record<string, string | undefined>) => Step | null,
): Rule {
  const patterns = phrases.map(phrase);
  return {
    example,
    understand(clause) {
      for (const pattern of patterns) {
        const parts = pattern(clause);
        const understood = parts && step(parts);
        if (understood) return understood;
      }
      return null;
    },
  };
}

function streaming(
  count: string | undefined,
  words: (count: number) => Iterable<string>,
  pace: string | undefined,
): Step | null {
  const number = Number(count?.replace(/[,_]/g, ""));
  const pauseMs = pauseNamed(pace);
  if (pauseMs === null) return null;
  if (number > STREAMED_WORDS_MAX)
    return { kind: "say", text: `I stream at most ${STREAMED_WORDS_MAX} words.` };
  return { kind: "stream", words: words(number), pauseMs };
}

/** `slowly`, `every 20 ms`, `at 2 s`; null: not a pace. */
function pauseNamed(pace: string | undefined): number | null {
  if (pace === undefined) return 0;
  if (/^slowly$/i.test(pace)) return SLOW_PAUSE_MS;
  const [, number, unit] =
    /^(?:(?:at|every|with)\s+)?(\d+)\s*(ms|milliseconds?|s|seconds?)\b/i.exec(pace) ?? [];
  if (unit === undefined) return null;
  return Math.min(PAUSE_MS_MAX, Number(number) * (/^s/i.test(unit) ? 1000 : 1));
}

const TIMES: Record<string, number> = { once: 1, one: 1, twice: 2, two: 2, thrice: 3, three: 3 };

const timesNamed = (times: string): number => TIMES[times.toLowerCase()] ?? Number(times);

/** A word of the fault's name is enough: `auth`, `rate limit`, `cut`. */
function faultNamed(name: string): Fault | null {
  const words = name.toLowerCase().split(/[^a-z]+/);
  return FAULTS.find((fault) => words.every((word) => fault.split("_").includes(word))) ?? null;
}

const failing = (fault: Fault | null): Step | null => fault && { kind: "fail", fault };

function failingAtFirst(times: number, fault: Fault | null): Step | null {
  const possible = Number.isInteger(times) && times >= 1 && times <= FAILURES_MAX;
  return fault && possible ? { kind: "fail_at_first", fault, times } : null;
}

function asQuestion(words: string): string {
  const question = words
    .replace(/^(?:a question|for|about)\s*/i, "")
    .replace(/(?<![\s?.!])[\s?.!]+$/, "");
  if (question === "") return "Which file should I read?";
  return `${question[0]?.toUpperCase()}${question.slice(1)}?`;
}
