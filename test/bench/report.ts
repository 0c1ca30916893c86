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
  /** How long it takes to see what a shell command would do; by a call of the function. */
  risk: { firstMs: number; ms: number; p99Ms: number };
  engine: Measured;
  floor: Measured;
};

type Row = {
  label: string;
  scenario: ScenarioName;
  figure: string;
  digits: number;
  /** What the engine is not to be above; null: nothing is said. */
  aim: number | null;
};

const row = (
  label: string,
  scenario: ScenarioName,
  figure: string,
  digits = 1,
  aim: number | null = null,
): Row => ({ label, scenario, figure, digits, aim });

/** What the engine is not to be above, for one command after the first. */
const RISK_AIM_MS = 1;
/** Of what is nearly nothing a ratio says nothing. */
const WITHOUT_RATIO = new Set(["grownPercent", "addedToCallMs"]);

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
  row("file_read of 1 MiB to the next request, ms p50", "fileRead", "ms", 2, 10),
  row("file_read of 1 MiB to the next request, ms p99", "fileRead", "p99Ms", 2),
  row("approval: its HTTP call alone, ms p50", "approvals", "callMs", 2),
  row("approval: from the call to the tool, ms p50", "approvals", "grantedMs", 2),
  row("approval: added to the call, ms", "approvals", "addedToCallMs", 2, 2),
  row("streams: first token, ms p50", "streams", "firstTokenMs"),
  row("streams: first token, ms p99", "streams", "firstTokenP99Ms"),
  row("streams: lag of a token, ms p50", "streams", "lagMs", 2),
  row("streams: lag of a token, ms p99", "streams", "lagP99Ms", 2),
  row("streams: the same in the second half, ms p99", "streams", "steadyLagP99Ms", 2),
  row("streams: CPU, % of a core", "streams", "cpuPercent", 0),
  row("RSS after the streams, MiB", "streams", "afterMiB"),
];

export function table({ engine, floor, providerTokensPerSecond, risk }: Results): string {
  const rows = ROWS.filter(({ scenario }) => scenario in engine.scenarios).map((each) => {
    const [ours, bare] = [figureOf(engine, each), figureOf(floor, each)];
    const ratio = WITHOUT_RATIO.has(each.figure) ? Number.NaN : ours / bare;
    const cells = [shown(ours, each.digits), shown(bare, each.digits), shown(ratio, 1)];
    return [each.label, ...cells, shownAim(each.aim)];
  });
  const others = [engine, floor].map(({ othersPercent }) => shown(othersPercent, 0));
  return layOut([
    ["", "engine", "floor", "ratio", "aim"],
    ...rows,
    ["risk of the first command, ms", shown(risk.firstMs, 2)],
    ["risk of a command, ms p50", shown(risk.ms, 3), "", "", shownAim(RISK_AIM_MS)],
    ["risk of a command, ms p99", shown(risk.p99Ms, 3)],
    ["the provider alone, tokens/s", shown(providerTokensPerSecond, 0)],
    ["used by others meanwhile, % of a core", ...others],
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

const shownAim = (aim: number | null): string => (aim === null ? "" : `≤ ${aim}`);

function layOut(rows: readonly string[][]): string {
  const widthOf = (column: number) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widthOf(column)) : cell.padStart(widthOf(column));
  return rows.map((cells) => cells.map(pad).join("  ").trimEnd()).join("\n");
}
