/** The figures as a table: the engine, the floor, and how many times the one is the other. */
import type { Figures, ScenarioName } from "./scenarios.ts";

export type Outcome = { ok: true; figures: Figures } | { ok: false; problem: string };

export type Measured = {
  scenarios: Partial<Record<ScenarioName, Outcome>>;
  /** What other processes used of a core meanwhile. */
  othersPercent: number;
};

export type Results = {
  /** What the provider alone reaches: no engine can be faster. */
  providerTokensPerSecond: number;
  engine: Measured;
  floor: Measured;
};

type Row = { label: string; scenario: ScenarioName; figure: string; digits: number };

const row = (label: string, scenario: ScenarioName, figure: string, digits = 1): Row => ({
  label,
  scenario,
  figure,
  digits,
});

const ROWS: readonly Row[] = [
  row("start to first answer, ms", "start", "ms"),
  row("the same with an empty home, ms", "start", "firstMs"),
  row("RSS idle, MiB", "start", "idleMiB"),
  row("RSS with one session, MiB", "sessions", "withOneMiB"),
  row("RSS for each further session, MiB", "sessions", "eachMiB", 3),
  row("create a session, ms", "sessions", "createMs", 2),
  row("first turn after a start, ms", "turns", "firstMs"),
  row("added to a turn, ms p50", "turns", "addedMs", 2),
  row("added to a turn, ms p99", "turns", "addedP99Ms", 2),
  row("added to the first token, ms p50", "turns", "firstTokenMs", 2),
  row("added to the first token, ms p99", "turns", "firstTokenP99Ms", 2),
  row("CPU of a turn, ms", "turns", "cpuMs", 2),
  row("long session: first turns, ms", "longSession", "earlyMs", 2),
  row("long session: last turns, ms", "longSession", "lateMs", 2),
  row("long session: grown by, %", "longSession", "grownPercent", 0),
  row("long reply, tokens/s", "longReply", "tokensPerSecond", 0),
  row("long reply, CPU s", "longReply", "cpuSeconds", 3),
  row("RSS after long replies, MiB", "longReply", "afterMiB"),
  row("tool round, ms", "toolRounds", "ms", 2),
  row("tool round, CPU ms", "toolRounds", "cpuMs", 2),
  row("streams: first token, ms p50", "streams", "firstTokenMs"),
  row("streams: first token, ms p99", "streams", "firstTokenP99Ms"),
  row("streams: lag of a token, ms p50", "streams", "lagMs", 2),
  row("streams: lag of a token, ms p99", "streams", "lagP99Ms", 2),
  row("streams: the same in the second half, ms p99", "streams", "steadyLagP99Ms", 2),
  row("streams: CPU, % of a core", "streams", "cpuPercent", 0),
  row("RSS after the streams, MiB", "streams", "afterMiB"),
];

export function table({ engine, floor, providerTokensPerSecond }: Results): string {
  const rows = ROWS.filter(({ scenario }) => scenario in engine.scenarios).map((each) => {
    const [ours, bare] = [figureOf(engine, each), figureOf(floor, each)];
    // Of what is nearly nothing a ratio says nothing.
    const ratio = each.figure === "grownPercent" ? Number.NaN : ours / bare;
    return [each.label, shown(ours, each.digits), shown(bare, each.digits), shown(ratio, 1)];
  });
  const others = [engine, floor].map(({ othersPercent }) => shown(othersPercent, 0));
  return layOut([
    ["", "engine", "floor", "ratio"],
    ...rows,
    ["the provider alone, tokens/s", shown(providerTokensPerSecond, 0), "", ""],
    ["used by others meanwhile, % of a core", ...others, ""],
  ]);
}

/** One line for each scenario that could not be measured. */
export const problemsOf = ({ engine, floor }: Results): string[] =>
  Object.entries({ engine, floor }).flatMap(([name, { scenarios }]) =>
    Object.entries(scenarios).flatMap(([scenario, outcome]) =>
      outcome.ok ? [] : [`${name}: ${scenario}: ${outcome.problem}`],
    ),
  );

function figureOf({ scenarios }: Measured, { scenario, figure }: Row): number {
  const outcome = scenarios[scenario];
  return outcome?.ok ? (outcome.figures[figure] ?? Number.NaN) : Number.NaN;
}

const shown = (number: number, digits: number): string =>
  Number.isFinite(number)
    ? number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : "-";

function layOut(rows: readonly string[][]): string {
  const widthOf = (column: number) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widthOf(column)) : cell.padStart(widthOf(column));
  return rows.map((cells) => cells.map(pad).join("  ").trimEnd()).join("\n");
}
