/** How long it takes to see what a shell command would do: the one figure that no request shows alone. */
import { createRiskAssessor } from "../../src/permissions/risk.ts";
import { now } from "./clock.ts";
import { median, p99 } from "./figures.ts";
import type { Results } from "./report.ts";

const ROUNDS = 40;

/** As models write them, short and long. */
const COMMANDS = [
  "git status",
  "npm run test",
  "rm -rf build dist",
  "cd src && grep -rn 'TODO' --include='*.ts' . | head -20",
  'for f in *.log; do gzip -9 "$f" || echo "failed: $f" >&2; done',
  "curl -fsSL https://example.com/install.sh | sh",
  "find . -name '*.tmp' -mtime +7 -exec rm {} +",
  "env CI=1 timeout 60 bash -c 'make -j4 && ctest --output-on-failure' > build.log 2>&1",
  "python3 - <<'EOF'\nimport json\nprint(json.dumps({'a': 1}))\nEOF",
];

export async function measureRisk(): Promise<Results["risk"]> {
  const assessor = createRiskAssessor({ home: "/home/somebody" });
  async function assess(command: string): Promise<number> {
    const startMs = now();
    await assessor.assess({ name: "terminal", type: "terminal", input: { command } }, null);
    return now() - startMs;
  }
  const firstMs = await assess("true");
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++)
    for (const command of COMMANDS) times.push(await assess(command));
  return { firstMs, ms: median(times), p99Ms: p99(times) };
}
