import { expect, test } from "bun:test";
import { notFound } from "../../src/tools/similar-text.ts";

const FILE = `import { a } from "a";

function first(): number {
	return 1;
}

function second(input: string): string {
    const value = input.trim();
    return value + “quoted” + "don't";
}

const windows = "C:\\\\dir";
`;

const miss = (find: string, file = FILE) => notFound("/f", file, find, "find");
const form = (difference: string, lines: string) =>
  `Pattern not found in /f; closest is ${lines}, which differs only in ${difference}`;

test.each([
  [
    "indentation",
    "function second(input: string): string {\n  const value = input.trim();\n",
    "indentation",
    "lines 7-8",
  ],
  [
    "tabs for spaces",
    "{\n\tconst value = input.trim();",
    "tabs and spaces of indentation",
    "lines 7-8",
  ],
  [
    "spaces for tabs",
    "function first(): number {\n    return 1;\n}",
    "tabs and spaces of indentation",
    "lines 3-5",
  ],
  [
    "spaces at the ends of lines",
    "function first(): number {  \n\treturn 1;",
    "spaces at the ends of lines",
    "lines 3-4",
  ],
  ["spaces within a line", "const  value = input.trim();", "spaces within lines", "line 8"],
  [
    "plain quotes",
    'return value + "quoted" + "don\'t";',
    "typographic quotes, dashes or spaces",
    "line 9",
  ],
  [
    "typographic quotes",
    "return value + “quoted” + “don’t”;",
    "typographic quotes, dashes or spaces",
    "line 9",
  ],
  ["case", "Function Second(Input: string)", "upper and lower case", "line 7"],
  [
    "several of these",
    "function Second(input: string): string {\n  const value = input.trim();",
    "indentation and upper and lower case",
    "lines 7-8",
  ],
  [
    "blank lines around it",
    "\n\n\nfunction first(): number {\n\treturn 1;",
    "blank lines around it",
    "lines 3-4",
  ],
  ["line ends", "first(): number {\r\n\treturn 1;\r\n}", "line ends (CRLF or LF)", "lines 3-5"],
])("a text that differs in %s is diagnosed so", (_name, find, difference, lines) => {
  expect(miss(find).message).toBe(form(difference, lines));
});

test("what differs is shown with line numbers, the first different lines side by side", () => {
  const failure = miss(
    "function second(input: string): string {\n    const value = input.trimEnd();\n    return value;",
  );
  expect(failure.message).toBe("Pattern not found in /f; closest is lines 7-9");
  expect(failure.details).toBe(
    [
      "7\tfunction second(input: string): string {",
      "8\t    const value = input.trim();",
      '9\t    return value + “quoted” + "don\'t";',
      "",
      "Line 8 is",
      "      const value = input.trim();",
      "where find has",
      "      const value = input.trimEnd();",
      "",
      "Copy find from the file exactly, without the line numbers.",
    ].join("\n"),
  );
});

test.each([
  ["tabs", "3\tfunction first(): number {\n4\t\treturn 1;\n"],
  ["arrows", "    3→function first(): number {\n    4→\treturn 1;"],
  ["colons", "3:function first(): number {\n4:\treturn 1;"],
  ["bars", "3| function first(): number {\n4| \treturn 1;"],
])("line numbers with %s, copied along, are named", (_name, find) => {
  const failure = miss(find);
  expect(failure.message).toBe(
    "Pattern not found in /f: find has line numbers in front of its lines",
  );
  expect(failure.details).toBe("Leave the numbers out. What is meant begins in line 3.");
});

test("escapes that are written out are named", () => {
  for (const find of [
    "number {\\n\\treturn 1;\\n}",
    'from \\"a\\";',
    "second(input: string): string {\\n",
  ])
    expect(miss(find).message).toStartWith("Pattern not found in /f: find has escapes");
});

test("where nothing is similar, it says so", () => {
  for (const find of ["class Unrelated extends Nothing {}", "}}}}", "\n\n", " ", "@@@"])
    expect(miss(find).message).toBe("Pattern not found in /f; nothing similar is in it");
  expect(miss("x", "").message).toEndWith("nothing similar is in it");
});

test("a long text is compared by its beginning, and shown shortened", () => {
  const lines = Array.from({ length: 500 }, (_, n) => `  line number ${n} of the file`);
  const failure = miss(lines.map((line) => line.trim()).join("\n"), lines.join("\n"));
  expect(failure.message).toContain("closest is lines 1-60");
  expect(failure.details.split("\n").length).toBeLessThan(30);
});

test("files and texts that are made to be slow are answered soon", () => {
  const large = 4_000_000;
  const files = [
    "a".repeat(large),
    "\n".repeat(large),
    "word other\n".repeat(large / 11),
    " ".repeat(large),
  ];
  const texts = [
    `${"a".repeat(50_000)}b`,
    `${"\n".repeat(50_000)}b`,
    "word\nother\n".repeat(20_000),
    `word${" ".repeat(50_000)}b`,
  ];
  const started = performance.now();
  for (const file of files)
    for (const find of texts) expect(miss(find, file).message).toStartWith("Pattern not found");
  expect(performance.now() - started).toBeLessThan(20_000);
});
