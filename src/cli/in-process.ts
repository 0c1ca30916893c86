/** An engine of the command's own: no port, no token file, closed with its client. */
import { logFilePath } from "../config/paths.ts";
import { createEngine } from "../engine.ts";
import { inProcess } from "../http/server.ts";
import { createLog, openLogFile } from "../lib/log.ts";
import { type Client, problemOf, toRequest } from "./client.ts";

export type InProcessOptions = { home: string; dataDir: string | undefined };

/** Names no machine: requests to it never leave the process. */
const NOWHERE = "http://localhost";

export async function startInProcess({ home, dataDir }: InProcessOptions): Promise<Client> {
  const directory = process.cwd();
  const file = openLogFile(logFilePath(home, directory, new Date()));
  const engine = await createEngine({
    home,
    directory,
    env: { ...process.env },
    log: createLog({ level: "info", write: (line) => file.write(line) }),
    // One prompt is not the time to go on with what others left behind.
    recover: false,
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  const api = inProcess(engine);
  return {
    async send(request, signal) {
      signal.throwIfAborted();
      const response = await api.fetch(toRequest(NOWHERE, request, api.token));
      if (response.ok) return response;
      throw await problemOf(response);
    },
    async close() {
      await engine.close();
      file.close();
    },
  };
}
