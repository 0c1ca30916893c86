/** `kollab-engine trust`: lets the settings file of this project allow things. */
import { withAnyEngine } from "./any-engine.ts";
import { addressProblem, type Client, call } from "./client.ts";
import { type Command, EXIT_MISUSED, fail, misused, readOptions } from "./command.ts";
import { openOutput } from "./output.ts";
import { readRules, showList } from "./rules.ts";
import { Screen, styled } from "./screen.ts";

const HELP = `Usage: kollab-engine trust [options]

Lets .kollab/config.json of the project in this folder allow tool calls and say where keys are sent, as the
file is now: once it changes, it has to be trusted again. kollab-engine rules shows before what it allows.

  --remove              trust it no longer
  --url <address>       where the engine runs, if not on this home`;

export const OPTIONS = {
  remove: { type: "boolean", default: false },
  url: { type: "string" },
} as const;

export const command: Command = {
  help: HELP,
  async run(args, env) {
    const parsed = readOptions(args, OPTIONS);
    if (!parsed) return EXIT_MISUSED;
    const { remove, url } = parsed.values;
    const problem = addressProblem(url);
    if (problem !== null) return misused(problem);
    const out = openOutput(process.stdout, () => {});
    try {
      await withAnyEngine({ url, dataDir: undefined, env }, (client) =>
        setTrust(client, new Screen(out, out), { workspace: process.cwd(), trusted: !remove }),
      );
      return 0;
    } catch (error) {
      fail(error);
      return 1;
    }
  },
};

/** What is trusted is what was read, and shown: a file that changes in between is refused. */
export async function setTrust(
  client: Client,
  screen: Screen,
  { workspace, trusted }: { workspace: string; trusted: boolean },
): Promise<void> {
  const { project } = await readRules(client, workspace);
  const body = { workspace, trusted, ...(project?.sha256 && { sha256: project.sha256 }) };
  const request = { method: "POST", path: "/projects/trust", body } as const;
  const { file } = await call<{ file: string }>(client, request);
  if (!trusted) return screen.line(`${file} is trusted no longer.`);
  await screen.line(styled("green", "✓ "), `${file} is trusted, as it is now. Its rules:`);
  await showList(screen, [...(project?.rules ?? []), ...(project?.untrusted ?? [])]);
}
