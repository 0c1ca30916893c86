import { afterAll, beforeAll, expect, test } from "bun:test";
import { EngineError } from "../../src/domain/errors.ts";
import type { Profile } from "../../src/domain/profile.ts";
import { openModel } from "../../src/providers/registry.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { eventsOf, profileOf, TEST_KEY, textOf } from "../support/model-calls.ts";

let fake: FakeProvider;
beforeAll(async () => {
  fake = await startFakeProvider();
});
afterAll(() => fake.stop());

async function refusal(changes: Partial<Profile>): Promise<string> {
  try {
    await openModel(profileOf(changes));
  } catch (error) {
    if (error instanceof EngineError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "opened";
}

test("a profile without a key says what to set", async () => {
  expect(await refusal({ name: "my-work", apiKey: "" })).toBe(
    `auth_error: Profile 'my-work' has no API key: set KOLLAB_MY_WORK_API_KEY, or "api_key" in ~/.kollab/config.json`,
  );
  expect(await refusal({ apiKey: "", apiKeySource: "inline" })).toContain(
    `set "api_key" in the session's credentials`,
  );
  for (const provider of ["anthropic", "openai_responses", "gemini", "openrouter"])
    expect(await refusal({ provider, apiKey: "" })).toStartWith("auth_error: ");
});

test("a key may also be in a header, and a server of one's own needs none", async () => {
  expect(await refusal({ apiKey: "", extraHeaders: { Authorization: "Bearer abc" } })).toBe(
    "opened",
  );
  expect(await refusal({ provider: "custom", apiKey: "" })).toBe("opened");
});

test("an unknown provider, an empty model and a missing endpoint are named", async () => {
  expect(await refusal({ provider: "acme" })).toContain(
    "internal: Profile 'test' has an unknown provider 'acme'",
  );
  expect(await refusal({ model: " " })).toContain(
    "internal: Profile 'test' has no model: set KOLLAB_TEST_MODEL",
  );
  expect(await refusal({ provider: "azure_openai" })).toContain(
    "has no endpoint: set KOLLAB_TEST_BASE_URL",
  );
});

test.each([
  "http://192.168.1.5:1234/v1",
  "http://localhost.evil.com/v1",
  "http://127.0.0.1.evil.com/v1",
  "http://localhost@evil.com/v1",
  "http://box.localhost/v1",
  "https://user:password@evil.com/v1",
  "http://0.0.0.0:1234",
  "ftp://localhost/v1",
  "nothing at all",
])("the base URL %s is refused", async (baseUrl) => {
  expect(await refusal({ baseUrl })).toStartWith("internal: Profile 'test' has ");
});

test.each([
  "http://localhost:1234/v1",
  "http://127.8.9.10:1",
  "http://[::1]:1234/v1",
  "https://evil.com/v1",
])("the base URL %s is taken", async (baseUrl) => {
  expect(await refusal({ baseUrl })).toBe("opened");
});

test("a header that cannot be sent is named, its value is not shown", async () => {
  const message = await refusal({ extraHeaders: { "X-Team": "a\nb" } });
  expect(message).toBe("internal: Profile 'test' has a 'x-team' header that cannot be sent");
  expect(await refusal({ apiKey: "key-with-…" })).toContain("a 'authorization' header");
});

test("auto goes by what the key begins with", async () => {
  for (const [apiKey, path] of [
    ["sk-ant-0123456789", "/v1/messages"],
    ["sk-0123456789", "/chat/completions"],
  ] as const) {
    const model = await openModel(profileOf({ provider: "auto", apiKey, baseUrl: fake.url }));
    expect(textOf(await eventsOf(model))).toBe("ok");
    expect(fake.requests.at(-1)?.path).toBe(path);
  }
  const message = await refusal({ provider: "auto", apiKey: "xyz" });
  expect(message).toStartWith("auth_error: Profile 'test' has provider 'auto'");
  expect(message).toContain("KOLLAB_TEST_API_KEY");
});

test("offline needs nothing", async () => {
  const model = await openModel(profileOf({ provider: "offline", model: "", apiKey: "" }));
  expect(textOf(await eventsOf(model))).not.toBe("");
});

test.each([
  ["openai", "/v1", "/v1/chat/completions", ""],
  ["custom", "/v1/chat/completions", "/v1/chat/completions", ""],
  ["custom", "/v1/", "/v1/chat/completions", ""],
  ["openrouter", "/api/v1", "/api/v1/chat/completions", ""],
  ["gemini", "", "/v1beta/openai/chat/completions", ""],
  ["gemini", "/v1beta", "/v1beta/openai/chat/completions", ""],
  ["gemini", "/v1beta/openai/", "/v1beta/openai/chat/completions", ""],
  [
    "azure_openai",
    "",
    "/openai/deployments/fake-model/chat/completions",
    "api-version=2024-02-15-preview",
  ],
  [
    "azure_openai",
    "/openai?api-version=2024-10-21",
    "/openai/deployments/fake-model/chat/completions",
    "api-version=2024-10-21",
  ],
  ["openai_responses", "/v1/responses", "/v1/responses", ""],
  ["anthropic", "", "/v1/messages", ""],
  ["anthropic", "/v1", "/v1/messages", ""],
  ["anthropic", "/proxy/", "/proxy/v1/messages", ""],
])("%s with a base URL that ends in '%s' asks %s", async (provider, base, path, query) => {
  const model = await openModel(profileOf({ provider, baseUrl: fake.url + base }));
  await eventsOf(model);
  const request = fake.requests.at(-1);
  expect([request?.path, request?.query]).toEqual([path, query]);
});

test("each vendor gets its key where it looks for it", async () => {
  const keyHeaders = ["authorization", "api-key", "x-api-key"];
  for (const [provider, header, value] of [
    ["openai", "authorization", `Bearer ${TEST_KEY}`],
    ["gemini", "authorization", `Bearer ${TEST_KEY}`],
    ["openai_responses", "authorization", `Bearer ${TEST_KEY}`],
    ["azure_openai", "api-key", TEST_KEY],
    ["anthropic", "x-api-key", TEST_KEY],
  ] as const) {
    await eventsOf(await openModel(profileOf({ provider, baseUrl: fake.url })));
    const headers = fake.requests.at(-1)?.headers ?? {};
    expect(keyHeaders.filter((name) => name in headers)).toEqual([header]);
    expect(headers[header]).toBe(value);
  }
});

test("the profile says what its model can do, else the catalogue", async () => {
  const flags = async (changes: Partial<Profile>) => {
    const { provider, name, sees, callsTools } = await openModel(profileOf(changes));
    return { provider, name, sees, callsTools };
  };
  expect(await flags({ model: "gpt-4o" })).toEqual({
    provider: "openai",
    name: "gpt-4o",
    sees: true,
    callsTools: true,
  });
  expect(
    await flags({ model: "gpt-4o", supportsImages: false, supportsTools: false }),
  ).toMatchObject({
    sees: false,
    callsTools: false,
  });
  expect(await flags({ model: "qwen3-4b" })).toMatchObject({ sees: false });
  expect(await flags({ model: "qwen3-4b", supportsImages: true })).toMatchObject({ sees: true });
});
