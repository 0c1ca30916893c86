/**
 * The least that answers the bench: sessions in memory, chat completions in, events out, a shell. No
 * storage, no rules, no checks. What an engine needs more than this is its own.
 */

type ToolCall = { index: number; id: string; function: { name: string; arguments: string } };
type Message = {
  role: string;
  content: string | null;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
};
type Delta = { content?: string; tool_calls?: ToolCall[] };

const provider = process.env.PROVIDER_URL;
const sessions = new Map<string, { messages: Message[]; asks: boolean }>();
/** What lets a tool run that somebody was asked about. */
const questions = new Map<string, () => void>();

const tool = (name: string, description: string, parameter: string) => {
  const parameters = { type: "object", properties: { [parameter]: { type: "string" } } };
  return { type: "function", function: { name, description, parameters } };
};
const TOOLS = [
  tool("terminal", "Run a shell command", "command"),
  tool("file_read", "Read a text file", "file"),
];
const SHOWN_CHARS_MAX = 80_000;

/** What a model's reply adds, as much at a time as comes at once. */
async function* callModel(messages: Message[]): AsyncGenerator<Delta[]> {
  const response = await fetch(`${provider}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "bench", stream: true, messages, tools: TOOLS }),
  });
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body ?? []) {
    const events = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
    rest = events.pop() ?? "";
    yield events
      .filter((event) => event.startsWith("data: {"))
      .map((event) => JSON.parse(event.slice("data: ".length)).choices[0]?.delta ?? {});
  }
}

const frame = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;

async function* turn(session_id: string, content: string): AsyncGenerator<string> {
  const { messages, asks } = sessions.get(session_id) ?? { messages: [], asks: false };
  messages.push({ role: "user", content });
  for (;;) {
    let text = "";
    const calls: ToolCall[] = [];
    for await (const deltas of callModel(messages)) {
      let frames = "";
      for (const { content, tool_calls } of deltas) {
        calls.push(...(tool_calls ?? []));
        if (!content) continue;
        text += content;
        frames += frame({ type: "token", text: content, session_id });
      }
      if (frames !== "") yield frames;
    }
    const reply = { role: "assistant", content: text || null };
    messages.push(calls.length > 0 ? { ...reply, tool_calls: calls } : reply);
    if (calls.length === 0) break;
    for (const { id, function: called } of calls) {
      yield frame({ type: "tool_start", tool_id: id, tool_name: called.name, session_id });
      if (asks) {
        const answered = new Promise<void>((resolve) => questions.set(session_id + id, resolve));
        yield frame({ type: "permission_request", tool_id: id, session_id });
        await answered;
        yield frame({ type: "permission_granted", tool_id: id, session_id });
      }
      const output = await run(JSON.parse(called.arguments));
      messages.push({ role: "tool", tool_call_id: id, content: output });
      yield frame({ type: "tool_result", tool_id: id, output, session_id });
    }
  }
  yield frame({ type: "turn_complete", session_id });
}

async function run({ command, file }: { command: string; file?: string }): Promise<string> {
  if (file !== undefined) return (await Bun.file(file).text()).slice(0, SHOWN_CHARS_MAX);
  return Bun.spawn(["sh", "-c", command], { stdin: "ignore", stderr: "ignore" }).stdout.text();
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  routes: {
    "/health": () => Response.json({ status: "healthy" }),
    "/sessions": {
      async POST(request) {
        const { approval_mode } = (await request.json()) as { approval_mode: string };
        const session_id = crypto.randomUUID();
        sessions.set(session_id, { messages: [], asks: approval_mode === "confirm_all" });
        return Response.json({ session_id });
      },
    },
    "/sessions/:id/message": {
      async POST(request) {
        const { content } = (await request.json()) as { content: string };
        const headers = { "content-type": "text/event-stream" };
        return new Response(turn(request.params.id, content), { headers });
      },
    },
    "/sessions/:id/permission": {
      async POST(request) {
        const { tool_id } = (await request.json()) as { tool_id: string };
        const question = request.params.id + tool_id;
        const resolve = questions.get(question);
        if (!resolve) return Response.json({ error: "not found" }, { status: 404 });
        questions.delete(question);
        resolve();
        return Response.json({ ok: true });
      },
    },
  },
});
console.log(`READY:${server.port}`);
