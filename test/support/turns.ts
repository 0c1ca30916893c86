/** Turns as a client drives them: a stream read in the background, prompts answered, a scripted model. */
import type { TestEngine } from "./engine.ts";
import type { FakeProtocol, FakeProvider } from "./fake-provider.ts";
import { type Json, readSse, type SseEvent, textOf, typesOf } from "./sse.ts";

/** Longer than any step of a test takes on a busy machine, shorter than a test may take. */
const WAIT_MS = 4_000;

export const PROTOCOLS = ["chat", "responses", "messages"] as const;
/** No test may find it in a reply, a log or a file. */
export const KEY = "sk-test-0123456789abcdefghijkl";
const PROVIDERS: Record<FakeProtocol, string> = {
  chat: "custom",
  responses: "openai_responses",
  messages: "anthropic",
};

/** An engine as these helpers need it, in this process or another. */
export type Client = Pick<TestEngine, "call" | "json" | "newSession">;

/** A stream that is read as it comes. */
export type Followed = {
  status: number;
  headers: Headers;
  /** What has come so far. */
  events: SseEvent[];
  /** The `nth` event of this type; rejects when the stream ends without it. */
  until(type: string, nth?: number): Promise<Json>;
  /** Resolves when the event with this id has come. */
  untilId(id: number): Promise<void>;
  /** Resolves when this text stands in what the model said. */
  untilText(text: string): Promise<void>;
  /** All of it, when the server has ended it. */
  ended(): Promise<SseEvent[]>;
  /** Leaves before the end. */
  hangUp(): Promise<void>;
};

export function follow(response: Response): Followed {
  if (!response.ok || !response.body) throw new Error(`No stream: ${response.status}`);
  const reader = response.body.getReader();
  const events: SseEvent[] = [];
  let over = false;
  let wake = Promise.withResolvers<void>();
  const bytes = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  const tell = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const reading = (async () => {
    for await (const each of readSse(new Response(bytes))) {
      events.push(each);
      tell();
    }
  })().finally(() => {
    over = true;
    tell();
  });
  reading.catch(() => {});
  async function more(wanted: string): Promise<void> {
    if (over) throw new Error(`It ended without ${wanted}: ${typesOf(events).join(" ")}`);
    await within(wake.promise, () => `no ${wanted} in ${typesOf(events).join(" ")}`);
  }
  return {
    status: response.status,
    headers: response.headers,
    events,
    async until(type, nth = 1) {
      for (;;) {
        const found = events.filter(({ event }) => event.type === type)[nth - 1];
        if (found) return found.event;
        await more(type);
      }
    },
    async untilId(id) {
      while (!events.some((each) => each.id === id)) await more(`event ${id}`);
    },
    async untilText(text) {
      while (!textOf(events).includes(text)) await more(text);
    },
    async ended() {
      await within(reading, () => `no end after ${typesOf(events).join(" ")}`);
      return events;
    },
    async hangUp() {
      await reader.cancel();
    },
  };
}

/** Rejects, saying what was missing, where the promise takes too long. */
export async function within<T>(promise: Promise<T>, missing: () => string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(missing())), WAIT_MS);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a message and follows its stream. */
export async function send(
  e: Client,
  session: string,
  content: unknown,
  more: object = {},
  headers: Record<string, string> = {},
): Promise<Followed> {
  const body = { content, ...more };
  return follow(await e.call("POST", `/sessions/${session}/message`, body, headers));
}

/** Answers a prompt and returns the status of the reply. */
export async function answer(
  e: Client,
  session: string,
  tool_id: string,
  decision: "approve" | "deny" = "approve",
  scope = "once",
): Promise<number> {
  const body = { tool_id, decision, scope };
  return (await e.call("POST", `/sessions/${session}/permission`, body)).status;
}

/** Sends a message and answers its prompts, in order, as `decisions` say; the rest is approved. */
export async function sendAnswering(
  e: Client,
  session: string,
  content: unknown,
  decisions: readonly ("approve" | "deny")[] = [],
  more: object = {},
): Promise<SseEvent[]> {
  const response = await e.call("POST", `/sessions/${session}/message`, { content, ...more });
  if (!response.ok) throw new Error(`message: ${response.status} ${await response.text()}`);
  const events: SseEvent[] = [];
  const left = [...decisions];
  for await (const each of readSse(response)) {
    events.push(each);
    if (each.event.type !== "permission_request") continue;
    const status = await answer(e, session, each.event.tool_id, left.shift() ?? "approve");
    if (status !== 200) throw new Error(`answer: ${status}`);
  }
  return events;
}

/** A session whose model is the fake provider, through the SDK of this protocol. */
export function fakeSession(
  e: Client,
  fake: FakeProvider,
  { protocol = "chat", model = "fake-model", ...more }: FakeSession = {},
): Promise<string> {
  const credentials = {
    provider: PROVIDERS[protocol],
    api_key: KEY,
    model,
    base_url: fake.baseUrl(protocol),
  };
  return e.newSession({ credentials, ...more });
}
type FakeSession = { protocol?: FakeProtocol; model?: string; [field: string]: unknown };

/** A reply's JSON, to be looked at field by field. */
export const bodyOf = async (response: Response): Promise<Json> => response.json();

export const historyOf = async (e: Client, session: string): Promise<Json[]> =>
  (await e.json("GET", `/sessions/${session}/history`)).history;

/** The turn's events without those that come in any number. */
export const outline = (events: readonly SseEvent[]): string[] =>
  typesOf([...events]).filter(
    (type) => !["token", "thinking", "model_call", "tool_output"].includes(type),
  );

export const eventsOf = (events: readonly SseEvent[], type: string): Json[] =>
  events.map(({ event }) => event).filter((event) => event.type === type);

/** Every tool call of the history is answered once, right behind the reply that made it. */
export function unansweredCalls(history: readonly Json[]): string[] {
  const open = new Set<string>();
  const wrong: string[] = [];
  for (const message of history) {
    if (message.role === "tool") {
      if (!open.delete(message.tool_call_id)) wrong.push(`stray ${message.tool_call_id}`);
      continue;
    }
    wrong.push(...open);
    open.clear();
    for (const call of message.metadata?.tool_calls ?? []) open.add(call.id);
  }
  return [...wrong, ...open];
}
