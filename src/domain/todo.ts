/** The agent's plan of its work, as it shows it to people. */

export const TODO_STATES = ["pending", "in_progress", "completed", "cancelled"] as const;
export type TodoState = (typeof TODO_STATES)[number];

export type TodoItem = { content: string; status: TodoState };
