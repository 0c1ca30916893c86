/**
 * How fast the engine is, beside a bare floor with the same API, against a provider that is never the
 * limit: `bun run bench [--engine <command>] [--only <scenario>,…] [--quick] [--json <file>]`
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { now } from "./clock.ts";
import { cpuSeconds, machineCpuSeconds, type Running, start } from "./processes.ts";
import type { Call, Order } from "./provider.ts";
import { type Measured, type Outcome, problemsOf, type Results, table } from "./report.ts";
import { measureRisk } from "./risk.ts";
import { type Bench, type Figures, SCENARIOS, type ScenarioName, type Sizes } from "./scenarios.ts";
import { type Engine, type Subject, type SubjectName, startEngine } from "./subject.ts";

const SCENARIO_LIMIT_MS = 90_000;
const PROVIDER_TOKENS = 100_000;
const PROVIDER_ATTEMPTS = 4;

const FULL: Sizes = {
  starts: 10,
  settleMs: 3_000,
  moreSessions: 100,
  turns: 200,
  longSessionTurns: 200,
  longReplies: 5,
  replyTokens: 20_000,
  toolTurns: 6,
  toolRounds: 20,
  streams: 50,
  streamTokens: 1_000,
};
const QUICK: Sizes = {
  ...FULL,
  starts: 4,
  settleMs: 500,
  turns: 60,
  longReplies: 3,
  toolTurns: 2,
  streamTokens: 150,
};

export type BenchOptions = {
  /** What starts the engine, but for the arguments of its daemon. */
  engine: readonly string[];
  only: readonly ScenarioName[];
  sizes: Sizes;
  onScenario?(subject: SubjectName, scenario: ScenarioName): void;
};

/** A scenario that fails is an outcome; nothing that was started is left when it resolves. */
export async function bench(options: BenchOptions, signal: AbortSignal): Promise<Results> {
  const folder = mkdtempSync(join(tmpdir(), `kollab-bench-${process.pid}-`));
  let provider: Running | null = null;
  try {
    const env = { PATH: process.env.PATH ?? "" };
    const command = [process.execPath, join(import.meta.dir, "provider.ts")];
    provider = await start({ command, cwd: folder, env }, signal);
    const url = `http://127.0.0.1:${provider.port}`;
    const measureAll = (name: SubjectName, words: readonly string[]) => {
      const providerUrl = `${url}/v1`;
      const subject = { name, command: words, folder: join(folder, name), providerUrl };
      return measure(subject, url, options, signal);
    };
    return {
      providerTokensPerSecond: await providerRate(url, signal),
      risk: await measureRisk(),
      engine: await measureAll("engine", [...options.engine, "serve", "--port", "0"]),
      floor: await measureAll("floor", [process.execPath, join(import.meta.dir, "floor.ts")]),
    };
  } finally {
    await provider?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The best of a few tries, as the first ones run code that is not compiled yet. */
async function providerRate(url: string, signal: AbortSignal): Promise<number> {
  const order: Order = { tokens: PROVIDER_TOKENS };
  const body = JSON.stringify({ messages: [{ role: "user", content: JSON.stringify(order) }] });
  let best = 0;
  for (let attempt = 0; attempt < PROVIDER_ATTEMPTS; attempt++) {
    const startMs = now();
    const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", body, signal });
    for await (const _ of response.body ?? []);
    best = Math.max(best, PROVIDER_TOKENS / ((now() - startMs) / 1000));
  }
  return best;
}

async function measure(
  subject: Subject,
  provider: string,
  { only, sizes, onScenario }: BenchOptions,
  signal: AbortSignal,
): Promise<Measured> {
  const scenarios: Measured["scenarios"] = {};
  const othersBefore = othersCpuSeconds();
  const startMs = now();
  for (const name of only) {
    signal.throwIfAborted();
    onScenario?.(subject.name, name);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(SCENARIO_LIMIT_MS)]);
    const started: Engine[] = [];
    const tools: Bench = {
      sizes,
      async start() {
        const engine = await startEngine(subject, limit);
        started.push(engine);
        return engine;
      },
      async takeCalls() {
        const response = await fetch(`${provider}/calls`, { method: "DELETE", signal: limit });
        return (await response.json()) as Call[];
      },
    };
    try {
      scenarios[name] = await outcomeOf(SCENARIOS[name](tools));
    } finally {
      await Promise.all(started.map((engine) => engine.stop()));
    }
  }
  const seconds = (now() - startMs) / 1000;
  return { scenarios, othersPercent: ((othersCpuSeconds() - othersBefore) * 100) / seconds };
}

async function outcomeOf(scenario: Promise<Figures>): Promise<Outcome> {
  try {
    return { ok: true, figures: await scenario };
  } catch (error) {
    return { ok: false, problem: String(error) };
  }
}

const othersCpuSeconds = (): number => machineCpuSeconds() - cpuSeconds(process.pid);

const isScenario = (name: string): name is ScenarioName => Object.hasOwn(SCENARIOS, name);

/** It is started in another folder: what names a file here is given its whole path. */
const engineWords = (command: string): string[] =>
  command.split(" ").map((word) => (existsSync(word) ? resolve(word) : word));

/** The executable where it is built, else the sources. */
function defaultEngine(): string[] {
  const root = join(import.meta.dir, "../..");
  const executable = join(root, "dist/kollab-engine");
  return existsSync(executable) ? [executable] : [process.execPath, join(root, "src/main.ts")];
}

/** Resolves with the exit code: 1 where something could not be measured, whatever the figures are. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      engine: { type: "string" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const names = values.only?.split(",") ?? Object.keys(SCENARIOS);
  const only = names.filter(isScenario);
  if (only.length < names.length)
    throw new Error(`--only takes some of ${Object.keys(SCENARIOS).join(",")}`);
  if (process.platform !== "linux")
    throw new Error("The bench needs Linux: it reads memory and CPU from /proc");

  const engine = values.engine === undefined ? defaultEngine() : engineWords(values.engine);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => stop.abort());
  const onScenario: BenchOptions["onScenario"] = (...words) => console.error(words.join(": "));
  const sizes = values.quick ? QUICK : FULL;
  const results = await bench({ engine, only, sizes, onScenario }, stop.signal);

  const machine = `${cpus().length} × ${cpus()[0]?.model}, Bun ${Bun.version}`;
  console.log(`\n${engine.join(" ")}\n${machine}\n\n${table(results)}`);
  if (values.json) {
    const about = { date: new Date().toISOString(), machine, command: engine, sizes };
    await Bun.write(values.json, `${JSON.stringify({ ...about, ...results }, null, 2)}\n`);
  }
  const problems = problemsOf(results);
  for (const problem of problems) console.error(problem);
  return problems.length > 0 ? 1 : 0;
}

if (import.meta.main)
  process.exit(
    await main().catch((error: unknown) => {
      console.error(String(error));
      return 1;
    }),
  );
