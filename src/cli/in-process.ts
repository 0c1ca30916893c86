/** An engine of the command's own: no port, no token file, closed with its client. */
import { createEngine } from "../engine.ts";
import { inProcess } from "../http/server.ts";
import { createLog } from "../lib/log.ts";
import { type Client, problemOf, toRequest } from "./client.ts";
import type { Environment } from "./command.ts";
import { openLog } from "./log-file.ts";

export type InProcessOptions = { home: string; env: Environment; dataDir: string | undefined };

/** Names no machine: requests to it never leave the process. */
const NOWHERE = "http://localhost";

export async function startInProcess({ home, env, dataDir }: InProcessOptions): Promise<Client> {
  const directory = process.cwd();
  const file = openLog(home, directory);
  const engine = await createEngine({
    home,
    directory,
    env,
    log: createLog({ level: "info", write: (line) => file.write(line) }),
    // One prompt is not the time to go on with what others left behind.
    recover: false,
    dataDir,
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
