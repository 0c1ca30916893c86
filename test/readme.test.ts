/** What README.md says is so: its commands are run here as they stand there, or by the gate. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { scripts } from "../package.json" with { type: "json" };
import { APPROVAL_MODES } from "../src/domain/permission.ts";
import { PROVIDERS } from "../src/domain/profile.ts";
import { commandLine, Transcript } from "./support/command-line.ts";
import { startEngine } from "./support/engine.ts";
import { startEngineProcess } from "./support/engine-process.ts";
import { type SseEvent, typesOf } from "./support/sse.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

// Most tests start programs, on machines that are busy.
setDefaultTimeout(30_000);

const root = join(import.meta.dir, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");

/** What stands below a heading, until the next one. */
const section = (heading: string): string =>
  readme.split(`\n${heading}\n`)[1]!.split(/^#+ /m, 1)[0]!;
const blocksOf = (language: string, text: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, block]) => block!,
  );
const commandsOf = (text: string): string[] =>
  blocksOf("sh", text)
    .flatMap((block) => block.replaceAll("\\\n", "").split(/\n| && /))
    .map((command) => command.replace(/ +#.*/, "").trim())
    .filter((command) => command !== "");

const START_COMMANDS = [
  ...commandsOf(section("## Start")).filter((command) => !command.endsWith(" install")),
  "bun run serve",
];
const [, QUESTION = ""] = commandsOf(section("## Use"));
const FIX = "bun run fix";
/** Tried by a test of its own. */
const BENCH = "bun run bench";

type Place = { home: string; cwd: string };
type Shell = AsyncDisposable & {
  output: Transcript;
  type(keys: string): void;
  /** Resolves with the exit code. */
  exited: Promise<number>;
};

/** A terminal in which a script runs; all that the script started ends with it. */
function shell(script: string, { home, cwd }: Place): Shell {
  const output = new Transcript();
  const decoder = new TextDecoder();
  const child = Bun.spawn(["sh", "-c", script], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: home, TERM: "dumb" },
    terminal: {
      cols: 200,
      rows: 40,
      data: (_, bytes) => output.add(decoder.decode(bytes, { stream: true })),
    },
  });
  return {
    output,
    type: (keys) => void child.terminal?.write(keys),
    exited: child.exited,
    async [Symbol.asyncDispose]() {
      try {
        // What runs on a terminal is a process group of its own.
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // All of it has ended.
      }
      await child.exited;
    },
  };
}

/** A test that is skipped, and says why, where a program is not installed. */
function testWith(program: string, name: string, run: () => Promise<void>): void {
  const isThere = Bun.which(program) !== null;
  test.skipIf(!isThere)(isThere ? name : `${name} (${program} is not installed)`, run);
}

test("the map is what is in src", () => {
  const map = /\nsrc\/\n([\s\S]*?)\ntest\//.exec(readme)?.[1] ?? "";
  const named = [...map.matchAll(/^ {2}([\w.-]+\/?) /gm)].map(([, name]) => name);
  const there = readdirSync(join(root, "src"), { withFileTypes: true });
  expect(named.sort()).toEqual(
    there.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort(),
  );
});

test("every script that is named exists", () => {
  const named = [...readme.matchAll(/\b(?:bun|npm) (?:run )?([a-z]+)\b/g)].map(([, name]) => name!);
  const words = ["install", "run", "only"];
  expect(named.filter((name) => !(name in scripts) && !words.includes(name))).toEqual([]);
});

test("every command is run by a test or by the gate", () => {
  const gate = readFileSync(join(root, ".ci/run"), "utf8");
  const isRun = (command: string) =>
    [...START_COMMANDS, QUESTION, FIX, BENCH, ...commandsOf(section("### Over HTTP"))].includes(
      command,
    ) || gate.includes(`\n${command}\n`);
  const setUp = ["npm install", "bun install"];
  expect(commandsOf(readme).filter((command) => !isRun(command))).toEqual([...setUp, setUp[0]!]);
});

for (const command of START_COMMANDS)
  testWith(command.split(" ", 1)[0]!, `${command} starts the engine`, async () => {
    using folder = temporaryFolder();
    await using started = shell(`${command} -- --port 0`, { home: folder.path, cwd: root });
    await started.output.shows("READY:");
  });

testWith("bun", `${FIX} mends what is not formatted`, async () => {
  using folder = temporaryFolder();
  for (const name of ["package.json", "biome.json"])
    cpSync(join(root, name), join(folder.path, name));
  symlinkSync(join(root, "node_modules"), join(folder.path, "node_modules"));
  const file = folder.write("src/crooked.ts", "export const crooked  = 'yes'");
  await using fixed = shell(FIX, { home: folder.path, cwd: folder.path });
  expect(await fixed.exited).toBe(0);
  expect(readFileSync(file, "utf8")).toBe('export const crooked = "yes";\n');
});

testWith(
  "git",
  "the question to the executable is asked about, and answered as it is",
  async () => {
    using folder = temporaryFolder();
    const cwd = join(folder.path, "repository");
    cpSync(join(root, "src"), join(cwd, "src"), { recursive: true });
    cpSync(join(root, ".gitignore"), join(cwd, ".gitignore"));
    const main = join(root, "src/main.ts");
    const program = `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`;
    chmodSync(folder.write("repository/dist/kollab-engine", program), 0o755);
    folder.write("repository/dist/ignored.ts", "//".repeat(1_000_000));
    await Bun.$`git init --quiet`.cwd(cwd).quiet();

    await using asked = shell(QUESTION, { home: folder.path, cwd });
    await asked.output.shows("[y]es");
    asked.type("y\n");
    const { count, path, bytes } = typeScriptIn(cwd);
    await asked.output.shows(`There are ${count} TypeScript files`);
    await asked.output.shows(`The largest is \`${path}\`: ${bytes} bytes`);
    expect(await asked.exited).toBe(0);
  },
);

/** How many files there are below src, and the largest. */
function typeScriptIn(folder: string): { count: number; path: string; bytes: number } {
  const files = [...new Bun.Glob("src/**/*.ts").scanSync(folder)].map((path) => ({
    path,
    bytes: Bun.file(join(folder, path)).size,
  }));
  const largest = files.reduce((most, file) => (file.bytes > most.bytes ? file : most));
  return { count: files.length, ...largest };
}

testWith(
  "curl",
  "over HTTP, a turn is streamed, allowed from another terminal, and resumed",
  async () => {
    using folder = temporaryFolder();
    const place = { home: join(folder.path, "home"), cwd: join(folder.path, "workspace") };
    mkdirSync(place.home);
    folder.write("workspace/note.txt", "hello");
    const engine = await startEngineProcess(place);
    try {
      const [variables = "", ask = "", answer = "", resume = ""] = blocksOf(
        "sh",
        section("### Over HTTP"),
      );
      const begin = variables.replace("http://127.0.0.1:7433", engine.base);
      expect(begin).toContain(engine.base);
      const terminal = (block: string) => shell(begin + block, { ...place, cwd: folder.path });

      await using first = terminal(ask);
      await first.output.shows('"permission_request"');
      await using resumed = terminal(resume);
      const [, tool = ""] = /"tool_id":"(\w+)"/.exec(first.output.text) ?? [];
      await using other = terminal(answer.replace("<tool_id>", tool));
      await other.output.shows(`"ok":true,"tool_id":"${tool}","decision":"approve"`);
      for (const { output } of [first, resumed]) {
        await output.shows('"turn_complete"');
        await output.shows("}");
      }
      expect(await first.exited).toBe(0);

      const events = eventsIn(first.output.text);
      expect(events.map(({ id }) => id)).toEqual(events.map((_, at) => at + 1));
      expect(typesOf(events.slice(4, 7))).toEqual([
        "permission_request",
        "permission_granted",
        "tool_result",
      ]);
      expect(events[6]!.event.output).toBe("note.txt\n");
      expect(eventsIn(resumed.output.text)).toEqual(events.slice(5));
    } finally {
      engine.kill("SIGKILL");
      await engine.ended;
    }
  },
);

/** As a terminal shows them. */
const eventsIn = (text: string): SseEvent[] =>
  [...text.matchAll(/^id: (\d+)\s+data: (.*?)\s*$/gm)].map(([, id, json]) => ({
    id: Number(id),
    event: JSON.parse(json!),
  }));

test("the table of commands is that of the executable, whose help knows every option", async () => {
  using cli = commandLine();
  const { stdout } = await cli.run(["help"]);
  const there = [...stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name!);
  const named = [...section("## Use").matchAll(/^\| `(\w+)/gm)].map(([, name]) => name!);
  expect([...named, "help"]).toEqual(there);

  const helps = await Promise.all(named.map((name) => cli.run(["help", name])));
  expect(helps.map(({ code }) => code)).toEqual(named.map(() => 0));
  const known = helps.map((help) => help.stdout).join("");
  const options = [...readme.matchAll(/`[^`\n]*?(--[a-z-]+)/g)].map(([, option]) => option!);
  expect(options.filter((option) => !known.includes(option))).toEqual(["--target"]);
});

test("the example of a profile loads, and its key is found where it is said to be", async () => {
  const models = section("### Models");
  const [config = ""] = blocksOf("json", models);
  const [variable = ""] = /KOLLAB_\w+/.exec(models) ?? [];
  const engine = await startEngine({
    files: { ".kollab/config.json": config },
    env: { [variable]: "secret" },
  });
  try {
    const { profiles } = await engine.json("GET", "/profiles");
    const wanted = JSON.parse(config).kollabor.llm.profiles.work;
    expect(profiles).toContainEqual(
      expect.objectContaining({ name: "work", ...wanted, api_key_source: "env" }),
    );
    expect(await engine.json("POST", "/sessions", {})).toMatchObject({ profile_resolved: "work" });

    const { paths } = await engine.json("GET", "/openapi.json");
    const routes = [...readme.matchAll(/`(?:[A-Z]+ )?(\/[a-z/.{}]+)`/g)].map(([, path]) =>
      path!.replace("{id}", "{session_id}"),
    );
    expect(routes.filter((path) => !(path in paths))).toEqual([]);
  } finally {
    await engine.stop();
  }
});

test("the example of rules is understood", async () => {
  const [config = ""] = blocksOf("json", section("### Permissions"));
  const engine = await startEngine({ files: { ".kollab/config.json": config } });
  try {
    const { rules } = JSON.parse(config).kollabor.permissions;
    expect(await engine.json("GET", "/permissions/rules")).toEqual({
      rules,
      project: null,
      problems: [],
    });
  } finally {
    await engine.stop();
  }
});

test("the providers and modes are those that the engine knows", () => {
  const namesIn = (text: string) => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
  const [, providers = ""] = /Providers: ([\s\S]*?)\.\s/.exec(readme) ?? [];
  const [, modes = ""] = /`"approval_mode"` ([\s\S]*?)\.\n/.exec(readme) ?? [];
  expect([...namesIn(providers), "auto", "offline"].sort()).toEqual([...PROVIDERS].sort());
  expect(namesIn(modes).sort()).toEqual(Object.keys(APPROVAL_MODES).sort());
});
