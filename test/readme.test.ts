import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { scripts } from "../package.json" with { type: "json" };

const root = join(import.meta.dir, "..");
const readme = await Bun.file(join(root, "README.md")).text();

test("the map in README.md is what is in src", () => {
  const map = /\nsrc\/\n([\s\S]*?)\ntest\//.exec(readme)?.[1] ?? "";
  const named = [...map.matchAll(/^ {2}([\w.-]+\/?) /gm)].map(([, name]) => name);
  const there = readdirSync(join(root, "src"), { withFileTypes: true });
  expect(named.sort()).toEqual(
    there.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort(),
  );
});

test("every script that README.md names exists", () => {
  const named = [...readme.matchAll(/\b(?:bun run|npm|bun) (start|test|[a-z]+)\b/g)].map(
    ([, name]) => name!,
  );
  const known = [...Object.keys(scripts), "install", "only", "and"];
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});
