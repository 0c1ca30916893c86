/** A turn that ends with a question: the user is asked on the terminal, and the answer is the next message. */
import type { EngineEvent, StreamNotice } from "../domain/events.ts";
import type { TerminalLines } from "./read-line.ts";
import { type Screen, styled } from "./screen.ts";

/** In a row, without a turn between them that ends otherwise. */
const ANSWERS_MAX = 100;

export type LastEvent = EngineEvent | StreamNotice | null;

export type Conversation = {
  /** Resolves with the turn's last event. */
  send(prompt: string): Promise<LastEvent>;
  screen: Screen;
  lines: TerminalLines;
};

/** Resolves with the last event of the last turn; `left`: the signal aborted while an answer was asked for. */
export async function converse(
  prompt: string,
  { send, screen, lines }: Conversation,
  signal: AbortSignal,
): Promise<LastEvent | "left"> {
  let last = await send(prompt);
  for (let answers = 0; answers < ANSWERS_MAX; answers++) {
    if (last?.type !== "turn_complete" || last.stop_reason !== "question") return last;
    lines.forgetTypedAhead();
    await screen.question(styled("bold", "Your answer: "));
    const answer = await readAnswer(lines, signal);
    if (answer === null) await screen.line();
    if (signal.aborted) return "left";
    if (!answer) return last;
    last = await send(answer);
  }
  return last;
}

/** Empty: there is none. Null: the line of the question has no end yet. */
async function readAnswer(lines: TerminalLines, signal: AbortSignal): Promise<string | null> {
  try {
    return (await lines.read(signal))?.trim() ?? null;
  } catch (error) {
    if (!signal.aborted) throw error;
    return null;
  }
}
