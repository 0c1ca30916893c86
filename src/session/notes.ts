/** What the agent writes down for itself and for people: its plan and its scratchpad. Stored as they change. */
import type { TodoItem } from "../domain/todo.ts";
import { append, type Notes, type Session, saveDocument } from "./session.ts";

export const NO_NOTES: Notes = { todo: [], scratchpad: "" };

export function setTodo(session: Session, items: readonly TodoItem[]): void {
  session.notes = { ...session.notes, todo: items };
  saveDocument(session, "todo", JSON.stringify(items));
  append(session, { type: "todo", items: [...items] });
}

export function setScratchpad(session: Session, text: string): void {
  session.notes = { ...session.notes, scratchpad: text };
  saveDocument(session, "scratchpad", text);
}

/** As they were stored; null: never. */
export const readNotes = (todo: string | null, scratchpad: string | null): Notes => ({
  todo: todo === null ? [] : JSON.parse(todo),
  scratchpad: scratchpad ?? "",
});
