import { afterEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { toEngineError } from "../../src/domain/errors.ts";
import type { Image, Message, ToolCall, Usage } from "../../src/domain/messages.ts";
import type { ModelRequest } from "../../src/domain/model.ts";
import type { Profile } from "../../src/domain/profile.ts";
import { openOffline } from "../../src/providers/offline.ts";

const PROFILE: Profile = {
  name: "offline",
  provider: "offline",
  model: "offline",
  baseUrl: "",
  apiKey: "",
  apiKeySource: "none",
  temperature: 0,
  maxTokens: null,
  topP: null,
  timeoutMs: 0,
  streaming: true,
  supportsTools: true,
  supportsImages: null,
  extraHeaders: {},
  authType: "",
  description: "",
  builtin: true,
};
const ALL_TOOLS = [
  "terminal",
  "file_read",
  "file_create",
  "file_edit",
  "grep",
  "todo",
  "subagent",
  "web_fetch",
];
const CALLS_MAX = 20;
const NEVER = new AbortController().signal;
/** Git as a stranger's machine has it: no configuration of the developer's. */
const ENVIRONMENT = {
  PATH: Bun.env.PATH ?? "",
  HOME: "/nonexistent",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

type Answer = { output: string; isError: boolean };
type Turn = { texts: string[]; calls: ToolCall[]; thinking: string };

const workspaces: string[] = [];
afterEach(async () => {
  for (const path of workspaces.splice(0)) await rm(path, { recursive: true });
});

/** A new workspace; `files` are paths with their contents. */
async function workspaceOf(files: Record<string, string>): Promise<string> {
  const workspace = await mkdtemp(join(tmpdir(), "offline-"));
  workspaces.push(workspace);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(workspace, path)), { recursive: true });
    await writeFile(join(workspace, path), content);
  }
  return workspace;
}

async function shell(workspace: string, command: string, program = "sh"): Promise<Answer> {
  const child = Bun.spawn([program, "-c", command], {
    cwd: workspace,
    env: ENVIRONMENT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return code === 0
    ? { output: out + errors, isError: false }
    : {
        output: `Error: Exit code ${code}: ${(errors || out).trim()}\n${out}${errors}`,
        isError: true,
      };
}

async function useTool(workspace: string, { name, input }: ToolCall): Promise<Answer> {
  if (name === "terminal") return shell(workspace, String(input.command));
  if (name === "grep") return search(workspace, input);
  const path = join(workspace, String(input.file));
  try {
    if (name === "file_create") await writeFile(path, String(input.content), { flag: "wx" });
    const text = await readFile(path, "utf8");
    if (name === "file_read")
      return { output: `✓ Read 1 line from ${input.file}:\n\n${text}`, isError: false };
    if (name === "file_edit")
      await writeFile(path, text.replaceAll(String(input.find), String(input.replace)));
    return { output: `✓ Changed ${input.file}`, isError: false };
  } catch (error) {
    return { output: `Error: ${toEngineError(error).message}`, isError: true };
  }
}

/** By the programs of the machine, in the words of the tool. */
async function search(workspace: string, input: ToolCall["input"]): Promise<Answer> {
  const { pattern, path = ".", literal } = input;
  expect(literal).toBe(true);
  const found = Bun.spawn(["grep", "-rnF", "-e", String(pattern), "--", String(path)], {
    cwd: workspace,
    stdout: "pipe",
  });
  const lines = (await found.stdout.text()).replace(/^\.\//gm, "");
  const output = lines === "" ? "[No match; 2 files searched]" : `${lines}\n[1 match in 1 file]`;
  return { output, isError: false };
}

/** A conversation with the model, its tools run for real in the workspace. */
function conversation(
  workspace: string,
  { tools = ALL_TOOLS, profile = PROFILE, use = useTool } = {},
) {
  const model = openOffline(profile);
  const messages: Message[] = [];
  return {
    messages,
    async say(text: string, images: Image[] = []): Promise<Turn> {
      messages.push({ role: "user", text, images, ts: messages.length });
      const turn: Turn = { texts: [], calls: [], thinking: "" };
      for (let call = 0; call < CALLS_MAX; call += 1) {
        const reply = await replyOf(model.stream(requestOf(messages, tools), NEVER));
        messages.push({ ...reply.message, ts: messages.length });
        turn.texts.push(reply.message.text);
        turn.thinking += reply.thinking;
        if (reply.message.toolCalls.length === 0) return turn;
        for (const toolCall of reply.message.toolCalls) {
          turn.calls.push(toolCall);
          const answer = await use(workspace, toolCall);
          messages.push({ role: "tool", callId: toolCall.id, ...answer, ts: messages.length });
        }
      }
      throw new Error("The turn does not end");
    },
  };
}

const requestOf = (messages: readonly Message[], tools = ALL_TOOLS): ModelRequest => ({
  system: "",
  messages,
  tools: tools.map((name) => ({ name, description: "", parameters: {} })),
});

const asking = (text: string): ModelRequest =>
  requestOf([{ role: "user", text, images: [], ts: 0 }]);

async function replyOf(events: ReturnType<ReturnType<typeof openOffline>["stream"]>) {
  const message = {
    role: "assistant" as const,
    text: "",
    thinking: [] as { provider: string; text: string; signature: string | null }[],
    toolCalls: [] as ToolCall[],
  };
  const pieces: string[] = [];
  let thinking = "";
  let finish: { stopReason: string; usage: Usage } | null = null;
  for await (const event of events) {
    expect(finish).toBeNull();
    if (event.type === "text") pieces.push(event.text);
    if (event.type === "thinking") thinking += event.text;
    if (event.type === "thinking_block") message.thinking.push(event.block);
    if (event.type === "tool_call") message.toolCalls.push(event.call);
    if (event.type === "finish") finish = event;
  }
  expect(pieces).not.toContain("");
  message.text = pieces.join("");
  return { message, pieces, thinking, finish: finish! };
}

const QUESTION = "how many TypeScript files are in this repository, and which is the largest?";

const TREE = {
  "src/a.ts": "x".repeat(10),
  "src/it's the largest one.tsx": "x".repeat(5000),
  "-dash.mts": "1\n2\n3\n",
  "new\nline.ts": "x",
  "README.md": "x".repeat(9000),
  "node_modules/lib/index.ts": "x".repeat(20000),
};

test("how many of a kind and the largest, without a repository and without node_modules", async () => {
  const turn = await conversation(await workspaceOf(TREE)).say(QUESTION);
  expect(turn.calls.map(({ name }) => name)).toEqual(["terminal"]);
  expect(turn.texts[1]).toStartWith(
    "There are 4 TypeScript files (*.ts, *.tsx, *.mts, *.cts) here. " +
      "The largest is `src/it's the largest one.tsx`: 5000 bytes (4.9 KiB).",
  );
});

test("in a repository untracked files count; ignored, deleted and linked ones do not", async () => {
  const workspace = await workspaceOf({
    ...TREE,
    "gone.ts": "x".repeat(30000),
    "build/out.ts": "x".repeat(30000),
    ".gitignore": "build/\n",
  });
  await shell(workspace, "git init -q . && git add -A && git rm -q --cached src/a.ts");
  await rm(join(workspace, "gone.ts"));
  await symlink("build/out.ts", join(workspace, "link.ts"));
  const turn = await conversation(workspace).say(QUESTION);
  expect(turn.texts[1]).toContain("There are 4 TypeScript files");
  expect(turn.texts[1]).toContain("The largest is `src/it's the largest one.tsx`: 5000 bytes");

  const command = String(turn.calls[0]?.input.command);
  expect(await shell(workspace, command, "bash")).toEqual(await shell(workspace, command));
});

test("in a directory that a repository ignores its files are found all the same", async () => {
  const workspace = await workspaceOf({
    ".gitignore": "*\n",
    "inner/a.py": "1",
    "inner/b.py": "12",
  });
  await shell(workspace, "git init -q .");
  const turn = await conversation(join(workspace, "inner")).say("count the python files");
  expect(turn.texts[1]).toContain("There are 2 Python files (*.py, *.pyi) here");
});

test("the same question in other words", async () => {
  const workspace = await workspaceOf({
    "a.go": "1\n",
    "my dir/b.go": "1\n2\n3\n",
    "my dir/c.js": "x".repeat(100),
  });
  const answers: Record<string, string> = {
    "which is the largest file?": "There are 3 files here. The largest is `my dir/c.js`: 100 bytes",
    "How many .go files are there?":
      "There are 2 .go files (*.go) here. The largest is `my dir/b.go`",
    "longest go file please": "The longest is `my dir/b.go`: 3 lines",
    "how many lines of Go are there": "There are 2 Go files (*.go) here with 4 lines altogether",
    "what is the smallest file in `my dir`?": "in `my dir`. The smallest is `my dir/b.go`: 6 bytes",
    "how many rust files are there": "There are 0 Rust files (*.rs) here. I left out",
    "how many files are in nowhere?": "There are 0 files in `nowhere`",
    "list the Go files": "Go files in the workspace:\n```\na.go\nmy dir/b.go\n```",
    "find *.js": "Files named *.js in the workspace:\n```\nmy dir/c.js\n```",
  };
  const { say } = conversation(workspace);
  for (const [question, answer] of Object.entries(answers))
    expect((await say(question)).texts[1]).toContain(answer);
});

test("a kind of files that it does not know is not counted as something else", async () => {
  const turn = await conversation(await workspaceOf({})).say("how many test files are there?");
  expect(turn.calls).toEqual([]);
  expect(turn.texts[0]).toStartWith("I cannot answer “how many test files are there?”.");
});

test("list, create, read, edit, search and run, each with the tool for it", async () => {
  const workspace = await workspaceOf({ "src/old.txt": "alpha\nbeta\n" });
  const { say } = conversation(workspace);
  const turns: [request: string, tool: string, answer: string][] = [
    ["list files", "terminal", "In the workspace:\n```\nsrc/\n```"],
    ["list the files in .", "terminal", "In the workspace:\n```\nsrc/\n```"],
    ["List the files in src.", "terminal", "In `src`:\n```\nold.txt\n```"],
    ['create "a b.txt" with it\'s one', "file_create", "Done: Changed a b.txt"],
    ["show me 'a b.txt'", "file_read", "`a b.txt`:\n```\nit's one\n```"],
    ['replace "one" with "two" in "a b.txt"', "file_edit", "Done: Changed a b.txt"],
    ["search it's", "grep", "I found `it's` in the workspace:\n```\na b.txt:1:it's two\n"],
    ["grep beta in src", "grep", "```\nsrc/old.txt:2:beta\n"],
    ["search for nothing like it", "grep", "I found no `nothing like it` in the workspace"],
    ["run: echo out; exit 3", "terminal", "ended with exit code 3:\n```\nout\n```"],
    ["`printf ok`", "terminal", "`printf ok` ended with exit code 0:\n```\nok\n```"],
    ["read missing.txt", "file_read", "I could not read `missing.txt`: ENOENT"],
  ];
  for (const [request, tool, answer] of turns) {
    const turn = await say(request);
    expect(turn.calls.map(({ name }) => name)).toEqual([tool]);
    expect(turn.texts[1]).toContain(answer);
  }
});

test("what a name or a text contains never becomes a command", async () => {
  const workspace = await workspaceOf({ "x.txt": "a'; touch hit; '$(touch hit)\n" });
  const { say } = conversation(workspace);
  await say("search `a'; touch hit; '$(touch hit)`");
  await say('list files in "$(touch hit)"');
  await say("list files in '-x; touch hit'");
  await say("how many files are in \"a'; touch hit; '\"?");
  expect((await shell(workspace, "ls")).output).toBe("x.txt\n");
});

const CALLS: [request: string, tool: string, input: object][] = [
  [
    "plan read the code, fix the bug and run the tests",
    "todo",
    {
      items: [
        { content: "read the code", status: "in_progress" },
        { content: "fix the bug", status: "pending" },
        { content: "run the tests", status: "pending" },
      ],
    },
  ],
  ["delegate run `pwd`", "subagent", { task: "run `pwd`", prompt: "run `pwd`" }],
  ["ask a subagent to list files", "subagent", { task: "list files", prompt: "list files" }],
  ["start `sleep 5` in the background", "terminal", { command: "sleep 5", background: true }],
  ["run `sleep 5` in background", "terminal", { command: "sleep 5", background: true }],
  ["Fetch https://example.com/a.", "web_fetch", { url: "https://example.com/a" }],
  ["search for a.b in src", "grep", { pattern: "a.b", literal: true, path: "src" }],
];
test.each(CALLS)("%s: calls %s", async (request, tool, input) => {
  const use = async () => ({ output: "as it was asked", isError: false });
  const turn = await conversation(await workspaceOf({}), { use }).say(request);
  expect(turn.calls.map((call) => [call.name, call.input])).toEqual([[tool, input as never]]);
});

test("long output is cut, and the reply says how much is missing", async () => {
  const turn = await conversation(await workspaceOf({})).say("run seq 100");
  expect(turn.texts[1]).toContain("39\n40\n```\n(60 more lines left out)");
});

test("steps joined by then run one after another, each with the result of the one before", async () => {
  const turn = await conversation(await workspaceOf({})).say(
    'create a.txt with "now then later", then count to 3 and then run `cat a.txt` then read a.txt',
  );
  expect(turn.calls.map(({ name }) => name)).toEqual(["file_create", "terminal", "file_read"]);
  expect(turn.texts[1]).toBe("Done: Changed a.txt\n\n1 2 3\n\nI run `cat a.txt`.");
  expect(turn.texts[3]).toContain("now then later");
});

test("several things at once are several calls in one reply", async () => {
  const { say, messages } = conversation(await workspaceOf({ "a.txt": "a" }));
  const turn = await say('run echo one and echo "two and three" at once');
  expect(turn.texts).toHaveLength(2);
  expect(turn.calls.map(({ input }) => input.command)).toEqual([
    "echo one",
    'echo "two and three"',
  ]);
  expect(new Set(turn.calls.map(({ id }) => id)).size).toBe(2);
  expect(turn.texts[1]).toContain("two and three\n```");
  await say("read a.txt and list files at the same time");
  expect(
    messages.findLast((message) => message.role === "assistant" && message.toolCalls.length > 0),
  ).toMatchObject({ toolCalls: [{ name: "file_read" }, { name: "terminal" }] });
});

test.each([
  "User denied",
  "Denied by a rule: not here",
  "Permission request timed out",
  "Nobody is attached to approve it",
])("%s: the steps that are left do not run", async (reason) => {
  const use = async () => ({ output: `Error: ${reason}`, isError: true });
  const turn = await conversation(await workspaceOf({}), { use }).say(
    "run pwd then read a then run ls",
  );
  expect(turn.calls).toHaveLength(1);
  expect(turn.texts[1]).toStartWith(
    `\`terminal\` was not allowed to run: ${reason}.\n\nI stop here and leave out 2 more steps.`,
  );
});

test("a failure is told, and the steps after it run", async () => {
  const use = async (workspace: string, call: ToolCall) =>
    call.name === "terminal"
      ? useTool(workspace, call)
      : { output: "Error: Permission denied: a.txt", isError: true };
  const { say } = conversation(await workspaceOf({}), { use });
  const turn = await say("read a.txt then run false then run true");
  expect(turn.texts[1]).toStartWith("I could not read `a.txt`: Permission denied: a.txt");
  expect(turn.texts[2]).toStartWith("`false` ended with exit code 1 and printed nothing.");
  expect(turn.texts[3]).toStartWith("`true` ended with exit code 0 and printed nothing.");
});

test("a tool that is not offered is named, and nothing is called", async () => {
  const turn = await conversation(await workspaceOf({}), { tools: [] }).say(
    "read a.txt then count to 2",
  );
  expect(turn.calls).toEqual([]);
  expect(turn.texts[0]).toStartWith(
    "For that I need `file_read`, which this session does not offer me.\n\n1 2",
  );
});

test("the first reply says in one line how to configure a model, later ones do not", async () => {
  const { say } = conversation(await workspaceOf({}));
  const first = await say("run true");
  expect(first.texts[0]).toBe("I run `true`.");
  expect(first.texts[1]?.split("\n\n").at(-1)).toMatch(
    /^\(This is the built-in offline model: .*ANTHROPIC_API_KEY or OPENAI_API_KEY.*doctor.*\)$/,
  );
  expect((await say("say again")).texts).toEqual(["again"]);
});

test("it says what it is and what it understands when asked, and when it cannot answer", async () => {
  const { say } = conversation(await workspaceOf({}));
  for (const request of [
    "Hello!",
    "what is the capital of France?",
    "",
    `x${"y".repeat(50_000)}`,
  ]) {
    const turn = await say(request);
    expect(turn.texts[0]).toContain("not an AI");
    expect(turn.texts[0]).toContain("OPENAI_API_KEY");
    expect(turn.texts[0]).toContain("- list files in src\n");
    expect(turn.texts[0]?.length).toBeLessThan(2000);
  }
});

test("thinking comes as reasoning, apart from the reply", async () => {
  const reply = await replyOf(openOffline(PROFILE).stream(asking("think about whales"), NEVER));
  expect(reply.thinking).toContain("think about whales");
  expect(reply.message.thinking).toEqual([
    { provider: "offline", text: reply.thinking, signature: null },
  ]);
  expect(reply.message.text).toStartWith("I thought about whales");
  expect(reply.finish.usage.thinkingTokens).toBeGreaterThan(0);
});

test("a question ends the turn, and its answer is taken for one", async () => {
  const { say } = conversation(await workspaceOf({}));
  const turn = await say("ask me which colour to use then run pwd");
  expect(turn.calls).toEqual([]);
  expect(turn.texts[0]).toStartWith(
    "<question>Which colour to use?</question>\n\nI stop here and leave out 1 more step.",
  );
  expect((await say("blue")).texts[0]).toBe("You answered “blue”. That is all I can do with it.");
  expect((await say("blue")).texts[0]).toStartWith("I cannot answer “blue”.");
});

test("a request that comes while the one before is unfinished is answered alone", async () => {
  const { say, messages } = conversation(await workspaceOf({}));
  await say("run pwd then run ls");
  messages.splice(3);
  expect((await say("say hi")).texts).toEqual([
    "I leave the request before this one as it is, unfinished.\n\nhi",
  ]);
});

test.each([
  ["fail", "internal"],
  ["fail with rate_limit", "rate_limit"],
  ["Fail with an auth error.", "auth_error"],
  ["fail with timeout", "timeout"],
  ["fail with context", "context_exceeded"],
  ["fail with cut", "provider_cut"],
])("%s throws %s and may not be retried", async (request, code) => {
  const thrown = await replyOf(openOffline(PROFILE).stream(asking(request), NEVER)).then(
    () => null,
    toEngineError,
  );
  expect(thrown).toMatchObject({ code, retryable: false });
  expect(thrown?.message).toContain("was asked to fail");
});

test("fail twice then succeed: two attempts fail before their first word, the third answers", async () => {
  const model = openOffline(PROFILE);
  const request = asking("fail twice then succeed");
  for (const _attempt of [1, 2]) {
    const events = model.stream(request, NEVER)[Symbol.asyncIterator]();
    const thrown = await events.next().then(() => null, toEngineError);
    expect(thrown).toMatchObject({ code: "rate_limit", retryable: true, retryAfterMs: 50 });
  }
  const reply = await replyOf(model.stream(request, NEVER));
  expect(reply.message.text).toStartWith(
    "I failed 2 times first, as you asked.\n\nThis time it worked.",
  );
});

test("words stream one by one, always the same ones", async () => {
  const one = await replyOf(openOffline(PROFILE).stream(asking("stream 2,000 words"), NEVER));
  const two = await replyOf(openOffline(PROFILE).stream(asking("stream 2000 words"), NEVER));
  expect(one.pieces).toEqual(two.pieces);
  const words = one.message.text.split("\n\n")[0]!.split(" ");
  expect(words).toHaveLength(2000);
  expect(one.pieces.slice(0, 2000).join("")).toBe(words.join(" "));
  expect(one.finish).toMatchObject({ stopReason: "end_turn" });
  expect(one.finish.usage.outputTokens).toBe(Math.ceil(one.message.text.length / 4));
});

test.each(["stream 100000 words", "stream 100 words every 5 seconds"])(
  "an abort ends %s at once",
  async (request) => {
    const stop = new AbortController();
    let words = 0;
    const reading = (async () => {
      for await (const event of openOffline(PROFILE).stream(asking(request), stop.signal)) {
        if (event.type === "text") words += 1;
        if (words === 10 || request.endsWith("seconds")) stop.abort(new Error("stopped"));
        expect(event.type).toBe("text");
      }
    })();
    await reading.catch((error) => expect(error).toMatchObject({ message: "stopped" }));
    expect(words).toBeLessThanOrEqual(10);
  },
);

test("a profile that does not stream gets each text in one piece", async () => {
  const model = openOffline({ ...PROFILE, streaming: false });
  const reply = await replyOf(model.stream(asking("think then run pwd"), NEVER));
  expect(reply.pieces).toHaveLength(1);
  expect(reply.message.toolCalls).toHaveLength(1);
  expect(reply.finish.stopReason).toBe("tool_use");
});

test("images are counted and not seen", async () => {
  const { say } = conversation(await workspaceOf({}));
  expect(openOffline(PROFILE)).toMatchObject({ provider: "offline", name: "offline", sees: false });
  const turn = await say("say hi", [
    { mediaType: "image/png", base64: "" },
    { mediaType: "image/jpeg", base64: "" },
  ]);
  expect(turn.texts[0]).toStartWith(
    "You sent 2 images (image/png, image/jpeg). I cannot see images.\n\nhi",
  );
});

test("no request makes the patterns slow", async () => {
  const nasty = ["with ".repeat(790), " ".repeat(3980), "'a ".repeat(1320), "in a ".repeat(790)];
  for (const text of nasty)
    for (const start of ["replace ", "create a.b", "search ", "find ", "fail ", "`"])
      await replyOf(openOffline(PROFILE).stream(asking(`${start}${text}?`), NEVER)).catch(
        toEngineError,
      );
}, 4000);
