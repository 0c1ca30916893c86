/** What of this process's environment must not reach a provider, and where requests must not go. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { openModel } from "../../src/providers/registry.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import {
  eventsOf,
  failureOf,
  PROTOCOLS,
  profileOf,
  TEST_KEY,
  textOf,
} from "../support/model-calls.ts";

let fake: FakeProvider;
beforeAll(async () => {
  fake = await startFakeProvider();
});
afterAll(() => fake.stop());

const changed = new Map<string, string | undefined>();
function setVariable(name: string, value: string): void {
  changed.set(name, process.env[name]);
  process.env[name] = value;
}
afterEach(() => {
  for (const [name, value] of changed)
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  changed.clear();
});

const OWN_HEADERS = [
  "accept",
  "accept-encoding",
  "anthropic-version",
  "authorization",
  "content-length",
  "content-type",
  "host",
  "user-agent",
  "x-api-key",
];

describe.each(PROTOCOLS)("$protocol", ({ protocol, provider }) => {
  const open = (baseUrl = fake.baseUrl(protocol)) => openModel(profileOf({ provider, baseUrl }));

  test("nothing of the environment reaches the provider", async () => {
    const leak = "leaked-from-the-environment";
    const lines = [
      `X-Leak: ${leak}`,
      `Authorization: ${leak}`,
      `x-api-key: ${leak}`,
      `anthropic-version: ${leak}`,
      `User-Agent: ${leak}`,
      `Accept: ${leak}`,
      `Content-Type: ${leak}`,
    ].join("\n");
    for (const sdk of ["OPENAI", "ANTHROPIC"]) {
      setVariable(`${sdk}_CUSTOM_HEADERS`, lines);
      setVariable(`${sdk}_API_KEY`, leak);
      setVariable(`${sdk}_BASE_URL`, `http://127.0.0.1:9/${leak}`);
      setVariable(`${sdk}_LOG`, "debug");
      for (const name of ["ADMIN_KEY", "AUTH_TOKEN", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"])
        setVariable(`${sdk}_${name}`, leak);
    }
    expect(textOf(await eventsOf(await open()))).toBe("ok");
    const { headers, body, path } = fake.requests.at(-1)!;
    expect(Object.keys(headers).filter((name) => !OWN_HEADERS.includes(name))).toEqual([]);
    expect(JSON.stringify([headers, body, path])).not.toContain(leak);
    expect([headers.authorization, headers["x-api-key"]]).toEqual(
      protocol === "messages" ? [undefined, TEST_KEY] : [`Bearer ${TEST_KEY}`, undefined],
    );
  });

  test("a proxy of the environment is not asked for a server on this machine", async () => {
    for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"])
      setVariable(name, "http://127.0.0.1:9");
    for (const name of ["NO_PROXY", "no_proxy"]) setVariable(name, "");
    expect(textOf(await eventsOf(await open()))).toBe("ok");
  });

  test("a redirect is not followed, since the key would go along", async () => {
    const other = await startFakeProvider();
    const { port } = new URL(other.url);
    const location = `http://localhost:${port}/v1`;
    fake.reply({ fault: { kind: "status", status: 307, body: "", headers: { location } } });
    const { error } = await failureOf(await open());
    expect([error.code, error.retryable]).toEqual(["internal", false]);
    expect(error.message).toBe(
      `${provider} answered 307: it redirects to localhost:${port}, which is not followed: set base_url to where it leads`,
    );
    expect(other.requests).toEqual([]);
    await other.stop();
  });

  test("an error page without end is read only so far", async () => {
    let cancelled = false;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(16_384).fill(120)),
            cancel: () => {
              cancelled = true;
            },
          }),
          { status: 500 },
        ),
    });
    const { error } = await failureOf(await open(server.url.href));
    expect([error.code, error.retryable]).toEqual(["internal", true]);
    while (!cancelled) await Bun.sleep(1);
    await server.stop(true);
  });
});
