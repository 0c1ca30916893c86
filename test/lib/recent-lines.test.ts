import { expect, test } from "bun:test";
import { RecentLines } from "../../src/lib/recent-lines.ts";

const after = (...pieces: string[]) => {
  const recent = new RecentLines();
  for (const piece of pieces) recent.add(piece);
  return recent;
};

test("the last lines come back in order, the unfinished one among them, whatever pieces they came in", () => {
  const recent = after("on", "e\ntwo\n", "", "\nfo", "ur");
  expect(recent.last(100)).toEqual(["one", "two", "", "four"]);
  expect(recent.last(2)).toEqual(["", "four"]);
  expect(recent.count).toBe(4);
  recent.add("\n");
  expect(recent.last(1)).toEqual(["four"]);
  expect(recent.count).toBe(4);
  expect(new RecentLines().last(5)).toEqual([]);
});

test("of more than 2000 lines the last 2000 are kept, and all are counted", () => {
  const recent = new RecentLines();
  for (let n = 1; n <= 9_999; n += 1) recent.add(`line ${n}\n`);
  recent.add("line 10000");
  const lines = recent.last(Number.POSITIVE_INFINITY);
  expect(lines).toHaveLength(2_000);
  expect([lines[0], lines.at(-1)]).toEqual(["line 8001", "line 10000"]);
  expect(recent.count).toBe(10_000);
});

test("many lines in one piece are kept as if they had come one by one", () => {
  const text = Array.from({ length: 5_000 }, (_, n) => `${n + 1}\n`).join("");
  const lines = after(text).last(Number.POSITIVE_INFINITY);
  expect(lines).toHaveLength(2_000);
  expect([lines[0], lines.at(-1)]).toEqual(["3001", "5000"]);
});

test("a long line is cut, also where it comes in pieces and never ends", () => {
  const recent = after("x".repeat(5_000), "y".repeat(5_000));
  const cut = `${"x".repeat(2_000)} [… line cut]`;
  expect(recent.last(1)).toEqual([cut]);
  recent.add("z\nnext");
  expect(recent.last(2)).toEqual([cut, "next"]);
});

test("long lines are kept up to a bound of them together, and only whole ones", () => {
  const recent = new RecentLines();
  for (let n = 1; n <= 1_500; n += 1) recent.add(`${n}:${"€".repeat(1_500)}\n`);
  const lines = recent.last(Number.POSITIVE_INFINITY);
  expect(lines.length).toBeGreaterThan(50);
  expect(lines.length * 1_500 * 3).toBeLessThan(1024 * 1024);
  for (const [index, line] of lines.entries())
    expect(line).toBe(`${1_500 - lines.length + index + 1}:${"€".repeat(1_500)}`);
});

test("a carriage return starts the line anew, or ends it before a line break", () => {
  expect(after("10%\r", "55%\r100%\rdone\r\nnext\r\n").last(9)).toEqual(["done", "next"]);
  expect(after("10%\r55%\r").last(9)).toEqual(["55%"]);
  expect(after("abc\r", "\n").last(9)).toEqual(["abc"]);
});
