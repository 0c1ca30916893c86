/** What a session lends to its tools. */
import { join } from "node:path";
import type { ToolSession } from "../domain/tool.ts";
import { setScratchpad, setTodo } from "./notes.ts";
import { rootOf, type Session } from "./session.ts";
import { runSubagent } from "./subagents.ts";

export const toolSessionOf = (session: Session): ToolSession => ({
  id: session.id,
  outputs: join(session.directory, "outputs"),
  todo: () => session.notes.todo,
  setTodo: (items) => setTodo(session, items),
  scratchpad: () => session.notes.scratchpad,
  setScratchpad: (text) => setScratchpad(session, text),
  runSubagent: (task, context) => runSubagent(session, task, context),
  async changing(changes) {
    // What a child changes is undone with the turn that it works for.
    const { active, checkpoints } = rootOf(session);
    if (active) await checkpoints.changing(active.record.id, changes);
  },
});
