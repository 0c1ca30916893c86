/** `kollab-engine run`: one message; its turn on the terminal, or as lines of JSON. */
import { resolve } from "node:path";
import { EngineError } from "../domain/errors.ts";
import type { EngineEvent, StreamNotice } from "../domain/events.ts";
import { APPROVAL_MODES } from "../domain/permission.ts";
import { converse } from "./answers.ts";
import { addressProblem, attachedClient, type Client, call } from "./client.ts";
import {
  type Command,
  type Environment,
  EXIT_MISUSED,
  fail,
  homeFolder,
  misused,
  readNumber,
  readOptions,
} from "./command.ts";
import { eventFeed, type Received } from "./event-feed.ts";
import { EXIT_INTERRUPTED, onInterrupt } from "./interrupts.ts";
import { openOutput } from "./output.ts";
import { PermissionPrompts } from "./permission-prompts.ts";
import { terminalLines } from "./read-line.ts";
import { Screen, styled } from "./screen.ts";
import { jsonView, textView } from "./turn-view.ts";
import { watch } from "./watch.ts";

/** More than the engine's own default: here somebody watches, and can stop it. */
const MODEL_CALLS_DEFAULT = 100;
const PROMPT_BYTES_MAX = 4 * 1024 * 1024;
const MODES = Object.keys(APPROVAL_MODES);

const HELP = `Usage: kollab-engine run [options] "<prompt>"
       … | kollab-engine run [options] [-]

Sends one message and shows its turn: the reply on stdout, all else on stderr. It runs an engine of its
own; the session is kept and can be continued. Without a prompt, or with -, stdin is the prompt.

  --profile <name>           which model answers (default)
  --workspace <folder>       where its tools work (here)
  --approval-mode <mode>     ${MODES.join(", ")} (confirm_all)
  --system-prompt <text>     what the model is told first
  --session <id>             go on with this session instead of a new one
  --max-turns <number>       calls of the model at most (${MODEL_CALLS_DEFAULT})
  --json                     print the events on stdout, one a line, and nothing else there
  --attach                   use the engine that runs already
  --url <address>            … or the one at this address
  --data-dir <folder>        where an engine of its own keeps sessions (~/.kollab/engine)

Tool calls that need permission are asked about on a terminal: y allows this call, n denies it, a allows
its like in this session; the end of the input denies it. Where stdin or stderr is no terminal they are
denied at once: choose an --approval-mode that does not ask. With --attach other clients may answer too.
Where p is offered, it allows the like in the whole project from now on, and keeps that on disk.

A turn may end with a question of the agent. On a terminal the answer is asked for and sent; an empty line
leaves. Elsewhere, and with --json, the command ends, and run --session <id> "<answer>" goes on.

Ctrl-C cancels the turn; a second one ends the command at once.
Exit code: 0 the turn is complete, 1 it failed, 130 it was cancelled, 2 the command line is wrong.`;

export const OPTIONS = {
  profile: { type: "string" },
  workspace: { type: "string" },
  "approval-mode": { type: "string" },
  "system-prompt": { type: "string" },
  session: { type: "string" },
  "max-turns": { type: "string" },
  json: { type: "boolean", default: false },
  attach: { type: "boolean", default: false },
  url: { type: "string" },
  "data-dir": { type: "string" },
} as const;

export const command: Command = {
  help: HELP,
  async run(args, env) {
    const parsed = readOptions(args, OPTIONS, { allowed: true });
    if (!parsed) return EXIT_MISUSED;
    const { values, positionals } = parsed;
    const modelCalls = readNumber("max-turns", values["max-turns"], {
      fallback: MODEL_CALLS_DEFAULT,
      min: 1,
      max: 1_000_000,
    });
    if (modelCalls === null) return EXIT_MISUSED;
    const problem = findMisuse(values);
    if (problem !== null) return misused(problem);
    try {
      const prompt = await readPrompt(positionals);
      if (prompt.trim() === "") return misused('no prompt: kollab-engine run "<prompt>"');
      const { profile, workspace = ".", "system-prompt": system_prompt } = values;
      return await run({
        prompt,
        attach: attaches(values),
        url: values.url ?? null,
        env,
        dataDir: values["data-dir"],
        session: values.session ?? null,
        newSession: { profile, workspace: resolve(workspace), system_prompt },
        approvalMode: values["approval-mode"],
        modelCalls,
        json: values.json,
      });
    } catch (error) {
      fail(error);
      return 1;
    }
  },
};

type Values = {
  [Name in keyof typeof OPTIONS]?: (typeof OPTIONS)[Name]["type"] extends "string"
    ? string
    : boolean;
};

const attaches = ({ attach, url }: Values): boolean => attach === true || url !== undefined;

/** What is wrong with the options together; null: nothing. */
function findMisuse(values: Values): string | null {
  const { "approval-mode": mode, session, url } = values;
  const problem = addressProblem(url);
  if (problem !== null) return problem;
  if (attaches(values) && values["data-dir"] !== undefined)
    return "--data-dir is for an engine of its own, not with --attach or --url";
  if (mode !== undefined && !MODES.includes(mode))
    return `--approval-mode is one of ${MODES.join(", ")}`;
  if (session === undefined) return null;
  const fixed = FIXED.find((name) => values[name] !== undefined);
  return fixed ? `--${fixed} is for a new session, not with --session` : null;
}

/** What a session has from its beginning. */
const FIXED = ["profile", "workspace", "system-prompt"] as const;

/** Empty: there is none. */
async function readPrompt(words: readonly string[]): Promise<string> {
  const isGiven = words.length > 0 && words.join(" ") !== "-";
  if (isGiven || (words.length === 0 && process.stdin.isTTY)) return words.join(" ");
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of Bun.stdin.stream()) {
    bytes += chunk.length;
    if (bytes > PROMPT_BYTES_MAX)
      throw new Error(`A prompt may have ${PROMPT_BYTES_MAX} bytes at most`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8").trimEnd();
}

type Wish = {
  prompt: string;
  /** Whether an engine that runs already is used, instead of one of its own. */
  attach: boolean;
  /** Where that is; null: where it says. */
  url: string | null;
  env: Environment;
  dataDir: string | undefined;
  /** Null: a new one. */
  session: string | null;
  newSession: { profile?: string; workspace: string; system_prompt?: string };
  approvalMode: string | undefined;
  modelCalls: number;
  json: boolean;
};

/** Resolves with the exit code. */
async function run(wish: Wish): Promise<number> {
  const stop = new AbortController();
  using _interrupts = onInterrupt(() => stop.abort());
  const out = openOutput(process.stdout, () => stop.abort());
  const screen = new Screen(
    out,
    openOutput(process.stderr, () => {}),
  );
  const client = await openClient(wish);
  try {
    const session = await openSession(client, wish, stop.signal);
    const lines = terminalLines();
    const prompts = new PermissionPrompts(client, session, screen, lines);
    // Programs read the question in its event.
    const asked = wish.json ? null : lines;
    const howToAnswer = asked === null ? commandToAnswer(wish, session) : null;
    const view = wish.json
      ? jsonView(out)
      : textView(screen, { follows: false, asks: true, howToAnswer });
    const send = (prompt: string) => {
      const feed = turnFeed(client, session, { ...wish, prompt }, stop.signal);
      return watch(feed, { view, prompts, screen });
    };
    const last = asked
      ? await converse(wish.prompt, { send, screen, lines: asked }, stop.signal)
      : await send(wish.prompt);
    if (!wish.json) await screen.line(styled("dim", `session ${session}`));
    return last === "left" ? EXIT_INTERRUPTED : exitCode(last);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    if (error instanceof EngineError) fail(error);
    return EXIT_INTERRUPTED;
  } finally {
    await client.close();
  }
}

function commandToAnswer({ attach, url, dataDir }: Wish, session: string): string {
  const words = ["kollab-engine run"];
  if (url !== null) words.push(`--url ${url}`);
  else if (attach) words.push("--attach");
  if (dataDir !== undefined) words.push(`--data-dir ${dataDir}`);
  return [...words, `--session ${session}`, '"…"'].join(" ");
}

async function openClient({ attach, url, env, dataDir }: Wish): Promise<Client> {
  if (attach) return attachedClient(url, homeFolder());
  const { startInProcess } = await import("./in-process.ts");
  return startInProcess({ home: homeFolder(), env, dataDir });
}

/** Resolves with the id of the session that takes the message. */
async function openSession(client: Client, wish: Wish, signal: AbortSignal): Promise<string> {
  const { session, newSession, approvalMode } = wish;
  if (session === null) {
    const body = { ...newSession, approval_mode: approvalMode };
    const request = { method: "POST", path: "/sessions", body } as const;
    return (await call<{ session_id: string }>(client, request, signal)).session_id;
  }
  if (approvalMode !== undefined) {
    const path = `/sessions/${encodeURIComponent(session)}/permissions/mode`;
    await call(client, { method: "POST", path, body: { mode: approvalMode } }, signal);
  }
  return session;
}

/** The events of the turn that answers the prompt. `stop` cancels it, which is an end like others. */
function turnFeed(
  client: Client,
  session: string,
  { prompt, modelCalls }: Wish,
  stop: AbortSignal,
): AsyncIterable<Received> {
  const path = `/sessions/${encodeURIComponent(session)}`;
  const body = { content: prompt, limits: { model_calls: modelCalls } };
  const lost = new AbortController();
  let run: string | null = null;

  function cancel(): void {
    if (run === null) return;
    const request = { method: "POST", path: `${path}/runs/${run}/cancel` } as const;
    // Without an answer there is no end to wait for.
    call(client, request).catch((error) => lost.abort(error));
  }
  async function open(after: number | null): Promise<Response> {
    if (run !== null)
      return client.send({ method: "GET", path: `${path}/runs/${run}/events`, after }, lost.signal);
    stop.throwIfAborted();
    const request = { method: "POST", path: `${path}/message`, body } as const;
    const response = await client.send(request, lost.signal);
    run = response.headers.get("x-run-id");
    if (run === null) throw new EngineError("bad_gateway", "The answer is not that of an engine");
    if (stop.aborted) cancel();
    return response;
  }

  stop.addEventListener("abort", cancel);
  return eventFeed({ after: null, open, isLast: endsTurn }, lost.signal);
}

const endsTurn = ({ type }: EngineEvent | StreamNotice): boolean =>
  type === "turn_complete" || type === "error";

function exitCode(last: EngineEvent | StreamNotice | null): number {
  if (last?.type === "turn_complete") return 0;
  return last?.type === "error" && last.code === "cancelled" ? EXIT_INTERRUPTED : 1;
}
