import { expect, setDefaultTimeout, test } from "bun:test";
import { type Diagnosis, diagnose } from "../../src/cli/diagnosis.ts";
import { showDiagnosis } from "../../src/cli/doctor.ts";
import { Screen } from "../../src/cli/screen.ts";
import { commandLine } from "../support/command-line.ts";
import { startEngine } from "../support/engine.ts";
import { recordedOutput } from "../support/recorded-output.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(30_000);

const NOWHERE = "http://127.0.0.1:1";

const diagnoseIn = ({ path }: TemporaryFolder, env: Record<string, string> = {}) =>
  diagnose({
    home: path,
    directory: `${path}/project`,
    env: { PATH: process.env.PATH, ...env },
    dataDir: `${path}/.kollab/engine`,
    url: NOWHERE,
  });

const config = (profiles: object, more: object = {}) => ({
  kollabor: { llm: { profiles, ...more } },
});

test("a new home is usable, with the offline model, and nothing is made in it", async () => {
  using home = temporaryFolder();
  const diagnosis = await diagnoseIn(home);
  expect(diagnosis).toMatchObject({
    usable: true,
    default_profile: { name: "offline", problem: null },
    running_engine: { url: NOWHERE, state: "none", version: null },
    data_dir: { path: `${home.path}/.kollab/engine`, problem: null },
    warnings: [],
  });
  expect(diagnosis.config_files.map(({ exists }) => exists)).toEqual([false, false]);
  expect(await Array.fromAsync(new Bun.Glob("**").scan({ cwd: home.path, dot: true }))).toEqual([]);
});

test("keys are told by where they come from, and never shown", async () => {
  using home = temporaryFolder();
  const secret = "sk-ant-SECRET";
  const box = {
    provider: "anthropic",
    model: "m",
    api_key: secret,
    extra_headers: { "x-key": secret },
  };
  const userinfo = { provider: "custom", model: "m", base_url: `https://u:${secret}@example.org` };
  home.write(".kollab/config.json", config({ box, userinfo }, { active_profile: "box" }));
  const diagnosis = await diagnoseIn(home, {
    OPENAI_API_KEY: secret,
    KOLLAB_CLAUDE_API_KEY: secret,
  });
  const keys = Object.fromEntries(diagnosis.profiles.map(({ name, key }) => [name, key]));
  expect(keys).toMatchObject({
    box: "config",
    claude: "env",
    "openai-auto": "env",
    openai: "none",
  });
  expect(diagnosis.default_profile).toEqual({ name: "box", problem: null });
  expect(JSON.stringify(diagnosis)).not.toContain(secret);
});

test("a default that cannot be used makes it unusable, and what to set is named", async () => {
  using home = temporaryFolder();
  const mine = { provider: "openai", model: "m" };
  home.write(".kollab/config.json", config({ mine }, { active_profile: "mine" }));
  const { usable, default_profile } = await diagnoseIn(home);
  expect(usable).toBe(false);
  expect(default_profile.name).toBe("mine");
  expect(default_profile.problem).toContain("KOLLAB_MINE_API_KEY");
});

test("a default on this machine that does not answer is a problem", async () => {
  using home = temporaryFolder();
  const mine = { provider: "custom", model: "m", base_url: `${NOWHERE}/v1` };
  home.write(".kollab/config.json", config({ mine }, { active_profile: "mine" }));
  const { default_profile } = await diagnoseIn(home);
  expect(default_profile.problem).toBe(`nothing answers at ${NOWHERE}/v1`);
});

test("broken entries are warnings", async () => {
  using home = temporaryFolder();
  home.write(".kollab/config.json", config({ odd: { provider: 7 } }, { active_profile: "nobody" }));
  const { usable, warnings } = await diagnoseIn(home);
  expect(usable).toBe(true);
  expect(warnings).toEqual([
    `Left out a broken profile: path ${home.path}/.kollab/config.json, profile odd, problem wrong or missing: provider`,
    "The selected profile does not exist: profile nobody",
  ]);
});

test("a home that cannot be written to makes it unusable", async () => {
  using home = temporaryFolder();
  home.write(".kollab", "a file where a folder has to be");
  const { usable, data_dir } = await diagnoseIn(home);
  expect(usable).toBe(false);
  expect(data_dir.problem).toBe(`${home.path}/.kollab is not a folder`);
});

test("a running engine is found, with or without its token", async () => {
  const engine = await startEngine();
  try {
    using elsewhere = temporaryFolder();
    const ask = async (home: string) => {
      const options = { directory: home, env: {}, dataDir: home, url: engine.base };
      return (await diagnose({ home, ...options })).running_engine;
    };
    expect(await ask(engine.home)).toMatchObject({ state: "answers", version: expect.any(String) });
    expect(await ask(elsewhere.path)).toMatchObject({ state: "refuses_token" });
  } finally {
    await engine.stop();
  }
});

test("doctor names the file and line that is broken, and ends with 1", async () => {
  using cli = commandLine();
  await Bun.write(`${cli.home}/.kollab/config.json`, '{\n  "kollabor": {,\n}');
  const { code, stdout, stderr } = await cli.run(["doctor", "--url", NOWHERE]);
  expect(code).toBe(1);
  expect(stderr).toBe("");
  expect(stdout).toContain(`  ✗ ${cli.home}/.kollab/config.json line 2 column 16: expected`);
  expect(stdout).toEndWith("\nNot usable: see ✗.\n");
});

test("a project that would get a key elsewhere is told, until --trust-project", async () => {
  using cli = commandLine({ env: { KOLLAB_API_KEY: "sk-SECRET" } });
  const work = { provider: "custom", model: "m", base_url: "https://host.example/v1" };
  const file = `${cli.workspace}/.kollab/config.json`;
  await Bun.write(file, JSON.stringify(config({ work }, { active_profile: "work" })));
  const before = await cli.run(["doctor", "--url", NOWHERE]);
  expect(before.code).toBe(1);
  expect(before.stdout).toContain(`✗ default: Profile 'work' comes from ${file}, which would send`);
  expect(before.stdout).toMatch(/! work +custom +m +project +key: withheld/);

  const after = await cli.run(["doctor", "--trust-project", "--url", NOWHERE]);
  expect(after.code).toBe(0);
  expect(after.stdout).toMatch(/✓ work +custom +m +project +key: env/);
  expect(before.stdout + after.stdout).not.toContain("sk-SECRET");
});

test("a model server on this machine is offered with what to put into the config file", async () => {
  using home = temporaryFolder();
  const diagnosis: Diagnosis = {
    ...(await diagnoseIn(home)),
    local_servers: [
      { name: "LM Studio", base_url: "http://127.0.0.1:1234/v1", models: ["qwen3-4b", "gemma"] },
    ],
  };
  const out = recordedOutput();
  await showDiagnosis(new Screen(out, out), diagnosis);
  expect(out.text).toContain("  ✓ LM Studio at http://127.0.0.1:1234/v1: qwen3-4b, gemma\n");
  const [, json = ""] = /config\.json:\n([\s\S]*?)\n\n/.exec(out.text) ?? [];
  home.write(".kollab/config.json", json);
  const { profiles } = await diagnoseIn(home);
  expect(profiles.find(({ name }) => name === "lm-studio")).toEqual({
    name: "lm-studio",
    layer: "home",
    provider: "custom",
    model: "qwen3-4b",
    key: "none",
    problem: null,
  });
});
