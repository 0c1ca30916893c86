/**
 * Builds the executable: `bun run build [--target linux-arm64|darwin-arm64|windows-x64|…]`.
 * Identifiers keep their names, since the router reads the source text of its handlers.
 */
import { mkdirSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { $, type Build } from "bun";
import { version } from "../package.json" with { type: "json" };

const { values } = parseArgs({ options: { target: { type: "string" } } });
const commit = (await $`git rev-parse --short HEAD`.nothrow().quiet().text()).trim() || "unknown";
const dirty = (await $`git status --porcelain`.nothrow().quiet().text()).trim() !== "";
const suffix = values.target ? `-${values.target}` : "";
const outfile = `dist/kollab-engine${suffix}`;

mkdirSync("dist", { recursive: true });
const result = await Bun.build({
  entrypoints: ["src/main.ts"],
  compile: {
    outfile,
    // A repository's own settings must not reach the engine that is started in it.
    autoloadDotenv: false,
    autoloadBunfig: false,
    ...(values.target ? { target: `bun-${values.target}` as Build.CompileTarget } : {}),
  },
  format: "esm",
  splitting: true,
  bytecode: true,
  minify: { whitespace: true, syntax: true, identifiers: false },
  sourcemap: "linked",
  define: {
    "process.env.NODE_ENV": '"production"',
    BUILD_VERSION: JSON.stringify(version),
    BUILD_COMMIT: JSON.stringify(dirty ? `${commit}+changes` : commit),
  },
});
// They are inside the executable, too.
for (const map of new Bun.Glob("*.map").scanSync({ cwd: "dist", absolute: true })) rmSync(map);
for (const log of result.logs) console.error(log);
if (!result.success) process.exit(1);
console.log(`${outfile} ${version} (${commit}${dirty ? "+changes" : ""})`);
