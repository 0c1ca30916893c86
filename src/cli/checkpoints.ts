/** `kollab-engine checkpoints`: what turns changed, and bringing files back. */
import { EngineError } from "../domain/errors.ts";
import { withAnyEngine } from "./any-engine.ts";
import {
  type CheckpointJson,
  type RestoredJson,
  showCheckpoints,
  showRefusals,
  showRestored,
} from "./checkpoint-view.ts";
import { addressProblem, type Client, call } from "./client.ts";
import { type Command, EXIT_MISUSED, fail, misused, readOptions } from "./command.ts";
import { colouredLine, readDiff } from "./diff-lines.ts";
import { openOutput, printableJson } from "./output.ts";
import { Screen } from "./screen.ts";

const HELP = `Usage: kollab-engine checkpoints <session> [list] [options]
       kollab-engine checkpoints <session> diff <id> [options]
       kollab-engine checkpoints <session> restore <id> [options]

list      the turns whose changes of files can be undone, newest first
diff      what one of them changed, as a unified diff
restore   bring its files back to what they were before: all, or none where one has changed since

A restore is a checkpoint as well: it can be undone the same way. Of shell commands only the files that they
name are covered. The engine that runs is asked; without one the command does it by itself.

  --file <path>         diff, restore: only this file, relative to the workspace; may be repeated
  --force               restore: also over files that have changed since
  --json                print JSON
  --url <address>       where the engine runs, if not on this home
  --data-dir <folder>   use the sessions kept there (~/.kollab/engine)`;

export const OPTIONS = {
  file: { type: "string", multiple: true },
  force: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  url: { type: "string" },
  "data-dir": { type: "string" },
} as const;

export const command: Command = {
  help: HELP,
  async run(args, env) {
    const parsed = readOptions(args, OPTIONS, { allowed: true });
    if (!parsed) return EXIT_MISUSED;
    const { values, positionals } = parsed;
    const problem = findMisuse(positionals, values);
    if (problem !== null) return misused(problem);
    const [session = "", verb = "list", id = ""] = positionals;
    const { url, "data-dir": dataDir, json, force, file: files } = values;
    const out = openOutput(process.stdout, () => {});
    const show: Show = { screen: new Screen(out, out), json: json ? out.write : null };
    const path = `/sessions/${encodeURIComponent(session)}/checkpoints`;
    try {
      await withAnyEngine({ url, dataDir, env }, (client) => {
        if (verb === "list") return list(client, path, show);
        const one = { path: `${path}/${encodeURIComponent(id)}`, session, files };
        return verb === "diff" ? diff(client, one, show) : restore(client, { ...one, force }, show);
      });
      return 0;
    } catch (error) {
      const isTold = error instanceof EngineError && (await explain(error));
      fail(isTold ? new Error("nothing was restored") : error);
      return 1;
    }
  },
};

type Values = { url?: string; "data-dir"?: string; file?: string[]; force?: boolean };

/** What is wrong with the words and options together; null: nothing. */
function findMisuse(words: string[], { url, "data-dir": dataDir, file, force }: Values) {
  const [session, verb = "list", id, ...more] = words;
  if (session === undefined) return "whose checkpoints? kollab-engine checkpoints <session>";
  if (!VERBS.includes(verb))
    return `there is no 'checkpoints ${session} ${verb}', but ${VERBS.join(", ")}`;
  if (verb === "list" && id !== undefined) return "checkpoints list takes no id";
  if (verb !== "list" && (id === undefined || more.length > 0))
    return `checkpoints ${verb} takes one id`;
  if (verb === "list" && file !== undefined) return "--file is for checkpoints diff and restore";
  if (verb !== "restore" && force) return "--force is for checkpoints restore";
  if (url !== undefined && dataDir !== undefined)
    return "--data-dir is for an engine of its own, not with --url";
  return addressProblem(url);
}

const VERBS = ["list", "diff", "restore"];

/** `json`: how it is printed as such; null: it is shown on the screen. */
type Show = { screen: Screen; json: ((text: string) => Promise<void>) | null };

async function list(client: Client, path: string, { screen, json }: Show): Promise<void> {
  const reply = await call<{ checkpoints: CheckpointJson[] }>(client, { method: "GET", path });
  if (json) return json(`${printableJson(reply, 2)}\n`);
  return showCheckpoints(screen, reply.checkpoints);
}

type One = { path: string; session: string; files: string[] | undefined };

async function diff(client: Client, { path, files = [] }: One, { screen, json }: Show) {
  const query = new URLSearchParams(files.map((file): [string, string] => ["path", file]));
  const request = {
    method: "GET",
    path: `${path}/diff${query.size > 0 ? `?${query}` : ""}`,
  } as const;
  const reply = await call<{ diff: string }>(client, request);
  if (json) return json(`${printableJson(reply, 2)}\n`);
  if (reply.diff === "") return;
  for (const line of readDiff(reply.diff)) await screen.line(colouredLine(line));
}

async function restore(
  client: Client,
  { path, session, files, force }: One & { force: boolean },
  { screen, json }: Show,
): Promise<void> {
  const body = { ...(files === undefined ? {} : { files }), force };
  const request = { method: "POST", path: `${path}/restore`, body } as const;
  const reply = await call<RestoredJson>(client, request);
  if (json) return json(`${printableJson(reply, 2)}\n`);
  return showRestored(screen, reply, session);
}

/** Which files stand against it, each with its reason. False: the error is not about files. */
function explain({ detail }: EngineError): Promise<boolean> {
  const err = openOutput(process.stderr, () => {});
  return showRefusals(new Screen(err, err), detail);
}
