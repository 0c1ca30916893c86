/** `kollab-engine serve`: the daemon. Prints READY:<port> once it answers, and nothing else. */
import { logFilePath } from "../config/paths.ts";
import { toEngineError } from "../domain/errors.ts";
import { createEngine } from "../engine.ts";
import { isLoopback, startServer } from "../http/server.ts";
import { createLog, LOG_LEVELS, type LogFile, openLogFile } from "../lib/log.ts";
import { type Command, fail, homeFolder, readNumber, readOptions } from "./command.ts";

const PORT_DEFAULT = 7433;
const LOG_OPEN_MS = 20;

const HELP = `Usage: kollab-engine serve [options]

Starts the engine. Prints READY:<port> when it answers; logs go to a file under ~/.kollab/projects.
Its token is written to ~/.kollab/engine.token at every start.

  --host <address>            where to listen (127.0.0.1)
  --port <number>             0 takes any free one (${PORT_DEFAULT})
  --allow-remote              needed where --host lets other machines connect
  --allowed-host <name>       another name that clients use for this machine; may be repeated
  --data-dir <folder>         where sessions are kept (~/.kollab/engine)
  --permission-timeout <s>    how long a prompt waits for an answer (300)
  --keep-events <number>      events kept of each session (200000)
  --log-level <level>         ${LOG_LEVELS.join(", ")} (info)`;

export const command: Command = {
  help: HELP,
  async run(args) {
    const parsed = readOptions(args, {
      host: { type: "string", default: "127.0.0.1" },
      port: { type: "string" },
      "allow-remote": { type: "boolean", default: false },
      "allowed-host": { type: "string", multiple: true, default: [] },
      "data-dir": { type: "string" },
      "permission-timeout": { type: "string" },
      "keep-events": { type: "string" },
      "log-level": { type: "string", default: "info" },
    });
    if (!parsed) return 2;
    const { values } = parsed;
    const level = LOG_LEVELS.find((each) => each === values["log-level"]);
    const port = readNumber("port", values.port, { fallback: PORT_DEFAULT, min: 0, max: 65_535 });
    const timeout = readNumber("permission-timeout", values["permission-timeout"], {
      fallback: 300,
      min: 1,
      max: 86_400,
    });
    const eventsKept = readNumber("keep-events", values["keep-events"], {
      fallback: 200_000,
      min: 1,
      max: 100_000_000,
    });
    if (port === null || timeout === null || eventsKept === null) return 2;
    if (!level) {
      fail(new Error(`--log-level is one of ${LOG_LEVELS.join(", ")}`));
      return 2;
    }
    if (!isLoopback(values.host) && !values["allow-remote"]) {
      fail(new Error(`--host ${values.host} lets other machines connect: add --allow-remote`));
      return 2;
    }
    try {
      await serve({
        host: values.host,
        port,
        allowedHosts: values["allowed-host"],
        dataDir: values["data-dir"],
        permissionTimeoutMs: timeout * 1000,
        eventsKept,
        level,
      });
      return 0;
    } catch (error) {
      fail(error);
      return 1;
    }
  },
};

type Settings = {
  host: string;
  port: number;
  allowedHosts: string[];
  dataDir: string | undefined;
  permissionTimeoutMs: number;
  eventsKept: number;
  level: (typeof LOG_LEVELS)[number];
};

/** Resolves when the engine was asked to stop and has stopped. */
async function serve(settings: Settings): Promise<void> {
  const home = homeFolder();
  const directory = process.cwd();
  const startedAt = new Date();
  const file = openLater(() => openLogFile(logFilePath(home, directory, startedAt)));
  const log = createLog({ level: settings.level, write: (line) => file.write(line) });
  const { host, port, allowedHosts, dataDir, permissionTimeoutMs, eventsKept } = settings;
  const engine = await createEngine({
    home,
    directory,
    env: { ...process.env },
    log,
    permissionTimeoutMs,
    eventsKept,
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  let server: Awaited<ReturnType<typeof startServer>>;
  try {
    server = await startServer(engine, { host, port, allowedHosts });
  } catch (error) {
    await engine.close();
    throw error;
  }
  const stopped = stopSignal();
  process.stdout.write(`READY:${server.port}\n`);
  log.info("engine ready", { host, port: server.port });
  log.info("engine stopping", { signal: await stopped });
  await server.stop();
  file.close();
}

/**
 * Opens the file a moment later: its name holds the local time, and the platform's time zones take as
 * long to load as all the rest of the start. What is written meanwhile is kept.
 */
function openLater(open: () => LogFile): LogFile {
  const lines: string[] = [];
  let file: LogFile | null = null;
  const flush = () => {
    clearTimeout(timer);
    // A start that failed has said why itself.
    if (lines.length === 0) return;
    try {
      file ??= open();
      for (const line of lines.splice(0)) file.write(line);
    } catch (error) {
      fail(new Error(`No log is kept: ${toEngineError(error).message}`, { cause: error }));
    }
  };
  const timer = setTimeout(flush, LOG_OPEN_MS).unref();
  return {
    write: (line) => (file ? file.write(line) : void lines.push(line)),
    close() {
      flush();
      file?.close();
    },
  };
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => resolve(signal));
  });
}
