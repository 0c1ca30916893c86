import { expect, test } from "bun:test";
import { quoted, quotedPath, shown } from "../../src/lib/shown.ts";

test("what would break a line or turn its direction is shown as a question mark", () => {
  expect(shown("a\nb\u001b[1mc\u202ed\u2028e\ud800")).toBe("a?b?[1mc?d?e\ufffd");
});

test("a quoted text keeps its beginning, whatever its length, and no half character", () => {
  expect(quoted("x".repeat(100))).toBe("x".repeat(100));
  expect(quoted(`${"x".repeat(99)}😀${"y".repeat(50_000)}`)).toBe(`${"x".repeat(99)}\ufffd…`);
});

test("a quoted path keeps its beginning and its end", () => {
  const path = `/start/${"d/".repeat(50_000)}end.txt`;
  expect(quotedPath("/a/b.txt")).toBe("/a/b.txt");
  expect(quotedPath(path)).toMatch(/^\/start\/[d/]+…[d/]+\/end\.txt$/);
  expect(quotedPath(path).length).toBe(251);
});
