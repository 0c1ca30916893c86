/** argv → command; nothing else. Commands are loaded when they are called, so that each starts fast. */
import type { Command } from "./cli/command.ts";
import { SEARCH_ARGUMENT } from "./tools/search/job.ts";

/** As the user has it: what is set below would make an `npm install` of a tool leave things out. */
const environment = { ...process.env };

// The router asks for it when it is loaded, and a compiled executable says "development".
Bun.env.NODE_ENV ??= "production";

const COMMANDS: Record<string, { summary: string; load(): Promise<{ command: Command }> }> = {
  serve: { summary: "start the engine's daemon", load: () => import("./cli/serve.ts") },
  run: { summary: "send one prompt and watch its turn", load: () => import("./cli/run.ts") },
  sessions: { summary: "list, show and follow sessions", load: () => import("./cli/sessions.ts") },
  checkpoints: {
    summary: "what turns changed, and undoing it",
    load: () => import("./cli/checkpoints.ts"),
  },
  rules: { summary: "what is allowed, asked and denied", load: () => import("./cli/rules.ts") },
  trust: { summary: "let a project's settings count", load: () => import("./cli/trust.ts") },
  token: { summary: "print the running engine's token", load: () => import("./cli/token.ts") },
  doctor: {
    summary: "what is configured, missing and reachable",
    load: () => import("./cli/doctor.ts"),
  },
  version: { summary: "print the version", load: () => import("./cli/version.ts") },
};

async function main(argv: string[]): Promise<number> {
  const [name = "", ...args] = argv.map((arg) => (arg === "--version" ? "version" : arg));
  const asksForHelp = name === "help" || name === "--help" || name === "-h";
  const wanted = findCommand(asksForHelp ? (args[0] ?? "") : name);
  if (!wanted) {
    const text = helpText();
    if (asksForHelp && args.length === 0) console.log(text);
    else console.error(name === "" || asksForHelp ? text : `Unknown command '${name}'.\n\n${text}`);
    return asksForHelp && args.length === 0 ? 0 : 1;
  }
  const { command } = await wanted.load();
  if (asksForHelp || args.includes("--help") || args.includes("-h")) {
    console.log(command.help);
    return 0;
  }
  return command.run(args, environment);
}

const findCommand = (name: string) => (Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined);

function helpText(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(13)}${summary}`,
  );
  return [
    "kollab-engine runs AI agents on your own machine.",
    "",
    "Usage: kollab-engine <command> [options]",
    "",
    ...lines,
    `  ${"help".padEnd(13)}this text, or with a command's name, how to use it`,
  ].join("\n");
}

// The executable does a part of its work in processes of its own.
if (process.argv[2] === SEARCH_ARGUMENT) await import("./tools/search/process.ts");
else process.exitCode = await main(process.argv.slice(2));
