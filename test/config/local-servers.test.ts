import { afterAll, expect, test } from "bun:test";
import { findLocalServers } from "../../src/config/local-servers.ts";

/** Long enough for any machine; servers that never answer are asked with less patience. */
const PATIENT_MS = 10_000;
const IMPATIENT_MS = 100;

const stops: (() => unknown)[] = [];
afterAll(() => Promise.all(stops.map((stop) => stop())));

/** A server that answers paths with JSON, text or a function's response, and all else with 404. */
function serve(answers: Record<string, unknown>): number {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const answer = answers[new URL(request.url).pathname];
      if (answer === undefined) return new Response("not found", { status: 404 });
      if (answer instanceof Function) return answer();
      return typeof answer === "string" ? new Response(answer) : Response.json(answer);
    },
  });
  stops.push(() => server.stop(true));
  return server.port ?? 0;
}

/** Nobody listens there. */
async function closedPort(): Promise<number> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
  await server.stop(true);
  return server.port ?? 0;
}

const never = new AbortController().signal;
const list = (...ids: string[]) => ({ object: "list", data: ids.map((id) => ({ id })) });

test("servers that answer are offered with their models, in a fixed order", async () => {
  const ports = {
    ollama: serve({ "/v1/models": list("qwen3:4b"), "/api/tags": { models: [] } }),
    lmStudio: serve({ "/v1/models": list("a", "b") }),
    llamaCpp: serve({ "/v1/models": { object: "list", data: null } }),
  };
  expect(await findLocalServers(never, { ports, timeoutMs: PATIENT_MS })).toEqual([
    { name: "Ollama", base_url: `http://127.0.0.1:${ports.ollama}/v1`, models: ["qwen3:4b"] },
    { name: "LM Studio", base_url: `http://127.0.0.1:${ports.lmStudio}/v1`, models: ["a", "b"] },
    { name: "llama.cpp", base_url: `http://127.0.0.1:${ports.llamaCpp}/v1`, models: [] },
  ]);
});

test("an Ollama that knows only its own list is offered; another server with that list is not", async () => {
  const tags = { "/api/tags": { models: [{ name: "llama3" }] } };
  const ports = { ollama: serve(tags), lmStudio: serve(tags), llamaCpp: await closedPort() };
  const found = await findLocalServers(never, { ports, timeoutMs: PATIENT_MS });
  expect(found.map(({ name, models }) => [name, models])).toEqual([["Ollama", ["llama3"]]]);
});

test.each<[string, unknown]>([
  ["a web page", "<html>hello</html>"],
  ["other JSON", { status: "ok" }],
  ["a list of something else", { object: "list", data: [{ title: "x" }] }],
  ["a list that is none", { data: "many" }],
  ["nothing", ""],
  ["an error with a list", () => Response.json(list("a"), { status: 500 })],
  ["a way to elsewhere", () => Response.redirect("/v1/other", 302)],
  ["too much", () => new Response(`{"object":"list","data":[],"more":"${"x".repeat(1_000_000)}"}`)],
])("a port that answers with %s is not offered", async (_, answer) => {
  const port = serve({ "/v1/models": answer, "/api/tags": answer, "/v1/other": list("a") });
  const ports = { ollama: port, lmStudio: port, llamaCpp: port };
  expect(await findLocalServers(never, { ports, timeoutMs: PATIENT_MS })).toEqual([]);
});

test("a port that is silent, or stops in the middle, is given up", async () => {
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  stops.push(() => silent.stop(true));
  const stalling = serve({
    "/v1/models": () =>
      new Response(new ReadableStream({ start: (body) => body.enqueue('{"object":') })),
  });
  const ports = { ollama: silent.port, lmStudio: stalling, llamaCpp: await closedPort() };
  expect(await findLocalServers(never, { ports, timeoutMs: IMPATIENT_MS })).toEqual([]);
});

test("the caller can end it", async () => {
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  stops.push(() => silent.stop(true));
  const ports = { ollama: silent.port, lmStudio: silent.port, llamaCpp: silent.port };
  const caller = new AbortController();
  const found = findLocalServers(caller.signal, { ports, timeoutMs: PATIENT_MS });
  caller.abort(new Error("enough"));
  await expect(found).rejects.toThrow("enough");
});

test("no proxy hears of it", async () => {
  const port = serve({ "/v1/models": list("a") });
  const script = `
    import { findLocalServers } from ${JSON.stringify(`${import.meta.dir}/../../src/config/local-servers.ts`)};
    const ports = { ollama: ${port}, lmStudio: ${port}, llamaCpp: ${port} };
    const found = await findLocalServers(new AbortController().signal, { ports, timeoutMs: ${PATIENT_MS} });
    process.stdout.write(String(found.length));
  `;
  const proxy = `http://127.0.0.1:${await closedPort()}`;
  const child = Bun.spawn({
    cmd: [process.execPath, "-e", script],
    env: { HTTP_PROXY: proxy, http_proxy: proxy },
    stdout: "pipe",
  });
  expect(await new Response(child.stdout).text()).toBe("3");
});
