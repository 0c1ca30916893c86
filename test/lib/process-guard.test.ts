import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { groupIsGone } from "../support/process-group.ts";

/** A group of two processes that nobody would end. */
const sleepers = () =>
  Bun.spawn({
    cmd: ["/bin/sh", "-c", "sleep 300 & sleep 300; true"],
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
  });

test("an engine that is killed by SIGKILL takes its commands and their children with it", async () => {
  const engine = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, "../support/doomed-engine.ts")],
    env: {},
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await engine.stdout.getReader().read();
  const group = Number.parseInt(new TextDecoder().decode(value), 10);
  expect(group).toBeGreaterThan(1);
  engine.kill("SIGKILL");
  await engine.exited;
  expect(await groupIsGone(group)).toBe(true);
});

test("closing the guard kills what is watched and leaves what is forgotten alone", async () => {
  const guard = new ProcessGuard();
  const [watched, forgotten, late] = [sleepers(), sleepers(), sleepers()];
  guard.watch(late.pid);
  guard.start();
  guard.watch(watched.pid);
  guard.watch(forgotten.pid);
  guard.forget(forgotten.pid);
  await guard.close();
  expect(await groupIsGone(watched.pid)).toBe(true);
  expect(await groupIsGone(late.pid)).toBe(true);
  expect(forgotten.exitCode).toBeNull();
  process.kill(-forgotten.pid, "SIGKILL");
  await forgotten.exited;
});

const onLinux = process.platform === "linux";

test.if(onLinux)(
  "a guard whose watchdog was killed tells the next one all that it watches",
  async () => {
    const others = watchdogs();
    const guard = new ProcessGuard();
    guard.start();
    const sleeping = sleepers();
    guard.watch(sleeping.pid);
    const first = newWatchdog(others);
    process.kill(first, "SIGKILL");

    const hasAnother = () => watchdogs().some((pid) => pid !== first && !others.includes(pid));
    while (!hasAnother()) {
      guard.start();
      await Bun.sleep(5);
    }
    await guard.close();
    expect(await groupIsGone(sleeping.pid)).toBe(true);
  },
);

test.if(onLinux)("a command is watched although the watchdog has died unnoticed", async () => {
  const others = watchdogs();
  const guard = new ProcessGuard();
  guard.start();
  const first = newWatchdog(others);
  const sleeping = [sleepers(), sleepers()];
  guard.watch(sleeping[0]!.pid);
  process.kill(first, "SIGKILL");
  // In the same tick nobody has said so yet, and the pipe may be closed already.
  while (isWatchdog(first)) Bun.sleepSync(1);
  guard.forget(sleeping[0]!.pid);
  guard.watch(sleeping[1]!.pid);
  // At once, or as soon as its end is known: it may have died so lately that its pipe still took the line.
  while (!watchdogs().some((pid) => pid !== first && !others.includes(pid))) await Bun.sleep(1);
  await guard.close();
  expect(await groupIsGone(sleeping[1]!.pid)).toBe(true);
  expect(sleeping[0]!.exitCode).toBeNull();
  process.kill(-sleeping[0]!.pid, "SIGKILL");
});

test.if(onLinux)("closing ends although the watchdog does not listen", async () => {
  const others = watchdogs();
  const guard = new ProcessGuard();
  guard.start();
  const watchdog = newWatchdog(others);
  const sleeping = sleepers();
  guard.watch(sleeping.pid);
  process.kill(watchdog, "SIGSTOP");
  await guard.close();
  expect(await groupIsGone(sleeping.pid)).toBe(true);
  expect(await groupIsGone(watchdog)).toBe(true);
});

/** Waits without a tick: for the program that a new process is to become. */
function newWatchdog(others: readonly number[]): number {
  for (let tries = 0; tries < 3_000; tries++) {
    const pid = watchdogs().find((each) => !others.includes(each));
    if (pid !== undefined) return pid;
    Bun.sleepSync(1);
  }
  throw new Error("No watchdog was started");
}

/** The watchdogs that this process has, by what their command line begins with. */
const watchdogs = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isWatchdog(pid));

function isWatchdog(pid: number): boolean {
  try {
    const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return Number(parent) === process.pid && command.includes("trap '' HUP INT TERM");
  } catch {
    // It ended while it was looked at.
    return false;
  }
}
