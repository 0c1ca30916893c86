/** One turn in which a scripted model makes calls, and somebody answers its prompts. */
import type { FakeProvider, FakeStep } from "./fake-provider.ts";
import { type Json, readSse, type SseEvent } from "./sse.ts";
import { type Client, eventsOf } from "./turns.ts";

/** The body of an answer, without its `tool_id`. */
export type Answer = { decision: "approve" | "deny"; scope?: string };
export const DENY: Answer = { decision: "deny" };
export const approve = (scope = "once"): Answer => ({ decision: "approve", scope });

export type AskedTurn = {
  seen: SseEvent[];
  prompts: Json[];
  /** What the answers were answered with. */
  replies: Json[];
  results: Json[];
};

/** All calls are in one reply. `answers`: in the order of the prompts; the last one is for all that follow. */
export async function askedTurn(
  e: Client,
  fake: FakeProvider,
  session: string,
  calls: readonly FakeStep[],
  ...answers: (Answer | ((prompt: Json) => Answer))[]
): Promise<AskedTurn> {
  fake.reply({ steps: [...calls] }, "done");
  const response = await e.call("POST", `/sessions/${session}/message`, { content: "go" });
  if (!response.ok) throw new Error(`message: ${response.status} ${await response.text()}`);
  const seen: SseEvent[] = [];
  const prompts: Json[] = [];
  const replies: Json[] = [];
  for await (const each of readSse(response)) {
    seen.push(each);
    if (each.event.type !== "permission_request") continue;
    const given = answers[Math.min(prompts.length, answers.length - 1)] ?? approve();
    prompts.push(each.event);
    const answer = typeof given === "function" ? given(each.event) : given;
    const body = { tool_id: each.event.tool_id, ...answer };
    replies.push(await e.json("POST", `/sessions/${session}/permission`, body));
  }
  return { seen, prompts, replies, results: eventsOf(seen, "tool_result") };
}

export const terminal = (command: string) => ({ call: "terminal", input: { command } });

/** The commands that were asked about. */
export const commandsOf = ({ prompts }: AskedTurn): string[] =>
  prompts.map(({ input }) => input.command);
