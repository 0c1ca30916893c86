/** What a request comes down to: steps, some of which call tools. */

export type Step =
  | ToolStep
  | { kind: "introduce" }
  | { kind: "say"; text: string }
  | { kind: "stream"; words: Iterable<string>; pauseMs: number }
  | { kind: "think"; about: string }
  /** Ends the turn, by the marks that the engine knows a question by: the user answers with the next message. */
  | { kind: "ask"; question: string }
  | { kind: "fail"; fault: Fault }
  /** Fails the first `times` attempts of a model call in a way that may be retried, then does nothing. */
  | { kind: "fail_at_first"; fault: Fault; times: number }
  | { kind: "not_understood"; clause: string };

/** All calls go out in one reply; their results are reported in the next one. */
export type ToolStep = { kind: "use_tools"; intent: string; calls: PlannedCall[] };

export type PlannedCall = {
  tool: string;
  input: Record<string, unknown>;
  /** What the user reads, made from what the tool answered. Not asked after a denial. */
  report(answer: ToolAnswer): string;
};

export type ToolAnswer = { text: string; failed: boolean };

/** Those turn faults that a provider can cause. */
export const FAULTS = [
  "rate_limit",
  "auth_error",
  "timeout",
  "context_exceeded",
  "provider_cut",
  "internal",
] as const;
export type Fault = (typeof FAULTS)[number];

export const toolStep = (intent: string, ...calls: PlannedCall[]): ToolStep => ({
  kind: "use_tools",
  intent,
  calls,
});
