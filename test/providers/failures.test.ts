import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Profile } from "../../src/domain/profile.ts";
import { openModel } from "../../src/providers/registry.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { failureOf, PROTOCOLS, profileOf, TEST_KEY } from "../support/model-calls.ts";

let fake: FakeProvider;
beforeAll(async () => {
  fake = await startFakeProvider();
});
afterAll(() => fake.stop());

const bodyOf = (fields: object) => ({ type: "error", error: fields });

describe.each(PROTOCOLS)("$protocol", ({ protocol, provider }) => {
  const open = (changes: Partial<Profile> = {}) =>
    openModel(profileOf({ provider, baseUrl: fake.baseUrl(protocol), ...changes }));
  async function refusedWith(
    status: number,
    body?: unknown,
    headers?: Record<string, string>,
    changes: Partial<Profile> = {},
  ) {
    fake.reply({ fault: { kind: "status", status, body, headers } });
    return (await failureOf(await open(changes))).error;
  }

  test.each([
    [400, "internal", false],
    [401, "auth_error", false],
    [402, "internal", false],
    [403, "auth_error", false],
    [404, "internal", false],
    [408, "timeout", true],
    [409, "internal", true],
    [413, "context_exceeded", false],
    [422, "internal", false],
    [429, "rate_limit", true],
    [500, "internal", true],
    [502, "internal", true],
    [503, "internal", true],
    [529, "internal", true],
  ] as const)("%d is %s", async (status, code, retryable) => {
    const error = await refusedWith(status, bodyOf({ type: "any", message: "The reason." }));
    expect([error.code, error.retryable]).toEqual([code, retryable]);
    expect(error.message).toBe(`${provider} answered ${status}: The reason.`);
    expect(fake.requests.length).toBeGreaterThan(0);
  });

  test("it is asked once: trying again is not the SDK's business", async () => {
    const before = fake.requests.length;
    await refusedWith(503);
    expect(fake.requests.length).toBe(before + 1);
  });

  test.each([
    ["context_length_exceeded", "Too long"],
    ["exceed_context_size_error", "the request exceeds the available context size"],
    ["invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"],
    ["invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"],
    ["BadRequestError", "This model's maximum context length is 4096 tokens. However, …"],
    ["INVALID_ARGUMENT", "The input token count (99) exceeds the maximum number of tokens allowed"],
  ])(
    "a conversation that does not fit is told from other bad requests: %s",
    async (type, message) => {
      const error = await refusedWith(400, bodyOf({ type, message }));
      expect([error.code, error.retryable]).toEqual(["context_exceeded", false]);
    },
  );

  test("words decide nothing that the status says otherwise", async () => {
    const message = "The author of context length 429 timed out";
    const error = await refusedWith(400, bodyOf({ type: "invalid_request_error", message }));
    expect(error.code).toBe("internal");
  });

  test("a used-up quota is no rate that passes", async () => {
    const error = await refusedWith(429, bodyOf({ type: "insufficient_quota", message: "Pay." }));
    expect([error.code, error.retryable]).toEqual(["rate_limit", false]);
  });

  test("how long to wait is taken over, in any of its forms", async () => {
    const wait = async (headers: Record<string, string>) =>
      (await refusedWith(429, undefined, headers)).retryAfterMs;
    expect(await wait({ "retry-after": "7" })).toBe(7_000);
    expect(await wait({ "retry-after": "7", "retry-after-ms": "1500" })).toBe(1_500);
    expect(await wait({ "retry-after": "soon" })).toBeNull();
    expect(await wait({ "retry-after": "-3" })).toBe(0);
    expect(await wait({})).toBeNull();
    const date = await wait({ "retry-after": new Date(Date.now() + 60_000).toUTCString() });
    expect(date).toBeGreaterThan(30_000);
    expect(date).toBeLessThanOrEqual(60_000);
  });

  test("errors show no secret, not even as their cause", async () => {
    const team = "team-secret-0123456789";
    const message = `No ${TEST_KEY}, Bearer ${TEST_KEY}, sk-proj-abc123xyz, ${team}`;
    const headers = { "x-echo": TEST_KEY };
    const error = await refusedWith(401, bodyOf({ type: "any", message }), headers, {
      extraHeaders: { "X-Team": team },
    });
    expect(error.message).toBe(
      `${provider} answered 401: No [redacted], [redacted], [redacted], [redacted]`,
    );
    const shown = [Bun.inspect(error), Bun.inspect(error.cause), JSON.stringify(error)].join("\n");
    expect(shown).not.toContain(TEST_KEY);
    expect(shown).not.toContain(team);
    expect(shown).not.toContain("abc123xyz");
  });

  test("a long reason is cut, after it is masked", async () => {
    const message = `${"x".repeat(480)} ${TEST_KEY} ${"y".repeat(100_000)}`;
    const error = await refusedWith(500, bodyOf({ type: "any", message }));
    expect(error.message.length).toBeLessThanOrEqual(500);
    expect(error.message).not.toContain(TEST_KEY.slice(0, 6));
    expect(error.message).toEndWith("…");
  });

  test("a reason in another form, or none", async () => {
    expect((await refusedWith(500, "upstream down")).message).toBe(
      `${provider} answered 500: upstream down`,
    );
    expect((await refusedWith(500, { detail: "No such model" })).message).toBe(
      `${provider} answered 500: No such model`,
    );
    expect((await refusedWith(500, [bodyOf({ code: 500, message: "In a list" })])).message).toBe(
      `${provider} answered 500: In a list`,
    );
    expect((await refusedWith(500, { error: "Just text" })).message).toBe(
      `${provider} answered 500: Just text`,
    );
    expect((await refusedWith(500, "")).message).toStartWith(`${provider} answered 500: `);
  });

  test("nobody there is worth another try, and says so plainly", async () => {
    const gone = await startFakeProvider();
    await gone.stop();
    const { error } = await failureOf(await open({ baseUrl: gone.baseUrl(protocol) }));
    expect([error.code, error.retryable]).toEqual(["internal", true]);
    expect(error.message).toBe(`${provider} cannot be reached: ECONNREFUSED`);
  });

  test("errors inside a reply are told by their type", async () => {
    for (const [type, code, retryable] of [
      ["overloaded_error", "internal", true],
      ["rate_limit_error", "rate_limit", true],
      ["authentication_error", "auth_error", false],
      ["invalid_request_error", "internal", false],
      ["context_length_exceeded", "context_exceeded", false],
    ] as const) {
      const cause = { type, code: type, message: "The reason." };
      fake.reply({ fault: { kind: "error", after: 1, error: cause } });
      const { error } = await failureOf(await open());
      expect([type, error.code, error.retryable]).toEqual([type, code, retryable]);
      expect(error.message).toBe(`${provider} failed: The reason.`);
    }
  });
});
