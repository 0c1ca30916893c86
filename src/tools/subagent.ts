/** Hands a task to a child session, which works in the same workspace with a context of its own. */
import { Type as t } from "@sinclair/typebox";
import { defineTool, failedResult } from "../domain/tool.ts";

/** Children of children at most; the deepest are not offered the tool. */
export const SUBAGENT_DEPTH_MAX = 2;

const PROMPT_CHARS_MAX = 100_000;

export const subagent = defineTool({
  name: "subagent",
  type: "subagent",
  risk: "low",
  description:
    "Hand a task to an agent of your own. It has the same workspace and tools, asks the same person for " +
    "permission, sees nothing of this conversation, and you get only its final answer: say all it has to know " +
    "and what it shall report. Good for searches and side tasks whose details you do not need. At most 20 in a turn; commands it leaves in the background end with its task.",
  parameters: t.Object({
    task: t.String({ description: "The task in three to ten words, for people" }),
    prompt: t.String({ description: "The whole task: context, goal, and what to answer" }),
  }),
  async run({ task, prompt }, context) {
    if (prompt.trim() === "") return failedResult("Parameter 'prompt' must not be empty");
    if (prompt.length > PROMPT_CHARS_MAX)
      return {
        ok: false,
        output: "",
        error: `Parameter 'prompt' may have ${PROMPT_CHARS_MAX} characters: name files to read instead`,
      };
    return context.session.runSubagent({ description: task, prompt }, context);
  },
});
