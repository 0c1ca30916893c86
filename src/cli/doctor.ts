/** `kollab-engine doctor`: what was found out, for people, with what to do about it. */
import { OFFLINE_PROFILE } from "../config/builtin-profiles.ts";
import type { LocalServer } from "../config/local-servers.ts";
import { kollabPaths, projectConfigPath } from "../config/paths.ts";
import { trustProject } from "../config/trusted-projects.ts";
import { addressProblem } from "./client.ts";
import { type Command, EXIT_MISUSED, fail, homeFolder, misused, readOptions } from "./command.ts";
import { type Diagnosis, diagnose, type ProfileFinding, type RunningEngine } from "./diagnosis.ts";
import { openOutput, printableJson } from "./output.ts";
import { type Part, Screen, styled } from "./screen.ts";
import { aligned } from "./session-view.ts";

const MODELS_SHOWN_MAX = 5;

const HELP = `Usage: kollab-engine doctor [options]

Shows what is configured, what is missing and what answers on this machine: the engine, config files,
profiles, where they and their keys come from, local model servers, programs. No key is shown, no other
machine is asked, and nothing is changed without --trust-project.

  --json                print all of it as JSON
  --url <address>       where an engine may run, if not on this home
  --data-dir <folder>   where sessions are kept (~/.kollab/engine)
  --trust-project       let .kollab/config.json of this folder, as it is now, say where keys are sent

Exit code: 0 the engine can be used, 1 something that it needs is broken.`;

export const OPTIONS = {
  json: { type: "boolean", default: false },
  url: { type: "string" },
  "data-dir": { type: "string" },
  "trust-project": { type: "boolean", default: false },
} as const;

export const command: Command = {
  help: HELP,
  async run(args, env) {
    const parsed = readOptions(args, OPTIONS);
    if (!parsed) return EXIT_MISUSED;
    const { json, url, "data-dir": dataDir } = parsed.values;
    const problem = addressProblem(url);
    if (problem !== null) return misused(problem);
    const home = homeFolder();
    try {
      if (parsed.values["trust-project"]) trustProject(home, projectConfigPath(process.cwd()));
      const diagnosis = await diagnose({
        home,
        directory: process.cwd(),
        env,
        dataDir: dataDir ?? kollabPaths(home).engineDir,
        url: url ?? null,
      });
      const out = openOutput(process.stdout, () => {});
      if (json) await out.write(`${printableJson(diagnosis, 2)}\n`);
      else await showDiagnosis(new Screen(out, out), diagnosis);
      return diagnosis.usable ? 0 : 1;
    } catch (error) {
      fail(error);
      return 1;
    }
  },
};

export async function showDiagnosis(screen: Screen, diagnosis: Diagnosis): Promise<void> {
  const { version, commit, usable, local_servers } = diagnosis;
  const servers = local_servers.flatMap(serverLines);
  const sections: [string, Line[]][] = [
    ["Engine", engineLines(diagnosis)],
    ["Config files", configLines(diagnosis)],
    ["Profiles", profileLines(diagnosis)],
    ["Model servers here", servers.length > 0 ? servers : [note("none answers")]],
    ["Programs", programLines(diagnosis)],
  ];
  await screen.line(styled("bold", "kollab-engine"), ` ${version} (${commit})`);
  for (const [title, lines] of sections) {
    await screen.line();
    await screen.line(styled("bold", title));
    for (const line of lines) await screen.line(...line);
  }
  await screen.line();
  await screen.line(usable ? styled("green", "Usable.") : styled("red", "Not usable: see ✗."));
}

type Line = Part[];

const good = (text: string): Line => [styled("green", "  ✓ "), text];
const note = (text: string): Line => [styled("dim", `  · ${text}`)];
const warning = (text: string): Line => [styled("yellow", "  ! "), text];
const bad = (text: string): Line => [styled("red", "  ✗ "), text];

const engineLines = ({ data_dir, running_engine }: Diagnosis): Line[] => [
  data_dir.problem === null ? good(`sessions in ${data_dir.path}`) : bad(data_dir.problem),
  engineLine(running_engine),
];

function engineLine({ state, url, version }: RunningEngine): Line {
  switch (state) {
    case "answers":
      return good(`version ${version} answers at ${url}`);
    case "refuses_token":
      return warning(`an engine runs at ${url}, but does not accept the token in ~/.kollab`);
    case "none":
      return note(
        `none runs ${url === null ? "here" : `at ${url}`}: kollab-engine serve starts one`,
      );
    default:
      return state satisfies never;
  }
}

const configLines = ({ config_files, warnings }: Diagnosis): Line[] => [
  ...config_files.map(({ path, exists, problem }) => {
    if (problem !== null) return bad(problem);
    return exists ? good(path) : note(`${path} is not there`);
  }),
  ...warnings.map(warning),
];

function profileLines({ profiles, default_profile }: Diagnosis): Line[] {
  const { name, problem } = default_profile;
  const first = problem === null ? good(defaultText(name)) : bad(`default: ${problem}`);
  const rows = profiles.map((profile) => [
    profile.name,
    profile.provider,
    profile.model,
    profile.layer,
    `key: ${profile.key}`,
  ]);
  const lines = aligned(rows).map((line, at) => profileLine(line, profiles[at]));
  return [first, ...lines];
}

/** Most have no key, as nobody means to use them. */
function profileLine(line: string, profile: ProfileFinding | undefined): Line {
  if (!profile?.problem) return good(line);
  return profile.key === "none" ? note(line) : warning(`${line}  ${profile.problem}`);
}

const defaultText = (name: string | null): string =>
  name === OFFLINE_PROFILE
    ? "default means offline, the built-in rules: set ANTHROPIC_API_KEY or OPENAI_API_KEY, or add a profile"
    : `default means ${name}`;

function serverLines({ name, base_url, models }: LocalServer): Line[] {
  const shown = models.slice(0, MODELS_SHOWN_MAX).join(", ") || "no model loaded";
  const more = models.length > MODELS_SHOWN_MAX ? `, ${models.length - MODELS_SHOWN_MAX} more` : "";
  const profile = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const entry = { provider: "custom", base_url, model: models[0] ?? "<model>" };
  const llm = { active_profile: profile, profiles: { [profile]: entry } };
  const config = JSON.stringify({ kollabor: { llm } }, null, 2);
  return [
    good(`${name} at ${base_url}: ${shown}${more}`),
    note("to use it, put this into ~/.kollab/config.json:"),
    ...config.split("\n").map((line): Line => [`      ${line}`]),
  ];
}

const programLines = ({ programs }: Diagnosis): Line[] =>
  programs.map(({ name, path, needed }) => {
    if (path !== null) return good(`${name}  ${path}`);
    return needed ? bad(`${name} is missing: commands need it`) : note(`${name} is not installed`);
  });
