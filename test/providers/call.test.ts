/** What holds for every protocol: how replies end, break, stall and are cancelled. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EngineError } from "../../src/domain/errors.ts";
import type { Model } from "../../src/domain/model.ts";
import type { Profile } from "../../src/domain/profile.ts";
import { DEFAULT_DEADLINES, type Deadlines } from "../../src/providers/endpoint.ts";
import { openModel } from "../../src/providers/registry.ts";
import { type FakeFault, type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import {
  assistant,
  eventsOf,
  failureOf,
  PROTOCOLS,
  profileOf,
  requestOf,
  textOf,
  tool,
  toolCall,
  user,
} from "../support/model-calls.ts";

let fake: FakeProvider;
beforeAll(async () => {
  fake = await startFakeProvider();
});
afterAll(() => fake.stop());

const LIST = {
  name: "list",
  description: "Lists.",
  parameters: { type: "object", properties: {} },
};

/** Resolves when no connection to the provider is open any more. */
async function noConnections(): Promise<void> {
  while (fake.connections > 0) await Bun.sleep(1);
}

describe.each(PROTOCOLS)("$protocol", ({ protocol, provider }) => {
  const open = (changes: Partial<Profile> = {}, deadlines: Partial<Deadlines> = {}) =>
    openModel(profileOf({ provider, baseUrl: fake.baseUrl(protocol), ...changes }), {
      deadlines: { ...DEFAULT_DEADLINES, ...deadlines },
    });

  test("text, thinking, several calls and one without arguments, counts", async () => {
    fake.reply({
      steps: [
        { thinking: "hm" },
        { text: "Hel" },
        { text: "lo" },
        { call: "list", input: "", id: "call_1" },
        { call: "read", input: { path: "ä.txt" }, id: "call_2" },
      ],
      usage: { input: 7, output: 9, thinking: 4, cacheRead: 3, cacheWrite: 2 },
      pieceBytes: 5,
    });
    const events = await eventsOf(await open());
    expect(events.filter(({ type }) => type !== "thinking_block")).toEqual([
      { type: "thinking", text: "hm" },
      { type: "text", text: "Hel" },
      { type: "text", text: "lo" },
      { type: "tool_call", call: toolCall("call_1", "list") },
      { type: "tool_call", call: toolCall("call_2", "read", { path: "ä.txt" }) },
      {
        type: "finish",
        stopReason: protocol === "messages" ? "tool_use" : "tool_calls",
        usage: {
          inputTokens: 12,
          outputTokens: 9,
          thinkingTokens: 4,
          cacheReadTokens: 3,
          cacheWriteTokens: 2,
        },
      },
    ]);
  });

  test("a reply that is not streamed says the same, its text at once", async () => {
    fake.reply({
      steps: [{ text: "Hel" }, { text: "lo" }, { call: "list", input: "", id: "call_1" }],
      usage: { cacheRead: 3, thinking: 1 },
    });
    const events = await eventsOf(await open({ streaming: false }));
    expect(fake.requests.at(-1)?.body.stream).toBe(false);
    expect(events).toEqual([
      { type: "text", text: "Hello" },
      { type: "tool_call", call: toolCall("call_1", "list") },
      {
        type: "finish",
        stopReason: protocol === "messages" ? "tool_use" : "tool_calls",
        usage: {
          inputTokens: 13,
          outputTokens: 5,
          thinkingTokens: 1,
          cacheReadTokens: 3,
          cacheWriteTokens: 0,
        },
      },
    ]);
  });

  test("a reply that was cut at the token cap says so in the provider's word", async () => {
    const word = { chat: "length", responses: "max_output_tokens", messages: "max_tokens" }[
      protocol
    ];
    fake.reply({ steps: [{ text: "half a" }], stopReason: word });
    const events = await eventsOf(await open({ maxTokens: 3 }));
    expect(events.at(-1)).toMatchObject({ type: "finish", stopReason: word });
    const { body } = fake.requests.at(-1)!;
    expect(body.max_tokens ?? body.max_output_tokens).toBe(3);
  });

  test("a provider's word for the end of its reply is kept short and printable", async () => {
    fake.reply({ stopReason: `odd\u001b[2J\u0000${"x".repeat(1000)}` });
    const last = (await eventsOf(await open())).at(-1);
    // Responses has a word only for a reply that stopped early.
    const word = protocol === "responses" ? expect.any(String) : `odd[2J${"x".repeat(92)}`;
    expect(last).toMatchObject({ type: "finish", stopReason: word });
  });

  test("what is no count of tokens counts as none", async () => {
    for (const wrong of [-5, 1.5, 2 ** 60]) {
      fake.reply({ usage: { input: wrong, output: wrong, thinking: wrong } });
      expect((await eventsOf(await open())).at(-1)).toMatchObject({
        usage: { inputTokens: 0, outputTokens: 0, thinkingTokens: 0 },
      });
    }
  });

  test("data nested too deep to be worked with is refused", async () => {
    const deep = `${"[".repeat(60_000)}${"]".repeat(60_000)}`;
    fake.reply({ raw: [`data: {"type":"error","error":${deep}}\n\n`] });
    const { error } = await failureOf(await open());
    expect([error.code, error.retryable]).toEqual(["internal", false]);
    expect(error.message).toContain("200 levels deep");
  });

  test("a reply of no known shape is a failure with a name", async () => {
    const odd = {
      chat: { choices: [{ message: { tool_calls: [null] } }] },
      responses: { status: "completed", output: [null] },
      messages: { content: [null] },
    }[protocol];
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.json(odd),
    });
    const { error } = await failureOf(await open({ baseUrl: server.url.href, streaming: false }));
    expect([error.code, error.retryable]).toEqual(["internal", false]);
    expect(error.message).toContain("sent a reply of no known shape");
    await server.stop(true);
  });

  test("a whole conversation is put so that strict providers take it", async () => {
    const image = { mediaType: "image/png", base64: "aGk=" };
    const conversation = [
      user("look", [image]),
      assistant("", {
        toolCalls: [toolCall("call.1:0", "list"), toolCall("call_2", "read", { path: "a" })],
      }),
      tool("call.1:0", ""),
      tool("call_2", "Error: no such file", true),
      user("and this was steered in"),
      assistant("Done."),
      user(""),
      assistant(""),
      user("after a reply that was cut before its first word"),
      assistant(" ", { toolCalls: [toolCall("call_3", "list")] }),
      tool("call_3", "b"),
    ];
    const model = await open();
    const request = requestOf(conversation, { system: "Be brief.", tools: [LIST] });
    expect(textOf(await eventsOf(model, request))).toBe("ok");
    const sent = JSON.stringify(fake.requests.at(-1)?.body);
    expect(sent).toContain("aGk=");
    expect(sent).toContain("Be brief.");
    expect(textOf(await eventsOf(model, requestOf(conversation, { system: " " })))).toBe("ok");
  });

  test("a blind model is told that there was an image", async () => {
    const request = requestOf([user("look", [{ mediaType: "image/png", base64: "aGk=" }])]);
    await eventsOf(await open({ supportsImages: false }), request);
    const sent = JSON.stringify(fake.requests.at(-1)?.body);
    expect(sent).not.toContain("aGk=");
    expect(sent).toContain("cannot see images");
  });

  const cuts: FakeFault[] = [
    { kind: "end", after: 4 },
    { kind: "fin", after: 4 },
    { kind: "reset", after: 4 },
    { kind: "garbage", after: 4 },
    { kind: "end", after: 0 },
  ];
  test.each(cuts)("cut: $kind after $after frames", async (fault) => {
    const read = Promise.withResolvers<void>();
    const steps = [{ text: "one " }, { text: "two " }, { text: "three" }];
    fake.reply({ steps, fault: { ...fault, when: read.promise } as FakeFault });
    const model = await open();
    let text = "";
    const reading = (async () => {
      for await (const event of model.stream(requestOf(), new AbortController().signal)) {
        text += event.type === "text" ? event.text : event.type;
        read.resolve();
      }
    })();
    const error: EngineError = await reading.then(
      () => expect.unreachable(),
      (caught) => caught,
    );
    expect([error.code, error.retryable]).toEqual(["provider_cut", true]);
    expect(error.message).toStartWith(`${provider} `);
    const parts = fault.kind !== "status" && fault.after ? /^one (two (three)?)?$/ : /^$/;
    expect(text).toMatch(parts);
  });

  test.each(["fin", "reset"] as const)("a reply in one piece is cut: %s", async (kind) => {
    fake.reply({ fault: { kind, after: 0 } });
    const { error } = await failureOf(await open({ streaming: false }));
    expect([error.code, error.retryable]).toEqual(["provider_cut", true]);
  });

  test("an error inside a reply ends it, after what was said", async () => {
    const cause = { type: "overloaded_error", code: "server_error", message: "Overloaded" };
    const steps = [{ text: "one" }, { text: "two" }, { text: "three" }];
    fake.reply({ steps, fault: { kind: "error", after: 4, error: cause } });
    const { error, events } = await failureOf(await open());
    expect(textOf(events)).toStartWith("one");
    expect([error.code, error.retryable]).toEqual(["internal", true]);
    expect(error.message).toBe(`${provider} failed: Overloaded`);
  });

  test("silence before the first byte ends in a timeout and a closed socket", async () => {
    for (const after of [null, 0]) {
      fake.reply({ fault: { kind: "stall", after } });
      const { error } = await failureOf(await open({}, { firstByteMs: 60 }));
      expect([error.code, error.retryable]).toEqual(["timeout", true]);
      expect(error.message).toBe(`${provider} sent nothing for 0.06 s`);
      expect(await fake.requests.at(-1)?.ended).toBe("client");
    }
  });

  test("silence between two pieces does too", async () => {
    const steps = [{ text: "one" }, { text: "two" }, { text: "three" }];
    fake.reply({ steps, fault: { kind: "stall", after: 4 } });
    const { error, events } = await failureOf(await open({}, { betweenBytesMs: 60 }));
    expect(textOf(events)).toStartWith("one");
    expect(error.code).toBe("timeout");
    expect(await fake.requests.at(-1)?.ended).toBe("client");
  });

  test("the profile's timeout stands for both", async () => {
    fake.reply({ fault: { kind: "stall", after: null } });
    const { error } = await failureOf(await open({ timeoutMs: 70 }));
    expect(error.message).toBe(`${provider} sent nothing for 0.07 s`);
  });

  test("a slow beginning and a slow reader are no silence", async () => {
    const gate = Promise.withResolvers<void>();
    fake.reply({ steps: [{ wait: gate.promise }, { text: "one" }, { text: "two" }] });
    const model = await open({}, { firstByteMs: 5_000, betweenBytesMs: 300 });
    const asked = fake.nextRequest();
    const reading = (async () => {
      let text = "";
      for await (const event of model.stream(requestOf(), new AbortController().signal)) {
        if (event.type === "text") text += event.text;
        // Longer than the limit in all, while the rest of the reply lies there.
        await Bun.sleep(110);
      }
      return text;
    })();
    await asked;
    gate.resolve();
    expect(await reading).toBe("onetwo");
  });

  test("cancel before the answer, and in it, closes the socket at once", async () => {
    const model = await open();
    for (const after of [null, 3]) {
      fake.reply({ steps: [{ text: "one" }, { text: "two" }], fault: { kind: "stall", after } });
      const cancel = new AbortController();
      const reason = new EngineError("cancelled", "Turn cancelled by user");
      const asked = fake.nextRequest();
      const failing = failureOf(model, requestOf(), cancel.signal);
      await asked;
      if (after !== null) await Bun.sleep(5);
      cancel.abort(reason);
      expect((await failing).error).toBe(reason);
      expect(await fake.requests.at(-1)?.ended).toBe("client");
    }
  });

  test("cancelled while events wait: none of them is told any more", async () => {
    fake.reply({ steps: Array.from({ length: 50 }, () => ({ text: "x" })) });
    const cancel = new AbortController();
    let told = 0;
    const reading = (async () => {
      for await (const _ of (await open()).stream(requestOf(), cancel.signal)) {
        told++;
        cancel.abort();
      }
    })();
    expect(await reading.catch((error: EngineError) => error.code)).toBe("cancelled");
    expect(told).toBe(1);
  });

  test("a signal that is aborted already sends nothing", async () => {
    const before = fake.requests.length;
    const { error } = await failureOf(await open(), requestOf(), AbortSignal.abort());
    expect(error.code).toBe("cancelled");
    expect(fake.requests.length).toBe(before);
  });

  test("who stops reading closes the socket, and so does close", async () => {
    const model = await open();
    const stall = {
      steps: [{ text: "a" }, { text: "b" }],
      fault: { kind: "stall", after: 4 } as const,
    };
    fake.reply(stall, stall);
    for await (const _ of model.stream(requestOf(), new AbortController().signal)) break;
    expect(await fake.requests.at(-1)?.ended).toBe("client");

    const asked = fake.nextRequest();
    const failing = failureOf(model);
    await asked;
    model.close();
    expect((await failing).error.code).toBe("cancelled");
    expect(await fake.requests.at(-1)?.ended).toBe("client");
  });

  test("after a reply no connection stays open", async () => {
    const model = await open();
    await eventsOf(model);
    model.close();
    await noConnections();
  });

  test("models with different keys, headers and servers, their calls interleaved, share nothing", async () => {
    const other = await startFakeProvider();
    const gate = Promise.withResolvers<void>();
    const said = (who: string) => ({
      steps: [
        { text: `${who} ` },
        { wait: gate.promise },
        { call: "list", id: null },
        { text: who },
      ],
    });
    fake.reply(said("a"));
    const first = await open({ apiKey: "key-of-the-first", extraHeaders: { "X-Team": "first" } });
    const second = await open({
      apiKey: "key-of-the-second",
      baseUrl: other.baseUrl(protocol),
      model: "second-model",
    });
    other.reply(said("b"));
    const arrived = [fake.nextRequest(), other.nextRequest()];
    const calls = [eventsOf(first), eventsOf(second)];
    const [one, two] = await Promise.all(arrived);
    gate.resolve();
    const [ones, twos] = await Promise.all(calls);
    expect([textOf(ones!), textOf(twos!)]).toEqual(["a a", "b b"]);
    const keyOf = (headers: Record<string, string>) =>
      headers["x-api-key"] ?? headers.authorization;
    expect([keyOf(one!.headers), one!.headers["x-team"], one!.body.model]).toEqual([
      protocol === "messages" ? "key-of-the-first" : "Bearer key-of-the-first",
      "first",
      "fake-model",
    ]);
    expect([keyOf(two!.headers), two!.headers["x-team"], two!.body.model]).toEqual([
      protocol === "messages" ? "key-of-the-second" : "Bearer key-of-the-second",
      undefined,
      "second-model",
    ]);
    await other.stop();
  });

  test("parallel calls of the same profile mix neither tool calls nor counts", async () => {
    const gate = Promise.withResolvers<void>();
    fake.fallback = ({ body }) => {
      const place = Number(/number (\d)/.exec(JSON.stringify(body))?.[1]);
      return {
        steps: [
          { text: "x" },
          { wait: gate.promise },
          { call: `tool_${place}`, input: { place }, id: `call_${place}` },
        ],
        usage: { output: 100 + place },
      };
    };
    const models: Model[] = [await open(), await open()];
    const calls = [0, 1, 2, 3].map((place) =>
      eventsOf(models[place % 2]!, requestOf([user(`number ${place}`)])),
    );
    while (fake.connections < 4) await Bun.sleep(1);
    gate.resolve();
    const replies = await Promise.all(calls);
    fake.fallback = {};
    replies.forEach((events, place) => {
      const call = events.find(({ type }) => type === "tool_call");
      expect(call).toEqual({
        type: "tool_call",
        call: toolCall(`call_${place}`, `tool_${place}`, { place }),
      });
      expect(events.at(-1)).toMatchObject({ usage: { outputTokens: 100 + place } });
    });
  });

  test("temperature, top_p and headers of the profile are sent", async () => {
    const model = await open({ temperature: 0.3, topP: 0.9, extraHeaders: { "X-Team": "blue" } });
    await eventsOf(model);
    const { body, headers } = fake.requests.at(-1)!;
    expect([body.temperature, body.top_p, headers["x-team"]]).toEqual([0.3, 0.9, "blue"]);
  });

  test("the profile's headers win over ours", async () => {
    const header = protocol === "messages" ? "X-Api-Key" : "Authorization";
    await eventsOf(await open({ extraHeaders: { [header]: "mine" } }));
    expect(fake.requests.at(-1)?.headers[header.toLowerCase()]).toBe("mine");
  });

  test("a server that does not stream when asked to is understood all the same", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        Response.json(
          {
            chat: { choices: [{ message: { content: "whole" }, finish_reason: "stop" }] },
            responses: {
              status: "completed",
              output: [{ type: "message", content: [{ type: "output_text", text: "whole" }] }],
            },
            messages: { content: [{ type: "text", text: "whole" }], stop_reason: "end_turn" },
          }[protocol],
        ),
    });
    expect(textOf(await eventsOf(await open({ baseUrl: server.url.href })))).toBe("whole");
    await server.stop(true);
  });

  test("a page that is no reply at all is not a cut reply", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    });
    const { error } = await failureOf(await open({ baseUrl: server.url.href }));
    expect([error.code, error.retryable]).toEqual(["internal", false]);
    expect(error.message).toContain("no event stream");
    await server.stop(true);
  });
});
