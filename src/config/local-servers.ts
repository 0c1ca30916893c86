/** Model servers on this machine that anyone could use without a key, if they answer quickly. */
import type { IncomingMessage } from "node:http";
import { isObject } from "../lib/json-object.ts";

export type LocalServer = { name: string; base_url: string; models: string[] };

export type LocalServerPorts = { ollama: number; lmStudio: number; llamaCpp: number };
export type LocalServerOptions = { ports?: LocalServerPorts; timeoutMs?: number };

const USUAL_PORTS: LocalServerPorts = { ollama: 11434, lmStudio: 1234, llamaCpp: 8080 };
const ANSWER_TIMEOUT_MS = 300;
const ANSWER_BYTES_MAX = 512 * 1024;
const MODELS_MAX = 200;

/** Asks all at once. A port that is silent, slow or speaks of something else is left out. */
export async function findLocalServers(
  signal: AbortSignal,
  { ports = USUAL_PORTS, timeoutMs = ANSWER_TIMEOUT_MS }: LocalServerOptions = {},
): Promise<LocalServer[]> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const found = await Promise.all([
    askServer("Ollama", ports.ollama, [OPENAI_MODELS, OLLAMA_MODELS], limit),
    askServer("LM Studio", ports.lmStudio, [OPENAI_MODELS], limit),
    askServer("llama.cpp", ports.llamaCpp, [OPENAI_MODELS], limit),
  ]);
  signal.throwIfAborted();
  return found.filter((server) => server !== null);
}

type ModelList = {
  path: string;
  /** Null: the answer is not such a list. */
  read(answer: unknown): string[] | null;
};

const OPENAI_MODELS: ModelList = {
  path: "/v1/models",
  read(answer) {
    if (!isObject(answer) || answer.object !== "list") return null;
    // A server without models says null instead of an empty list.
    return textsOf(answer.data ?? [], "id");
  },
};
const OLLAMA_MODELS: ModelList = {
  path: "/api/tags",
  read: (answer) => (isObject(answer) ? textsOf(answer.models, "name") : null),
};

function textsOf(items: unknown, field: string): string[] | null {
  if (!Array.isArray(items)) return null;
  const texts = items.map((item: unknown) => (isObject(item) ? item[field] : null));
  return texts.every((text) => typeof text === "string") ? texts : null;
}

async function askServer(
  name: string,
  port: number,
  lists: readonly ModelList[],
  signal: AbortSignal,
): Promise<LocalServer | null> {
  const origin = `http://127.0.0.1:${port}`;
  const answers = await Promise.all(
    lists.map(async ({ path, read }) => read(await getJson(origin + path, signal))),
  );
  const models = answers.find((answer) => answer !== null);
  if (models === undefined) return null;
  return { name, base_url: `${origin}/v1`, models: models.slice(0, MODELS_MAX) };
}

/** Null for whatever is no JSON in time. */
async function getJson(url: string, signal: AbortSignal): Promise<unknown> {
  try {
    const answer = await request(url, signal);
    if (answer.statusCode !== 200) {
      answer.destroy();
      return null;
    }
    return JSON.parse(await readLimited(answer));
  } catch {
    // Nothing listens there, or something else does: both are ordinary.
    return null;
  }
}

/** Not `fetch`, which sends even this through a proxy where the environment names one. */
async function request(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  // Slow to load, and an engine that nobody asks this does without.
  const { get } = await import("node:http");
  const answer = Promise.withResolvers<IncomingMessage>();
  get(url, { signal, agent: false }, answer.resolve).on("error", answer.reject);
  return answer.promise;
}

async function readLimited(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error("The answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
