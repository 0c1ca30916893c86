/**
 * Runs the tests and closes with `N passed, N failed` from the runner's own counts. A test file that
 * does not load is in no report, so a red exit code counts as a failure even where the report has none.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const report = join(tmpdir(), `kollab-engine-tests-${process.pid}.xml`);
const child = Bun.spawn(
  [
    process.execPath,
    "test",
    ...process.argv.slice(2),
    "--reporter=junit",
    `--reporter-outfile=${report}`,
  ],
  { stdio: ["ignore", "inherit", "inherit"] },
);
const exitCode = await child.exited;
const file = Bun.file(report);
const head = (await file.exists()) ? /<testsuites[^>]*>/.exec(await file.text())?.[0] : undefined;
rmSync(report, { force: true });

const count = (name: string) =>
  Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head ?? "")?.[1] ?? 0);
const skipped = count("skipped");
let failed = count("failures");
const passed = count("tests") - failed - skipped;
if (exitCode !== 0 && failed === 0) {
  console.log(`The runner ended with ${exitCode}, without a failed test: a file does not load.`);
  failed = 1;
}
if (passed === 0 && failed === 0) {
  console.log("No test ran.");
  failed = 1;
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 ? 1 : 0);
