/** An engine as the bench uses it: the real one, or the floor; both have the same API. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SseParser } from "../../src/lib/sse-parse.ts";
import { now } from "./clock.ts";
import { start } from "./processes.ts";
import type { Order } from "./provider.ts";

const EVENT_CHARS_MAX = 1_000_000;
const MODEL_CALLS_MAX = 1_000;

export type SubjectName = "engine" | "floor";

export type Subject = {
  name: SubjectName;
  command: readonly string[];
  /** What its home and its workspace are made in. */
  folder: string;
  /** As profiles have it. */
  providerUrl: string;
};

export type Watch = {
  /** A piece of the reply's text. */
  onText?(text: string): void;
  /** Somebody has to say whether the tool may run. */
  onQuestion?(toolId: string): void;
  onGranted?(): void;
};

export type Engine = {
  pid: number;
  workspace: string;
  /** Resolves with its id. `asks`: before each tool. */
  newSession(options?: { asks: boolean }): Promise<string>;
  /**
   * Sends one message and hands on what comes of it as it comes. Resolves when the stream has ended, with
   * the time at which the turn was complete.
   */
  turn(session: string, order: Order, watch?: Watch): Promise<number>;
  /** Resolves with the status of the answer. */
  approve(session: string, toolId: string): Promise<number>;
  stop(): Promise<void>;
};

/** Resolves with its first answer. */
export async function startEngine(subject: Subject, signal: AbortSignal): Promise<Engine> {
  const { command, folder, providerUrl } = subject;
  const home = join(folder, "home");
  const workspace = join(folder, "workspace");
  for (const each of [home, workspace]) mkdirSync(each, { recursive: true });
  const env = {
    PATH: process.env.PATH ?? "",
    LANG: "C.UTF-8",
    HOME: home,
    PROVIDER_URL: providerUrl,
  };
  const { pid, port, stop } = await start({ command, cwd: workspace, env }, signal);
  const base = `http://127.0.0.1:${port}`;
  try {
    await (await fetch(`${base}/health`, { signal })).text();
  } catch (error) {
    await stop();
    throw error;
  }
  const tokenFile = join(home, ".kollab/engine.token");
  const token = existsSync(tokenFile) ? readFileSync(tokenFile, "utf8") : "";
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

  const send = (path: string, body: object): Promise<Response> =>
    fetch(base + path, { method: "POST", headers, body: JSON.stringify(body), signal });
  async function post(path: string, body: object): Promise<Response> {
    const response = await send(path, body);
    if (response.ok) return response;
    throw new Error(`${subject.name}: ${path}: ${response.status} ${await response.text()}`);
  }
  return {
    pid,
    workspace,
    stop,
    async newSession({ asks } = { asks: false }) {
      const credentials = {
        provider: "custom",
        api_key: "none",
        model: "bench",
        base_url: providerUrl,
      };
      const approval_mode = asks ? "confirm_all" : "trust_all";
      const body = { workspace, approval_mode, credentials };
      const created = (await (await post("/sessions", body)).json()) as { session_id: string };
      return created.session_id;
    },
    async approve(session, tool_id) {
      const answer = { tool_id, decision: "approve", scope: "once" };
      const response = await send(`/sessions/${session}/permission`, answer);
      await response.text();
      return response.status;
    },
    async turn(session, order, watch = {}) {
      const limits = { model_calls: MODEL_CALLS_MAX };
      const body = { content: JSON.stringify(order), limits };
      return readTurn(await post(`/sessions/${session}/message`, body), watch);
    },
  };
}

async function readTurn(response: Response, watch: Watch): Promise<number> {
  const parser = new SseParser(EVENT_CHARS_MAX);
  let completeMs: number | null = null;
  for await (const bytes of response.body ?? []) {
    for (const { data } of parser.push(bytes)) {
      const event = JSON.parse(data);
      if (event.type === "token") watch.onText?.(event.text);
      else if (event.type === "permission_request") watch.onQuestion?.(event.tool_id);
      else if (event.type === "permission_granted") watch.onGranted?.();
      else if (event.type === "turn_complete") completeMs = now();
      else if (event.type === "error") throw new Error(`The turn failed: ${data}`);
    }
  }
  if (completeMs === null) throw new Error("The stream ended before its turn");
  return completeMs;
}
