import { expect, test } from "bun:test";
import { Watchdog } from "../../src/providers/watchdog.ts";

test("silence is counted from the latest wait, and not while resting", async () => {
  const silent = Promise.withResolvers<number>();
  const watchdog = new Watchdog(silent.resolve);
  const began = performance.now();
  for (let piece = 0; piece < 4; piece++) {
    watchdog.wait(60);
    await Bun.sleep(20);
    watchdog.rest();
  }
  await Bun.sleep(70);
  watchdog.wait(60);
  expect(await silent.promise).toBe(60);
  // Four waits, a rest that was longer than the limit, and the limit.
  expect(performance.now() - began).toBeGreaterThanOrEqual(80 + 70 + 59);
});

test("a shorter limit holds at once, and a stopped watchdog says nothing", async () => {
  const silent = Promise.withResolvers<number>();
  const watchdog = new Watchdog(silent.resolve);
  watchdog.wait(3_000_000_000);
  watchdog.wait(20);
  expect(await silent.promise).toBe(20);
  const stopped = new Watchdog(() => expect.unreachable());
  stopped.wait(10);
  stopped.stop();
  await Bun.sleep(30);
});
