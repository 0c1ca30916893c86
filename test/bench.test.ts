import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, bench } from "./bench/bench.ts";
import { treeOf } from "./bench/processes.ts";
import { type Measured, problemsOf, table } from "./bench/report.ts";
import { SCENARIOS, type ScenarioName } from "./bench/scenarios.ts";

const ALL = Object.keys(SCENARIOS) as ScenarioName[];
const TINY: BenchOptions = {
  engine: [process.execPath, join(import.meta.dir, "../src/main.ts")],
  only: ALL,
  sizes: {
    starts: 1,
    settleMs: 0,
    moreSessions: 2,
    turns: 2,
    longSessionTurns: 2,
    longReplies: 1,
    replyTokens: 200,
    toolTurns: 1,
    toolRounds: 2,
    streams: 2,
    streamTokens: 3,
  },
};
// It reads memory and CPU from /proc.
const onLinux = test.skipIf(process.platform !== "linux");

const benchFolders = () =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`kollab-bench-${process.pid}-`));
const figuresOf = ({ scenarios }: Measured) =>
  Object.values(scenarios).flatMap((outcome) => (outcome.ok ? Object.values(outcome.figures) : []));

onLinux(
  "the bench measures every scenario of the engine and the floor, and leaves nothing behind",
  async () => {
    const before = treeOf(process.pid);
    const results = await bench(TINY, AbortSignal.timeout(60_000));
    expect(problemsOf(results)).toEqual([]);
    for (const measured of [results.engine, results.floor]) {
      expect(Object.keys(measured.scenarios)).toEqual(ALL);
      expect(figuresOf(measured).filter((figure) => !Number.isFinite(figure))).toEqual([]);
    }
    for (const line of table(results).split("\n").slice(1))
      expect(line).toMatch(/^\S.* {2}\d[\d.,]*/);
    expect(benchFolders()).toEqual([]);
    expect(treeOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
  },
  60_000,
);

onLinux("what cannot be measured is said, and the rest goes on", async () => {
  const options: BenchOptions = { ...TINY, engine: ["sh", "-c", "exit 1"], only: ["sessions"] };
  const results = await bench(options, AbortSignal.timeout(10_000));
  expect(problemsOf(results)).toEqual([
    "engine: sessions: Error: sh -c exit 1 serve --port 0 did not say READY",
  ]);
  expect(results.floor.scenarios.sessions).toMatchObject({ ok: true });
});
