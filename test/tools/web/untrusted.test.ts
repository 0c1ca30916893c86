import { expect, test } from "bun:test";
import { visible } from "../../../src/tools/web/untrusted.ts";

const { signal } = new AbortController();
/** As many characters as come before the end of a part, less some. */
const before = (count: number) => "x".repeat(65_536 - count);

test("lines end with a line feed, and what is not seen is left out", async () => {
  const text = "a\r\nb\rc\n\rd\u001b[31mred\u001b[0m\u202e\u200b\u{e0041}\t\u0007.";
  expect(await visible(text, signal)).toBe("a\nb\nc\n\ndred\t.");
});

test.each([
  ["a line end", "\r\n", "\n"],
  ["a sequence", "\u001b[38;5;123m", ""],
  ["a character", "😀", "😀"],
  ["a tag", "\u{e0041}", ""],
  ["bells", "\u0007".repeat(100), ""],
])("%s is not torn apart where a part of a long text ends", async (_what, text, seen) => {
  for (let back = 0; back < 50; back += 1)
    expect(await visible(`${before(back)}${text}y`, signal)).toBe(`${before(back)}${seen}y`);
});

test("others go on while megabytes of line ends are read, and it can be stopped", async () => {
  const text = "\r".repeat(3 * 2 ** 20);
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns += 1;
    if (!isDone) setTimeout(count, 0);
  };
  count();
  expect(await visible(text, signal)).toBe("\n".repeat(text.length));
  isDone = true;
  expect(turns).toBeGreaterThan(2);
  const stop = AbortSignal.abort(new Error("enough"));
  await expect(visible(text, stop)).rejects.toThrow("enough");
});
