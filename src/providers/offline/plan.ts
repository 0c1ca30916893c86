/** From what the user wrote to the steps it asks for. */
import { RULES } from "./rules.ts";
import { type PlannedCall, type Step, toolStep } from "./steps.ts";
import { AND, splitOutsideQuotes } from "./words.ts";

/** Longer requests are not for a model of rules; this also bounds what patterns may cost. */
const REQUEST_CHARS_MAX = 4000;

/** "; then" is left alone, since it is most likely the shell's. */
const THEN = /(?<![;\s])(?:\s*[,.])?\s+(?:and\s+)?then\s+/gi;
const AT_ONCE =
  /(?<![\s,])[\s,]+(?:(?:all |both )?at once|at the same time|in parallel|together)[\s.!]*$/i;
const COURTESY =
  /^(?:(?:please|kindly|now|first|next|finally|also|ok|okay|(?:can|could|would|will) you|i(?:'d| would) like you to|i want you to|let's|tell me)[\s,:]+)+(?=\S)/i;

/** At least one step. */
export function planFor(request: string): Step[] {
  if (request.length > REQUEST_CHARS_MAX) return [{ kind: "not_understood", clause: request }];
  const clauses = splitOutsideQuotes(request, THEN);
  return clauses.length === 0
    ? [{ kind: "not_understood", clause: "" }]
    : clauses.map((clause) => stepFor(clause.replace(COURTESY, "")));
}

const stepFor = (clause: string): Step =>
  atOnce(clause) ?? understand(clause) ?? { kind: "not_understood", clause };

function understand(clause: string): Step | null {
  for (const rule of RULES) {
    const step = rule.understand(clause);
    if (step) return step;
  }
  return null;
}

/** `run a and b at once`: the calls of all parts in one reply. A part without a verb takes the first one's. */
function atOnce(clause: string): Step | null {
  const both = /^(\w+) both\b/i;
  if (!AT_ONCE.test(clause) && !both.test(clause)) return null;
  const parts = splitOutsideQuotes(clause.replace(AT_ONCE, "").replace(both, "$1"), AND);
  const verb = /^\w+/.exec(clause)?.[0] ?? "";
  const calls: PlannedCall[] = [];
  const intents: string[] = [];
  for (const part of parts) {
    const step = understandPart(part, verb);
    if (step?.kind !== "use_tools") return null;
    calls.push(...step.calls);
    intents.push(step.intent);
  }
  return toolStep(intents.join(" "), ...calls);
}

/** After "run" everything is a command, whatever it sounds like. */
function understandPart(part: string, verb: string): Step | null {
  if (part.toLowerCase().startsWith(`${verb.toLowerCase()} `)) return understand(part);
  const withVerb = `${verb} ${part}`;
  return /^(?:run|execute)$/i.test(verb)
    ? understand(withVerb)
    : (understand(part) ?? understand(withVerb));
}
