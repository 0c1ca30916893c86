/** The agent's own notes: a plan that people see, and a scratchpad that outlives long conversations. */
import { Type as t } from "@sinclair/typebox";
import { TODO_STATES, type TodoItem } from "../domain/todo.ts";
import { defineTool, failedResult, type Tool, type ToolResult } from "../domain/tool.ts";

const TODO_ITEMS_MAX = 100;
const TODO_CHARS_MAX = 1_000;
const SCRATCHPAD_CHARS_MAX = 100_000;

const MARKS: Record<TodoItem["status"], string> = {
  pending: "[ ]",
  in_progress: "[>]",
  completed: "[x]",
  cancelled: "[-]",
};

const todo = defineTool({
  name: "todo",
  type: "todo",
  risk: "low",
  description:
    "Keep the plan of your work where the user sees it. Give the whole list each time; it replaces " +
    "the one before. Use it for work of three steps or more, and keep one item in_progress.",
  parameters: t.Object({
    items: t.Array(
      t.Object({
        content: t.String({ description: "What is to be done, in one line" }),
        status: t.Unsafe<TodoItem["status"]>(
          t.String({ enum: [...TODO_STATES], description: "How far it is" }),
        ),
      }),
      { description: "The whole plan, in order; empty clears it" },
    ),
  }),
  async run({ items }, { session }) {
    const problem = problemIn(items);
    if (problem !== null) return failedResult(problem);
    session.setTodo(items);
    const lines = items.map(({ content, status }) => `${MARKS[status]} ${content}`);
    return { ok: true, output: ["✓ Plan updated", ...lines].join("\n") };
  },
});

function problemIn(items: readonly TodoItem[]): string | null {
  if (items.length > TODO_ITEMS_MAX)
    return `A plan has at most ${TODO_ITEMS_MAX} items; join the smallest`;
  if (items.some(({ content }) => content.trim() === "")) return "An item has no content";
  if (items.some(({ content }) => content.length > TODO_CHARS_MAX))
    return `An item has at most ${TODO_CHARS_MAX} characters`;
  return null;
}

const CONTENT = t.Object({ content: t.String({ description: "The text" }) });

const scratchpad = defineTool({
  name: "scratchpad",
  type: "scratchpad",
  risk: "low",
  description: "Replace your scratchpad, a private text that stays for the whole session.",
  parameters: CONTENT,
  run: async ({ content }, { session }) => write(content, session),
});

const scratchpadAppend = defineTool({
  name: "scratchpad_append",
  type: "scratchpad_append",
  risk: "low",
  description: "Add text on a line of its own at the end of your scratchpad.",
  parameters: CONTENT,
  async run({ content }, { session }) {
    const before = session.scratchpad();
    const gap = before === "" || before.endsWith("\n") ? "" : "\n";
    return write(before + gap + content, session);
  },
});

const scratchpadClear = defineTool({
  name: "scratchpad_clear",
  type: "scratchpad_clear",
  risk: "low",
  description: "Empty your scratchpad; what was in it is gone.",
  parameters: t.Object({}),
  run: async (_, { session }) => write("", session),
});

const scratchpadGet = defineTool({
  name: "scratchpad_get",
  type: "scratchpad_get",
  risk: "low",
  description: "Read your scratchpad: what you wrote there earlier in this session.",
  parameters: t.Object({}),
  run: async (_, { session }) => ({
    ok: true,
    output: session.scratchpad() || "The scratchpad is empty",
  }),
});

function write(text: string, session: { setScratchpad(text: string): void }): ToolResult {
  if (text.length > SCRATCHPAD_CHARS_MAX)
    return failedResult(
      `The scratchpad would have ${text.length} characters, the limit is ${SCRATCHPAD_CHARS_MAX}: shorten it with scratchpad`,
    );
  session.setScratchpad(text);
  return { ok: true, output: `✓ The scratchpad has ${text.length} characters` };
}

export const noteTools = (): Tool[] => [
  scratchpad,
  scratchpadAppend,
  scratchpadClear,
  scratchpadGet,
  todo,
];
