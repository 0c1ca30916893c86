/** `kollab-engine serve`: the daemon. Prints READY:<port> once it answers, and nothing else. */
import { removeEngineFile, writeEngineFile } from "../config/engine-file.ts";
import { kollabPaths } from "../config/paths.ts";
import { createEngine, type Engine } from "../engine.ts";
import { isLoopback, type Server, startServer } from "../http/server.ts";
import { createLog, LOG_LEVELS } from "../lib/log.ts";
import {
  type Command,
  type Environment,
  EXIT_MISUSED,
  fail,
  homeFolder,
  readNumber,
  readOptions,
} from "./command.ts";
import { openLog } from "./log-file.ts";

const PORT_DEFAULT = 7433;

const HELP = `Usage: kollab-engine serve [options]

Starts the engine. Prints READY:<port> when it answers; logs go to a file under ~/.kollab/projects.
Its token is written to ~/.kollab/engine.token at every start, where it listens to
~/.kollab/engine/engine.json: the other commands find it by that.

  --host <address>            where to listen (127.0.0.1)
  --port <number>             0 takes any free one (${PORT_DEFAULT})
  --allow-remote              needed where --host lets other machines connect
  --allowed-host <name>       another name that clients use for this machine; may be repeated
  --data-dir <folder>         where sessions are kept (~/.kollab/engine)
  --permission-timeout <s>    how long a prompt waits for an answer (300)
  --keep-events <number>      events kept of each session (200000)
  --log-level <level>         ${LOG_LEVELS.join(", ")} (info)`;

export const OPTIONS = {
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string" },
  "allow-remote": { type: "boolean", default: false },
  "allowed-host": { type: "string", multiple: true, default: [] as string[] },
  "data-dir": { type: "string" },
  "permission-timeout": { type: "string" },
  "keep-events": { type: "string" },
  "log-level": { type: "string", default: "info" },
} as const;

export const command: Command = {
  help: HELP,
  async run(args, env) {
    const settings = readSettings(args);
    if (settings === null) return EXIT_MISUSED;
    try {
      await serve(settings, env);
    } catch (error) {
      fail(error);
      return 1;
    }
    // A watcher would start it anew at the next change, and keeps the process for that.
    process.exit(0);
  },
};

type Settings = {
  host: string;
  port: number;
  allowedHosts: string[];
  level: (typeof LOG_LEVELS)[number];
  /** What is not given is for the engine to choose. */
  dataDir: string | undefined;
  permissionTimeoutMs: number | undefined;
  eventsKept: number | undefined;
};

/** Null: something is wrong with them, and was said. */
function readSettings(args: string[]): Settings | null {
  const values = readOptions(args, OPTIONS)?.values;
  if (!values) return null;
  const { host, "log-level": logLevel } = values;
  const port = readNumber("port", values.port, { fallback: PORT_DEFAULT, min: 0, max: 65_535 });
  const timeout = readNumber("permission-timeout", values["permission-timeout"], {
    fallback: undefined,
    min: 1,
    max: 86_400,
  });
  const eventsKept = readNumber("keep-events", values["keep-events"], {
    fallback: undefined,
    min: 1,
    max: 100_000_000,
  });
  if (port === null || timeout === null || eventsKept === null) return null;
  const level = LOG_LEVELS.find((each) => each === logLevel);
  if (!level) return fail(new Error(`--log-level is one of ${LOG_LEVELS.join(", ")}`));
  if (!isLoopback(host) && !values["allow-remote"])
    return fail(new Error(`--host ${host} lets other machines connect: add --allow-remote`));
  return {
    host,
    port,
    level,
    allowedHosts: values["allowed-host"],
    dataDir: values["data-dir"],
    permissionTimeoutMs: timeout && timeout * 1000,
    eventsKept,
  };
}

/** Resolves when the engine was asked to stop and has stopped. */
async function serve(settings: Settings, env: Environment): Promise<void> {
  const home = homeFolder();
  const directory = process.cwd();
  const { engineFile } = kollabPaths(home);
  const file = openLog(home, directory);
  const log = createLog({ level: settings.level, write: (line) => file.write(line) });
  const { dataDir, permissionTimeoutMs, eventsKept } = settings;
  const engine = await createEngine({
    home,
    directory,
    env,
    log,
    dataDir,
    permissionTimeoutMs,
    eventsKept,
  });
  const server = await listen(engine, settings, engineFile);
  const stopped = stopSignal();
  process.stdout.write(`READY:${server.port}\n`);
  log.info("engine ready", { host: settings.host, port: server.port });
  log.info("engine stopping", { signal: await stopped });
  // First of all: soon anybody may listen there.
  removeEngineFile(engineFile);
  await server.stop();
  file.close();
}

/** Answers, and says where. The engine is closed where that cannot be. */
async function listen(
  engine: Engine,
  { host, port, allowedHosts }: Settings,
  engineFile: string,
): Promise<Server> {
  let server: Server | null = null;
  try {
    server = await startServer(engine, { host, port, allowedHosts });
    writeEngineFile(engineFile, { host, port: server.port });
    return server;
  } catch (error) {
    await (server ? server.stop() : engine.close());
    throw error;
  }
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => resolve(signal));
  });
}
