/** From the state of a turn to the pieces of the next reply. */
import { counted } from "../../lib/counted.ts";
import { planFor } from "./plan.ts";
import { RULES } from "./rules.ts";
import { brief, code, FIRST_REPLY_NOTE, introduction, notUnderstood } from "./speech.ts";
import type { Fault, PlannedCall, Step, ToolAnswer, ToolStep } from "./steps.ts";

export type Piece =
  | { kind: "text"; text: string }
  | { kind: "words"; words: Iterable<string>; pauseMs: number }
  | { kind: "thinking"; text: string }
  | { kind: "failure"; fault: Fault }
  /** The whole reply fails before its first word while fewer than `times` attempts have failed. */
  | { kind: "failure_at_first"; fault: Fault; times: number }
  /** Always the last piece. */
  | { kind: "calls"; calls: PlannedCall[] };

export type Turn = {
  request: string;
  /** Those that the message quotes. */
  files: string[];
  imageTypes: string[];
  /** What the calls of each reply in this turn got back. */
  rounds: ToolAnswer[][];
  /** The turn before; null: this is the first one. */
  before: { request: string; lastReply: string; finished: boolean } | null;
};

const EXAMPLES = RULES.flatMap((rule) => rule.example ?? []);

/** `tools` are the names of those that may be called. */
export function replyTo(turn: Turn, tools: ReadonlySet<string>): Piece[] {
  const steps = planFor(turn.request);
  if (isAnswer(turn, steps))
    return [text(`You answered “${brief(turn.request)}”. That is all I can do with it.`)];
  const next = stepAfter(turn.rounds.length, steps, tools);
  const pieces = turn.rounds.length === 0 ? openingRemarks(turn) : [];
  const results = turn.rounds.at(-1) ?? [];
  pieces.push(...reportsOn(steps[next - 1], results));
  let rest = steps.slice(next);
  if (results.some(isDenial)) {
    pieces.push(...leftOut(rest.length));
    rest = [];
  }
  for (const [index, step] of rest.entries()) {
    pieces.push(...piecesOf(step, tools));
    if (canRun(step, tools)) return pieces;
    if (step.kind === "ask") {
      pieces.push(...leftOut(rest.length - index - 1));
      break;
    }
  }
  const introduced = steps.some(({ kind }) => kind === "introduce" || kind === "not_understood");
  return turn.before || introduced ? pieces : [...pieces, text(FIRST_REPLY_NOTE)];
}

const text = (words: string): Piece => ({ kind: "text", text: words });

const canRun = (step: Step, tools: ReadonlySet<string>): step is ToolStep =>
  step.kind === "use_tools" && step.calls.every((call) => tools.has(call.tool));

/** The place of the first step that is not done after so many rounds of tool calls. */
function stepAfter(rounds: number, steps: readonly Step[], tools: ReadonlySet<string>): number {
  let left = rounds;
  let next = 0;
  for (const step of steps) {
    if (left === 0) break;
    if (canRun(step, tools)) left -= 1;
    next += 1;
  }
  return next;
}

/** Whether the user answers what the turn before had asked, rather than ask for something. */
function isAnswer({ before, rounds }: Turn, steps: readonly Step[]): boolean {
  if (before === null || rounds.length > 0 || steps.some(({ kind }) => kind !== "not_understood"))
    return false;
  return planFor(before.request).some(
    (step) => step.kind === "ask" && before.lastReply.includes(step.question),
  );
}

function openingRemarks({ before, files, imageTypes }: Turn): Piece[] {
  const remarks: Piece[] = [];
  if (before?.finished === false)
    remarks.push(text("I leave the request before this one as it is, unfinished."));
  if (imageTypes.length > 0)
    remarks.push(
      text(
        `You sent ${counted(imageTypes.length, "image")} (${imageTypes.join(", ")}). I cannot see images.`,
      ),
    );
  if (files.length > 0)
    remarks.push(
      text(
        `You sent ${counted(files.length, "file")} (${brief(files.join(", "))}). I take no requests from files.`,
      ),
    );
  return remarks;
}

function reportsOn(step: Step | undefined, results: readonly ToolAnswer[]): Piece[] {
  if (step?.kind !== "use_tools") return [];
  return results.map((result, index) => {
    const call = step.calls[index];
    const answer = { ...result, text: result.text.replace(/^Error: /, "") };
    if (call === undefined) return text(answer.text);
    return text(
      isDenial(result)
        ? `${code(call.tool)} was not allowed to run: ${answer.text.trim()}.`
        : call.report(answer),
    );
  });
}

/** A permission that was not given, as against a file or command that says "Permission denied". */
const isDenial = ({ text: answer, failed }: ToolAnswer): boolean =>
  failed &&
  /^(?:Error: )?(?:User denied|Denied by a rule|Permission request|Nobody is attached)/.test(
    answer,
  );

const leftOut = (steps: number): Piece[] =>
  steps === 0 ? [] : [text(`I stop here and leave out ${counted(steps, "more step")}.`)];

function piecesOf(step: Step, tools: ReadonlySet<string>): Piece[] {
  switch (step.kind) {
    case "use_tools":
      return canRun(step, tools)
        ? [text(step.intent), { kind: "calls", calls: step.calls }]
        : [text(missing(step, tools))];
    case "introduce":
      return [text(introduction(EXAMPLES))];
    case "not_understood":
      return [text(notUnderstood(step.clause, EXAMPLES))];
    case "say":
      return [text(step.text)];
    case "stream":
      return [{ kind: "words", words: step.words, pauseMs: step.pauseMs }];
    case "think":
      return thoughtsAbout(step.about);
    case "ask":
      return [text(`<question>${step.question}</question>`)];
    case "fail":
      return step.fault === "provider_cut"
        ? [text("This reply breaks off in the middle of"), { kind: "failure", fault: step.fault }]
        : [{ kind: "failure", fault: step.fault }];
    case "fail_at_first":
      return [
        { kind: "failure_at_first", fault: step.fault, times: step.times },
        text(`I failed ${counted(step.times, "time")} first, as you asked.`),
      ];
    default:
      return step satisfies never;
  }
}

function missing(step: ToolStep, tools: ReadonlySet<string>): string {
  const names = new Set(step.calls.map((call) => call.tool).filter((name) => !tools.has(name)));
  return `For that I need ${[...names].map(code).join(" and ")}, which this session does not offer me.`;
}

function thoughtsAbout(topic: string): Piece[] {
  const subject = topic === "" ? "nothing in particular" : brief(topic);
  return [
    {
      kind: "thinking",
      text:
        `I am asked to think about ${subject}. I am a set of rules, so there is nothing to find out. ` +
        "What counts is that these words come as reasoning, apart from the reply.",
    },
    text(`I thought about ${subject}, as far as rules can think.`),
  ];
}
