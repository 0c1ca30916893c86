/** Patterns as models write them, a walk that somebody disturbs, and a time that is up. */
import { expect, test } from "bun:test";
import { renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { compileWildcard } from "../../src/lib/wildcard.ts";
import { holdDirectory, holdResolved } from "../../src/tools/held-directory.ts";
import { grep } from "../../src/tools/search/grep.ts";
import { compilePattern } from "../../src/tools/search/pattern.ts";
import { newTally } from "../../src/tools/search/tally.ts";
import { openTree, walkFiles } from "../../src/tools/search/tree.ts";
import { searchBench } from "../support/search-bench.ts";

const PLAIN = { literal: false, caseInsensitive: false, multiline: false };

const UNDERSTOOD: [pattern: string, matching: string, other: string][] = [
  ["(?i)select", "SELECT", "insert"],
  ["(?P<quote>['\"])\\w+(?P=quote)", "'a'", "'a\""],
  ["\\Aabc\\Z", "abc", "abcd"],
  ["[[:alpha:]_]+[^[:digit:]]$", "ab_", "ab1"],
  ["[]x]", "]", "y"],
  ["a\\pLc", "aéc", "a1c"],
  ['\\p{Lu}\\-\\"', 'É-"', 'é-"'],
  ["\\x{1F600}", "😀", "😁"],
  ["interface{}", "interface{}", "interface"],
  ["(?<!un)safe", "safe", "unsafe"],
  ["\\<T\\>", "<T>", "T"],
];

test("ripgrep's and Python's ways to write a pattern are understood", () => {
  for (const [pattern, matching, other] of UNDERSTOOD) {
    const { inLine } = compilePattern(pattern, PLAIN);
    expect([pattern, inLine.test(matching), inLine.test(other)]).toEqual([pattern, true, false]);
  }
  expect(compilePattern("a.b(", { ...PLAIN, literal: true }).inLine.test("a.b(")).toBe(true);
});

test("what would mean something else is refused", () => {
  for (const pattern of ["\\Kfoo", "(?x)a b", "[[:nonsense:]]", "a++", "(?>a)", "[z-a]", "\\"])
    expect(() => compilePattern(pattern, PLAIN)).toThrow("Invalid regular expression");
  expect(() => compilePattern("a\nb", PLAIN)).toThrow("set multiline to true");
  expect(() => compilePattern("x".repeat(2001), PLAIN)).toThrow("longer than 2000 characters");
});

test("a hostile wildcard is decided at once", () => {
  const matches = compileWildcard(`${"*a".repeat(100)}*[b]`);
  expect(matches?.("a".repeat(255))).toBe(false);
  expect(matches?.(`${"a".repeat(254)}b`)).toBe(true);
});

const placeIn = (workspace: string, deadline: number) => ({
  root: workspace,
  base: workspace,
  asked: ".",
  prefix: "",
  closed: [],
  ruledOut: { patterns: [], workspace, home: "/nowhere" },
  deadline,
});

test("when the time is up, it says from where on nothing was looked at", async () => {
  await using b = searchBench(["a", "b"]);
  const answer = grep({
    ...placeIn(b.workspace, 0),
    ...PLAIN,
    kind: "grep",
    pattern: "hit",
    glob: null,
    type: null,
    mode: "content",
    before: 0,
    after: 0,
    limit: 1,
  });
  expect(answer).toEqual({
    ok: true,
    text:
      "[No match; 0 files searched; the time was up: nothing from a on was looked at; " +
      "narrow it with path]",
    metadata: { matches: 0, files: 0, files_searched: 0, truncated: true },
  });
});

test("a directory that becomes a link while it is walked does not lead outside", async () => {
  await using b = searchBench(["a/1", "b/2", "c/3"]);
  b.write("out/inner/secret", "hit");
  const seen: string[] = [];
  const place = placeIn(b.workspace, Number.POSITIVE_INFINITY);
  const tally = newTally();
  const tree = openTree(place, { tally, ignored: false, hidden: () => true });
  for (const entry of walkFiles(tree)) {
    seen.push(entry.segments.join("/"));
    if (seen.length > 1) continue;
    renameSync(join(b.workspace, "b"), join(b.path, "moved"));
    symlinkSync(b.outside, join(b.workspace, "b"));
  }
  expect(seen).toEqual(["a/1", "c/3"]);
  expect(tally.unreadable).toBe(1);
  expect(() => holdDirectory(join(b.workspace, "b"))).toThrow();
  if (process.platform === "linux")
    expect(() => holdResolved(join(b.workspace, "b", "inner"))).toThrow(
      "changed while it was used",
    );
});

test("a closed place in the workspace is not entered, in whatever case it is spelt", async () => {
  await using b = searchBench(["Data/keys", "src/a"]);
  const closed = [join(b.workspace, "data").toLowerCase()];
  expect(b.files({ glob: "**" })).toEqual(["Data/keys", "src/a"]);
  const tree = openTree(
    { ...placeIn(b.workspace, Number.POSITIVE_INFINITY), closed },
    { tally: newTally(), ignored: true, hidden: () => true },
  );
  expect([...walkFiles(tree)].map(({ name }) => name)).toEqual(["a"]);
});
