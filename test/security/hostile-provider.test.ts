/** A provider that is hostile must not reach beyond its own session. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { data } from "../support/fake-replies.ts";
import { eventsOf, fakeSession, send, sendAnswering } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeEach(async () => {
  e = await startEngine();
  fake = await startFakeProvider({ strict: false });
});
afterEach(async () => {
  await e.stop();
  await fake.stop();
});

const chunk = (delta: object, finish: string | null = null) =>
  data({ choices: [{ index: 0, delta, finish_reason: finish }] });
const done = "data: [DONE]\n\n";

describe("a hostile provider", () => {
  test("cannot stop other sessions with arguments nested too deep to be written", async () => {
    const deep = `{"file":${"[".repeat(60_000)}${"]".repeat(60_000)}}`;
    const evil = await fakeSession(e, fake, { approval_mode: "trust_all" });
    fake.reply({
      raw: [
        chunk({
          tool_calls: [{ index: 0, id: "c", function: { name: "file_read", arguments: deep } }],
        }),
        chunk({}, "tool_calls"),
        done,
      ],
    });
    const turn = await send(e, evil, "hi");
    await turn.ended();
    // Everybody else goes on.
    const created = await e.call("POST", "/sessions", {
      workspace: e.workspace,
      profile: "offline",
    });
    expect(created.status).toBe(200);
  });

  test("cannot hold up everybody with very many calls in one reply", async () => {
    const calls = Array.from({ length: 20_000 }, (_, index) => ({
      index,
      id: `c${index}`,
      function: { name: "nope", arguments: "" },
    }));
    const session = await fakeSession(e, fake, { approval_mode: "trust_all" });
    fake.reply({ raw: [chunk({ tool_calls: calls }), chunk({}, "tool_calls"), done] });
    const ended = (await send(e, session, "hi", { limits: { model_calls: 1 } })).ended();
    let worst = 0;
    let over = false;
    void ended
      .catch(() => {})
      .then(() => {
        over = true;
      });
    while (!over) {
      const before = performance.now();
      await Bun.sleep(1);
      worst = Math.max(worst, performance.now() - before);
    }
    const starts = eventsOf(await ended, "tool_start").length;
    expect(starts).toBeLessThan(1_000);
  }, 20_000);

  test.each(["-1e300", "1e999", "1.5"])("cannot make usage %s count", async (number) => {
    const session = await fakeSession(e, fake);
    fake.reply({
      raw: [
        chunk({ content: "x" }),
        chunk({}, "stop"),
        `data: {"choices":[],"usage":{"prompt_tokens":${number},"completion_tokens":${number}}}\n\n`,
        done,
      ],
    });
    const events = await (await send(e, session, "hi")).ended();
    const [complete] = eventsOf(events, "turn_complete");
    expect(Number.isSafeInteger(complete.input_tokens) && complete.input_tokens >= 0).toBe(true);
  });

  test("cannot get around the cap on tokens with a negative count", async () => {
    const session = await fakeSession(e, fake, { approval_mode: "trust_all" });
    let asked = 0;
    fake.fallback = () => {
      asked += 1;
      return {
        raw: [
          chunk({
            tool_calls: [{ index: 0, id: `c${asked}`, function: { name: "nope", arguments: "" } }],
          }),
          chunk({}, "tool_calls"),
          data({
            choices: [],
            usage: { prompt_tokens: asked === 1 ? -1e9 : 100, completion_tokens: 0 },
          }),
          done,
        ],
      };
    };
    const events = await (await send(e, session, "hi", { limits: { tokens: 150 } })).ended();
    expect(eventsOf(events, "turn_complete")[0].stop_reason).toBe("max_run_tokens");
  });

  test("cannot show one input and have another one run", async () => {
    const session = await fakeSession(e, fake);
    const input = { "command: echo harmless\nnote": "x".repeat(5000), command: "touch pwned" };
    fake.reply({ steps: [{ call: "terminal", input }] });
    const events = await sendAnswering(e, session, "hi", ["deny"]);
    const [request] = eventsOf(events, "permission_request");
    expect(request.input).toEqual({ command: "touch pwned" });
  });

  test("cannot send a command whose risk takes long to tell", async () => {
    const session = await fakeSession(e, fake, { unattended: "deny" });
    const command = `chmod ${"-chmod ".repeat(30_000)}`;
    fake.reply({ steps: [{ call: "terminal", input: { command } }] });
    let worst = 0;
    let over = false;
    const ended = (async () => {
      await sendAnswering(e, session, "hi", ["deny"]);
      over = true;
    })();
    while (!over) {
      const b = performance.now();
      await Bun.sleep(1);
      worst = Math.max(worst, performance.now() - b);
    }
    await ended;
    expect(worst).toBeLessThan(1_500);
  });
});
