/** `kollab-engine rules`: what is allowed, asked about and denied here, and which file says so. */
import type { PermissionRule } from "../config/permission-rule.ts";
import { withAnyEngine } from "./any-engine.ts";
import { addressProblem, type Client, call } from "./client.ts";
import { type Command, EXIT_MISUSED, fail, misused, readOptions } from "./command.ts";
import { openOutput, printableJson } from "./output.ts";
import { type Part, Screen, type Style, styled } from "./screen.ts";
import { aligned } from "./session-view.ts";

const HELP = `Usage: kollab-engine rules [list] [options]

Lists the permission rules that count in this folder (kollabor.permissions.rules): those of the project's
.kollab/config.json and those of ~/.kollab/config.json, in the order in which they are looked at. The first
that fits a call counts, but a deny always does. Until the project is trusted (kollab-engine trust), its
rules that allow something do not count.

  --json                print JSON
  --url <address>       where the engine runs, if not on this home`;

export const OPTIONS = {
  json: { type: "boolean", default: false },
  url: { type: "string" },
} as const;

export const command: Command = {
  help: HELP,
  async run(args, env) {
    const parsed = readOptions(args, OPTIONS, { allowed: true });
    if (!parsed) return EXIT_MISUSED;
    const { values, positionals } = parsed;
    const [verb = "list", ...more] = positionals;
    if (verb !== "list" || more.length > 0)
      return misused("rules can only be listed here: rules list");
    const problem = addressProblem(values.url);
    if (problem !== null) return misused(problem);
    try {
      const wish = { url: values.url, dataDir: undefined, env };
      const rules = await withAnyEngine(wish, (client) => readRules(client, process.cwd()));
      const out = openOutput(process.stdout, () => {});
      if (values.json) await out.write(`${printableJson(rules, 2)}\n`);
      else await showRules(new Screen(out, out), rules);
      return 0;
    } catch (error) {
      fail(error);
      return 1;
    }
  },
};

export type RulesJson = {
  rules: PermissionRule[];
  project: ProjectRulesJson | null;
  problems: string[];
};
export type ProjectRulesJson = {
  directory: string;
  file: string;
  trusted: boolean;
  /** Of the file that the rules are from. */
  sha256: string | null;
  rules: PermissionRule[];
  /** Those that would count if the project were trusted. */
  untrusted: PermissionRule[];
};

export const readRules = (client: Client, workspace: string): Promise<RulesJson> =>
  call(client, {
    method: "GET",
    path: `/permissions/rules?${new URLSearchParams({ workspace })}`,
  });

export async function showRules(screen: Screen, { rules, project, problems }: RulesJson) {
  if (project !== null) await showProject(screen, project);
  await screen.line(styled("bold", "Yours"));
  await showList(screen, rules);
  for (const problem of problems) await screen.line(styled("red", `✗ ${problem}`));
}

async function showProject(screen: Screen, project: ProjectRulesJson): Promise<void> {
  const { file, trusted, rules, untrusted } = project;
  const head: Part[] = [styled("bold", "The project's"), `, ${file}`];
  await screen.line(...head, ...(trusted ? [styled("green", "  trusted")] : []));
  await showList(screen, rules);
  if (untrusted.length > 0) {
    await screen.line(styled("yellow", "  These count only after kollab-engine trust:"));
    await showList(screen, untrusted);
  }
  await screen.line();
}

const STYLES: Record<PermissionRule["action"], Style> = {
  allow: "green",
  ask: "yellow",
  deny: "red",
};

export async function showList(screen: Screen, rules: readonly PermissionRule[]): Promise<void> {
  if (rules.length === 0) return screen.line(styled("dim", "  none"));
  const rows = rules.map(({ action, reason, ...matchers }) => [
    `  ${action}`,
    Object.entries(matchers)
      .map(([name, text]) => `${name} ${text}`)
      .join(", "),
    reason ?? "",
  ]);
  for (const [at, line] of aligned(rows).entries())
    await screen.line(styled(STYLES[rules[at]?.action ?? "ask"], line));
}
