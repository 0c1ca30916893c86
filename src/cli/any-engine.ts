/** The engine that runs on this home; where none does, one of the command's own. */
import { findEngineUrl } from "../config/engine-file.ts";
import { kollabPaths } from "../config/paths.ts";
import { attachedClient, type Client } from "./client.ts";
import { type Environment, homeFolder } from "./command.ts";

export type EngineWish = {
  /** Where it runs, if not on this home. */
  url: string | undefined;
  /** Where sessions are kept: then it is an engine of its own. */
  dataDir: string | undefined;
  env: Environment;
};

/** It is closed afterwards, if it is the command's own. */
export async function withAnyEngine<Result>(
  { url, dataDir, env }: EngineWish,
  use: (client: Client) => Promise<Result>,
): Promise<Result> {
  const home = homeFolder();
  const runs = dataDir === undefined && findEngineUrl(kollabPaths(home).engineFile) !== null;
  if (url !== undefined || runs) return use(attachedClient(url ?? null, home));
  const { startInProcess } = await import("./in-process.ts");
  const client = await startInProcess({ home, env, dataDir });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
