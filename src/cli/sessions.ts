/** `kollab-engine sessions`: which there are, one of them, and what happens in it. */

import { kollabPaths } from "../config/paths.ts";
import { EngineError } from "../domain/errors.ts";
import type { Seq } from "../domain/ids.ts";
import { addressProblem, attachedClient } from "./client.ts";
import {
  type Command,
  EXIT_MISUSED,
  fail,
  homeFolder,
  misused,
  readNumber,
  readOptions,
} from "./command.ts";
import { eventFeed } from "./event-feed.ts";
import { EXIT_INTERRUPTED, onInterrupt } from "./interrupts.ts";
import { openOutput, printableJson } from "./output.ts";
import { PermissionPrompts } from "./permission-prompts.ts";
import { terminalLines } from "./read-line.ts";
import { Screen, styled } from "./screen.ts";
import { engineSessions, type SessionSource, storedSessions } from "./session-source.ts";
import { showHistory, showSession, showSessions } from "./session-view.ts";
import { jsonView, textView } from "./turn-view.ts";
import { watch } from "./watch.ts";

const HELP = `Usage: kollab-engine sessions [list] [options]
       kollab-engine sessions show <id> [options]
       kollab-engine sessions follow <id> [options]

list      the sessions, oldest first
show      one session and its conversation
follow    what happened in a session and happens in it now, until Ctrl-C; asks on a terminal about
          tool calls that need permission, and leaves them to others where there is none

list and show ask the engine that runs; without one they read what is stored. follow needs an engine.

  --json                print JSON; follow prints the events, one a line, with their seq
  --after <seq>         follow: only events after this one (0)
  --url <address>       where the engine runs, if not on this home
  --data-dir <folder>   list, show: read the sessions stored there (~/.kollab/engine)`;

export const OPTIONS = {
  json: { type: "boolean", default: false },
  after: { type: "string" },
  url: { type: "string" },
  "data-dir": { type: "string" },
} as const;

export const command: Command = {
  help: HELP,
  async run(args) {
    const parsed = readOptions(args, OPTIONS, { allowed: true });
    if (!parsed) return EXIT_MISUSED;
    const { values, positionals } = parsed;
    const after = readNumber("after", values.after, { fallback: 0, min: 0, max: SEQ_MAX });
    if (after === null) return EXIT_MISUSED;
    const [verb = "list", id = "", ...more] = positionals;
    const problem = findMisuse(verb, id, more, values);
    if (problem !== null) return misused(problem);
    const { json, url, "data-dir": dataDir } = values;
    try {
      if (verb === "follow") return await follow({ url: url ?? null, id, after, json });
      await readFrom({ url, dataDir }, (source) =>
        verb === "show" ? show(source, id, json) : list(source, json),
      );
      return 0;
    } catch (error) {
      fail(error);
      return 1;
    }
  },
};

type Values = { url?: string; after?: string; "data-dir"?: string };

/** What is wrong with the words and options together; null: nothing. */
function findMisuse(verb: string, id: string, more: string[], values: Values): string | null {
  const { url, after, "data-dir": dataDir } = values;
  if (!VERBS.includes(verb)) return `there is no 'sessions ${verb}', but ${VERBS.join(", ")}`;
  if (verb === "list" && id !== "") return "sessions list takes no id";
  if (verb !== "list" && (id === "" || more.length > 0)) return `sessions ${verb} takes one id`;
  if (verb !== "follow" && after !== undefined) return "--after is for sessions follow";
  if (dataDir !== undefined && (url !== undefined || verb === "follow"))
    return "--data-dir reads what is stored, without an engine: not with follow or --url";
  return addressProblem(url);
}

const VERBS = ["list", "show", "follow"];
const SEQ_MAX = 10 ** 15;

/** From the engine that runs here; from the store where none does, or one of somebody else. */
async function readFrom(
  { url, dataDir }: { url: string | undefined; dataDir: string | undefined },
  read: (source: SessionSource) => Promise<void>,
): Promise<void> {
  const home = homeFolder();
  if (dataDir === undefined) {
    try {
      return await read(engineSessions(attachedClient(url ?? null, home)));
    } catch (error) {
      if (url !== undefined || !isAbsent(error)) throw error;
    }
  }
  return read(storedSessions(dataDir ?? kollabPaths(home).engineDir));
}

const isAbsent = (error: unknown): boolean =>
  error instanceof EngineError && (error.code === "unavailable" || error.code === "unauthorized");

async function list(source: SessionSource, json: boolean): Promise<void> {
  const sessions = await source.list();
  const out = standardOutput();
  if (json) await out.write(`${printableJson({ sessions }, 2)}\n`);
  else await showSessions(new Screen(out, out), sessions);
}

async function show(source: SessionSource, id: string, json: boolean): Promise<void> {
  const { session, history } = await source.show(id);
  const out = standardOutput();
  if (json) return out.write(`${printableJson({ session, history }, 2)}\n`);
  const screen = new Screen(out, out);
  await showSession(screen, session);
  await showHistory(screen, history);
}

/** `| head` reads as much as it likes. */
const standardOutput = () => openOutput(process.stdout, () => {});

type Following = { url: string | null; id: string; after: Seq; json: boolean };

/** Resolves with the exit code. */
async function follow({ url, id, after, json }: Following): Promise<number> {
  const stop = new AbortController();
  using _interrupts = onInterrupt(() => stop.abort());
  const out = openOutput(process.stdout, () => stop.abort());
  const screen = new Screen(
    out,
    openOutput(process.stderr, () => {}),
  );
  const client = attachedClient(url, homeFolder());
  const lines = terminalLines();
  const prompts = lines && new PermissionPrompts(client, id, screen, lines);
  const howToAnswer = `kollab-engine run ${url === null ? "--attach" : `--url ${url}`} --session ${id} "…"`;
  const view = json
    ? jsonView(out)
    : textView(screen, { follows: true, asks: lines !== null, howToAnswer });
  const path = `/sessions/${encodeURIComponent(id)}/events`;
  let found = false;
  async function open(cursor: Seq | null): Promise<Response> {
    const response = await client.send({ method: "GET", path, after: cursor }, stop.signal);
    found = true;
    return response;
  }
  try {
    await watch(eventFeed({ after, open, isLast: () => false }, stop.signal), {
      view,
      prompts,
      screen,
    });
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return EXIT_INTERRUPTED;
    const isGone = found && error instanceof EngineError && error.code === "not_found";
    if (!isGone) throw error;
    await screen.line(styled("dim", "the session was deleted"));
    return 0;
  }
}
