/** What goes along with an agent's calls, as people read it: its plan, its helpers, what can be undone. */
import type { EngineEvent } from "../domain/events.ts";
import type { TodoItem, TodoState } from "../domain/todo.ts";
import { cutToRow } from "./rows.ts";
import { type Screen, type Style, styled } from "./screen.ts";

const TODO_LINES_MAX = 12;
const FILES_MAX = 3;

type Of<Type extends EngineEvent["type"]> = Extract<EngineEvent, { type: Type }>;

const MARKS: Record<TodoState, { mark: string; style: Style }> = {
  pending: { mark: "○", style: "dim" },
  in_progress: { mark: "◐", style: "bold" },
  completed: { mark: "✓", style: "green" },
  cancelled: { mark: "–", style: "dim" },
};

/** Of a long plan the part where the work is. */
export async function showTodo(screen: Screen, items: readonly TodoItem[]): Promise<void> {
  if (items.length === 0) return screen.line(styled("dim", "  the plan is empty"));
  const next = items.findIndex(({ status }) => status === "in_progress" || status === "pending");
  const last = Math.max(items.length - TODO_LINES_MAX, 0);
  // One that is done shows what comes after what.
  const start = Math.min(next === -1 ? last : Math.max(next - 1, 0), last);
  const shown = items.slice(start, start + TODO_LINES_MAX);
  if (start > 0) await screen.line(styled("dim", `  … ${start} before`));
  for (const { content, status } of shown) {
    const { mark, style } = MARKS[status];
    await screen.line(styled(style, `  ${mark} ${cutToRow(content.trim(), screen.columns - 4)}`));
  }
  const left = items.length - start - shown.length;
  if (left > 0) await screen.line(styled("dim", `  … ${left} more`));
}

export function showSubagent(screen: Screen, event: Of<"subagent_started">): Promise<void> {
  const head = `  ↳ subagent ${event.child_session_id}: `;
  return inOneRow(screen, "cyan", `${head}${event.task}`);
}

export function showProcessEnd(screen: Screen, event: Of<"process_ended">): Promise<void> {
  const head = `  background command ${event.name}`;
  return inOneRow(screen, event.exit_code === 0 ? "dim" : "yellow", `${head} ${howItEnded(event)}`);
}

function howItEnded({ exit_code, signal, timed_out }: Of<"process_ended">): string {
  if (timed_out) return "was ended: its time was up";
  return exit_code === null
    ? `was ended by ${signal ?? "a signal"}`
    : `ended with exit code ${exit_code}`;
}

export function showCheckpoint(screen: Screen, event: Of<"checkpoint">): Promise<void> {
  const { checkpoint_id, files } = event;
  const named = files.slice(0, FILES_MAX).join(", ");
  const more = files.length > FILES_MAX ? ` and ${files.length - FILES_MAX} more` : "";
  return inOneRow(screen, "dim", `  ${checkpoint_id} can undo the change of ${named}${more}`);
}

export function showSkipped(screen: Screen, event: Of<"checkpoint_skipped">): Promise<void> {
  const what = event.path === null ? "" : ` ${event.path}:`;
  return inOneRow(screen, "yellow", `  ! cannot be undone:${what} ${event.reason}`);
}

const inOneRow = (screen: Screen, style: Style, text: string): Promise<void> =>
  screen.line(styled(style, cutToRow(text, screen.columns)));
