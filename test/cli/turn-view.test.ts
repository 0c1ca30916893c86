import { expect, test } from "bun:test";
import { Screen } from "../../src/cli/screen.ts";
import { jsonView, textView } from "../../src/cli/turn-view.ts";
import type { EventBody, StreamNotice } from "../../src/domain/events.ts";
import type { CheckpointId, SessionId, ToolCallId } from "../../src/domain/ids.ts";
import { recordedOutput } from "../support/recorded-output.ts";

const ID = "call_1" as ToolCallId;
const call = { tool_id: ID, tool_name: "terminal", tool_type: "terminal" };

/** Both on one terminal, as a person sees them. */
async function shown(
  events: (EventBody | StreamNotice)[],
  { follows = false, howToAnswer = null as string | null } = {},
): Promise<string> {
  const terminal = recordedOutput({ isTerminal: true, columns: 40 });
  const other = { ...terminal, write: (text: string) => terminal.write(text) };
  const view = textView(new Screen(terminal, other), { follows, asks: true, howToAnswer });
  for (const event of events) await view.show(sent(event));
  return terminal.text;
}

const sent = (event: EventBody | StreamNotice) => ({
  seq: 1,
  event: { ...event, session_id: "s" as SessionId, ts: 1 },
});

test("calls, results and text never share a line", async () => {
  const output = Array.from({ length: 9 }, (_, index) => `line ${index + 1}`).join("\n");
  const result = { ...call, success: true, output, error: "", execution_time: 12.3, metadata: {} };
  expect(
    await shown([
      { type: "thinking", text: "hm" },
      { type: "token", text: "I look." },
      { type: "tool_start", ...call, input: { command: "ls -la \\\n  src" }, risk_level: "low" },
      { type: "tool_result", ...result },
      { type: "token", text: "Nine" },
      { type: "token", text: " lines.\n" },
      {
        type: "turn_complete",
        input_tokens: 1,
        output_tokens: 1,
        thinking_tokens: 0,
        tool_calls: 1,
        stop_reason: "end_turn",
      },
    ]),
  ).toBe(
    [
      "hm",
      "I look.",
      "▸ terminal  ls -la \\ ⏎ src",
      "  ✓ 12 s",
      ...[1, 2, 3, 4, 5, 6].map((number) => `    line ${number}`),
      "    … 3 more lines",
      "Nine lines.\n",
    ].join("\n"),
  );
});

test("long lines are cut to the terminal, and a failure shows its error once", async () => {
  const error = "Exit code 2: no such file";
  const result = { ...call, success: false, output: error, error, execution_time: 0, metadata: {} };
  expect(
    await shown([
      { type: "tool_start", ...call, input: { command: "x".repeat(99) }, risk_level: "low" },
      { type: "tool_result", ...result },
    ]),
  ).toBe(`▸ terminal  ${"x".repeat(27)}…\n  ✗ 0.00 s  ${error}\n`);
});

test("control characters and reversed text are made visible on a terminal", async () => {
  const reversed = "\u202egpj.exe";
  expect(await shown([{ type: "token", text: `a\u001b[2J\r\nb\u009b\u0000\tc${reversed}` }])).toBe(
    "a␛[2J\nb\ufffd␀\tc\ufffdgpj.exe",
  );
});

test("a follower sees messages, the queue and gaps", async () => {
  const run = { run_id: "run_1" as never };
  expect(
    await shown(
      [
        { type: "replay_gap", after: 0, next: 9, ts: 0 },
        { type: "turn_started", turn_id: "run_1" as never, prompt: "hello" },
        { type: "message_queued", ...run, position: 2 },
        { type: "message_steered", ...run, into: "run_0" as never },
        { type: "run_canceled", ...run },
      ],
      { follows: true },
    ),
  ).toBe(
    [
      "… what came before event 9 is no longer kept",
      "› hello",
      "… a message waits, place 2",
      "… a message joins this turn",
      "… a waiting message was cancelled\n",
    ].join("\n"),
  );
});

test("a question that ends a turn is shown with how to answer it", async () => {
  const gate = { type: "question_gate", question: "Which one?", pending_tools: 2 } as const;
  expect(await shown([{ type: "token", text: "Hm" }, gate], { howToAnswer: "run …" })).toBe(
    "Hm\n? Which one?\n  2 tool calls wait for the answer\n  to answer: run …\n",
  );
  expect(await shown([{ ...gate, pending_tools: 0 }])).toBe("? Which one?\n");
});

const planned = (count: number, done: number): EventBody => ({
  type: "todo",
  items: Array.from({ length: count }, (_, at) => ({
    content: `step ${at + 1}`,
    status: at < done ? "completed" : "pending",
  })),
});

test("a plan is shown when it changes, and of a long one the part where the work is", async () => {
  const result = { ...call, tool_name: "todo", error: "", execution_time: 0, metadata: {} };
  expect(
    await shown([
      planned(2, 1),
      { type: "tool_result", ...result, success: true, output: "✓ Plan updated\n[x] step 1" },
      planned(2, 1),
      { type: "todo", items: [{ content: "y".repeat(99), status: "in_progress" }] },
      { type: "todo", items: [] },
    ]),
  ).toBe(
    [
      "  ✓ step 1",
      "  ○ step 2",
      "  ✓ 0.00 s",
      `  ◐ ${"y".repeat(35)}…`,
      "  the plan is empty\n",
    ].join("\n"),
  );
  const rows = (await shown([planned(40, 20)])).trimEnd().split("\n");
  expect(rows).toHaveLength(14);
  expect(rows.slice(0, 3)).toEqual(["  … 19 before", "  ✓ step 20", "  ○ step 21"]);
  expect(rows.at(-1)).toBe("  … 9 more");
});

test("subagents, background commands and what can be undone get a line each", async () => {
  const checkpoint_id = "ckpt_1" as CheckpointId;
  const ended = { type: "process_ended", name: "dev", signal: null, timed_out: false } as const;
  expect(
    await shown([
      {
        type: "subagent_started",
        tool_id: ID,
        child_session_id: "sess_2" as SessionId,
        task: "look\u001b[2J",
      },
      { ...ended, exit_code: 3 },
      { ...ended, exit_code: null, signal: "SIGKILL" },
      { ...ended, exit_code: null, timed_out: true },
      { type: "checkpoint", checkpoint_id, turn_id: null, files: ["a", "b", "c", "d"] },
      { type: "checkpoint_skipped", checkpoint_id, path: "big", size: 9, reason: "too large" },
    ]),
  ).toBe(
    [
      "  ↳ subagent sess_2: look␛[2J",
      "  background command dev ended with exi…",
      "  background command dev was ended by S…",
      "  background command dev was ended: its…",
      "  ckpt_1 can undo the change of a, b, c…",
      "  ! cannot be undone: big: too large\n",
    ].join("\n"),
  );
});

test("events of a newer engine are passed over by people and passed on to programs", async () => {
  const later = { type: "invented", text: "\u009b\u001b" } as never;
  expect(await shown([later])).toBe("");
  const out = recordedOutput();
  await jsonView(out).show({ seq: 7, event: later });
  await jsonView(out).show({ seq: null, event: later });
  expect(out.text).toBe(
    [7, null]
      .map((seq) => `{${seq ? '"seq":7,' : ""}"type":"invented","text":"\\u009b\\u001b"}\n`)
      .join(""),
  );
});
