import { expect, test } from "bun:test";
import { LiveText } from "../../src/lib/live-text.ts";

/** A LiveText and what it passed on; `passed` resolves with the next piece. */
function collected() {
  const pieces: string[] = [];
  let next = Promise.withResolvers<string>();
  const live = new LiveText((text) => {
    pieces.push(text);
    next.resolve(text);
    next = Promise.withResolvers();
  });
  return { live, pieces, passed: () => next.promise };
}

test("pieces that come close together are passed on as one", async () => {
  const { live, pieces, passed } = collected();
  for (const piece of ["a", "b", "", "c"]) live.add(piece);
  expect(await passed()).toBe("abc");
  live.add("d");
  live.end();
  expect(pieces).toEqual(["abc", "d"]);
});

test("a text that ends at once is not passed on", () => {
  const { live, pieces } = collected();
  live.add("quick");
  live.end();
  expect(pieces).toEqual([]);
});

test("a text without end is passed on up to a limit, and the last piece says so", async () => {
  const { live, pieces, passed } = collected();
  for (let n = 0; n < 100; n += 1) live.add("x".repeat(10_000));
  await passed();
  live.add("more");
  live.end();
  expect(pieces).toHaveLength(1);
  expect(pieces[0]).toHaveLength(
    256 * 1024 + "\n[… the rest is not shown while it runs …]\n".length,
  );
  expect(pieces[0]).toEndWith("[… the rest is not shown while it runs …]\n");
});

test("a text that trickles is passed on soon at first, and then in larger pieces", async () => {
  const { live, pieces, passed } = collected();
  let added = 0;
  const trickle = setInterval(() => live.add(`${added++} `), 5);
  for (let n = 0; n < 4; n += 1) await passed();
  clearInterval(trickle);
  live.end();
  expect(pieces.join("")).toBe(Array.from({ length: added }, (_, n) => `${n} `).join(""));
  expect(pieces.length).toBeLessThanOrEqual(5);
  expect(pieces[3]!.length).toBeGreaterThan(pieces[0]!.length);
});

test("nothing is passed on after the end", async () => {
  const { live, pieces, passed } = collected();
  live.add("a");
  await passed();
  live.end();
  live.add("late");
  await Bun.sleep(150);
  expect(pieces).toEqual(["a"]);
});
