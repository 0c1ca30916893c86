/** Events as people read them, and as programs do. */
import type { EngineEvent, StreamNotice } from "../domain/events.ts";
import { counted } from "../lib/counted.ts";
import type { Received } from "./event-feed.ts";
import { type Output, printableJson } from "./output.ts";
import { type Screen, styled } from "./screen.ts";
import { oneLine, showCall, showOutput } from "./tool-lines.ts";
import {
  showCheckpoint,
  showProcessEnd,
  showSkipped,
  showSubagent,
  showTodo,
} from "./work-lines.ts";

export type TurnView = { show(received: Received): Promise<void> };

/** One event a line. */
export const jsonView = (out: Output): TurnView => ({
  show: ({ seq, event }) =>
    out.write(`${printableJson(seq === null ? event : { seq, ...event })}\n`),
});

/** Stop reasons of a model that was done, or that asked something, which is shown. */
const DONE = ["end_turn", "stop", "stop_sequence", "question"];

export type TextOptions = {
  /** Shows several turns, and with each the message that it answers. */
  follows: boolean;
  /** Somebody else tells of requests for permission. */
  asks: boolean;
  /** How to answer what the agent asks at the end of a turn; null: somebody else asks for that. */
  howToAnswer: string | null;
};

export function textView(screen: Screen, options: TextOptions): TurnView {
  const { follows, asks, howToAnswer } = options;
  let plan = "";
  return {
    async show({ event }) {
      switch (event.type) {
        case "turn_started":
          if (follows) await screen.line(styled("bold", `› ${event.prompt}`));
          break;
        case "token":
          await screen.reply(event.text);
          break;
        case "thinking":
          await screen.aside("dim", event.text);
          break;
        case "tool_start":
          await showCall(screen, event.tool_name, event.input);
          break;
        case "tool_result":
          await showResult(screen, event);
          break;
        case "retry":
          await screen.line(
            styled("yellow", `↻ again in ${seconds(event.delay_ms / 1000)}: ${event.reason}`),
          );
          break;
        case "turn_complete":
          await screen.endLine();
          if (!DONE.includes(event.stop_reason))
            await screen.line(styled("yellow", `■ stopped: ${event.stop_reason}`));
          break;
        case "error":
          await screen.line(styled("red", `✗ ${event.code}: ${event.message}`));
          break;
        case "message_queued":
          await screen.line(styled("dim", `… a message waits, place ${event.position}`));
          break;
        case "message_steered":
          await screen.line(styled("dim", "… a message joins this turn"));
          break;
        case "run_canceled":
          await screen.line(styled("dim", "… a waiting message was cancelled"));
          break;
        case "replay_gap":
          await screen.line(
            styled("yellow", `… what came before event ${event.next} is no longer kept`),
          );
          break;
        case "permission_request":
          if (!asks) await screen.line(styled("yellow", "  waits for permission"));
          break;
        case "question_gate":
          await screen.line(styled("bold", `? ${event.question}`));
          if (event.pending_tools > 0)
            await screen.line(styled("dim", `  ${waiting(event.pending_tools)} for the answer`));
          if (howToAnswer !== null) await screen.line(styled("dim", `  to answer: ${howToAnswer}`));
          break;
        case "todo":
          if (plan !== JSON.stringify(event.items)) await showTodo(screen, event.items);
          plan = JSON.stringify(event.items);
          break;
        case "subagent_started":
          await showSubagent(screen, event);
          break;
        case "process_ended":
          await showProcessEnd(screen, event);
          break;
        case "checkpoint":
          await showCheckpoint(screen, event);
          break;
        case "checkpoint_skipped":
          await showSkipped(screen, event);
          break;
        // The result tells what became of it, and has the whole output; the rest is for programs.
        case "permission_granted":
        case "permission_denied":
        case "tool_output":
        case "model_call":
        case "stream_cut":
          break;
        default:
          event satisfies never;
      }
    },
  };
}

type Of<Type extends (EngineEvent | StreamNotice)["type"]> = Extract<
  EngineEvent | StreamNotice,
  { type: Type }
>;

async function showResult(screen: Screen, event: Of<"tool_result">): Promise<void> {
  const took = styled("dim", ` ${seconds(event.execution_time)}`);
  if (event.success) await screen.line(styled("green", "  ✓"), took);
  else await screen.line(styled("red", "  ✗"), took, styled("red", `  ${oneLine(event.error)}`));
  // Where there is no output, the error stands in for it. A plan is shown for itself.
  const isSaid = event.output === event.error || (event.success && event.tool_name === "todo");
  if (!isSaid) await showOutput(screen, event.output);
}

const waiting = (calls: number): string => counted(calls, "tool call waits", "tool calls wait");

const seconds = (count: number): string => `${count < 10 ? count.toFixed(2) : Math.round(count)} s`;
