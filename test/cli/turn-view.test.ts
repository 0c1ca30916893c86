import { expect, test } from "bun:test";
import { Screen } from "../../src/cli/screen.ts";
import { jsonView, textView } from "../../src/cli/turn-view.ts";
import type { EventBody, StreamNotice } from "../../src/domain/events.ts";
import type { SessionId, ToolCallId } from "../../src/domain/ids.ts";
import { recordedOutput } from "../support/recorded-output.ts";

const ID = "call_1" as ToolCallId;
const call = { tool_id: ID, tool_name: "terminal", tool_type: "terminal" };

/** Both on one terminal, as a person sees them. */
async function shown(events: (EventBody | StreamNotice)[], follows = false): Promise<string> {
  const terminal = recordedOutput({ isTerminal: true, columns: 40 });
  const other = { ...terminal, write: (text: string) => terminal.write(text) };
  const view = textView(new Screen(terminal, other), { follows, asks: true });
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
      true,
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
