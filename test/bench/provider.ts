/**
 * A model provider that is never the limit: chat completions as a stream, in a process of its own, mostly
 * made beforehand. What it answers is in the last message of the user, as JSON (`Order`).
 */
import { now } from "./clock.ts";

export type Order = {
  /** Of the reply's text. */
  tokens: number;
  /** Between two tokens; as fast as they are read if not given. */
  everyMs?: number;
  /** Each token is the time of its sending. */
  stamped?: boolean;
  /** How often the tool is called before the reply. */
  toolRounds?: number;
  /** `true` in the shell if not given. */
  tool?: { name: string; input: Record<string, unknown> };
  /** Only makes the message longer. */
  padding?: string;
};

/** When a request had arrived, when its first token was sent and when its last piece was. */
export type Call = { arrivedMs: number; firstMs: number; endMs: number };

const CALLS_MAX = 10_000;
/** How many tokens go out in one piece where neither their time nor their pace matters. */
const PIECE_TOKENS = 64;
const WORDS = "a bench needs words that look like those of a model ".split(/(?<= )/);

const ENCODER = new TextEncoder();
const chunk = (fields: object): string =>
  `data: ${JSON.stringify({ id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1, model: "bench", ...fields })}\n\n`;
const choice = (delta: object, finish_reason: string | null = null): string =>
  chunk({ choices: [{ index: 0, delta, finish_reason }] });
const wordChunk = (at: number): string => choice({ content: WORDS[at % WORDS.length] });

const WHOLE_PIECE = ENCODER.encode(
  Array.from({ length: PIECE_TOKENS }, (_, at) => wordChunk(at)).join(""),
);

async function* replyTo(order: Order, call: Call): AsyncGenerator<Uint8Array> {
  const { tokens, everyMs = 0, stamped = false } = order;
  const size = everyMs > 0 || stamped ? 1 : PIECE_TOKENS;
  const startMs = now();
  for (let sent = 0; sent < tokens; sent += size) {
    // From the start, so that what a timer is late does not add up.
    const waitMs = startMs + sent * everyMs - now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    const sendMs = now();
    if (sent === 0) call.firstMs = sendMs;
    if (stamped) yield ENCODER.encode(choice({ content: `${sendMs.toFixed(2)} ` }));
    else
      yield size === PIECE_TOKENS && tokens - sent >= size
        ? WHOLE_PIECE
        : words(Math.min(size, tokens - sent));
  }
  call.endMs = now();
  yield ending("stop", tokens);
}

const words = (count: number): Uint8Array =>
  ENCODER.encode(Array.from({ length: count }, (_, at) => wordChunk(at)).join(""));

const SHELL: NonNullable<Order["tool"]> = { name: "terminal", input: { command: "true" } };

async function* toolCall(order: Order, round: number, call: Call): AsyncGenerator<Uint8Array> {
  const { name, input } = order.tool ?? SHELL;
  const named = { name, arguments: JSON.stringify(input) };
  const part = { index: 0, id: `call_${round}`, type: "function", function: named };
  call.firstMs = now();
  call.endMs = call.firstMs;
  yield ENCODER.encode(choice({ tool_calls: [part] }));
  yield ending("tool_calls", 10);
}

function ending(reason: string, completion_tokens: number): Uint8Array {
  const usage = { prompt_tokens: 10, completion_tokens, total_tokens: 10 + completion_tokens };
  return ENCODER.encode(`${choice({}, reason)}${chunk({ choices: [], usage })}data: [DONE]\n\n`);
}

type Message = { role: string; content: string };

async function answer(request: Request, calls: Call[]): Promise<Response> {
  const call: Call = { arrivedMs: now(), firstMs: 0, endMs: 0 };
  if (calls.push(call) > CALLS_MAX) calls.shift();
  const { messages } = (await request.json()) as { messages: Message[] };
  const asked = messages.findLastIndex(({ role }) => role === "user");
  const order: Order = JSON.parse(messages[asked]?.content ?? "");
  const round = messages.slice(asked).filter(({ role }) => role === "tool").length;
  const body =
    round < (order.toolRounds ?? 0) ? toolCall(order, round, call) : replyTo(order, call);
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** `DELETE /calls` answers with the calls since the last such request, and forgets them. */
function serve(): void {
  const calls: Call[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    routes: {
      "/v1/chat/completions": { POST: (request) => answer(request, calls) },
      "/calls": { DELETE: () => Response.json(calls.splice(0)) },
    },
  });
  console.log(`READY:${server.port}`);
}

if (import.meta.main) serve();
