import { afterAll, expect, test } from "bun:test";
import { drain, endOfGroup, spawnGroup, stopRequest } from "../../src/lib/process-group.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { groupIsGone } from "../support/process-group.ts";

const guard = new ProcessGuard();
afterAll(() => guard.close());

const never = new AbortController().signal;

/** Reads a command, output and errors as one, to its end or its limit. */
async function readMerged(command: string, timeoutMs: number | null) {
  const group = await spawnGroup({
    command: ["/bin/sh", "-c", command],
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    guard,
    merged: true,
  });
  const pieces: Uint8Array[] = [];
  const outputs = group.stderr ? [group.stdout, group.stderr] : [group.stdout];
  const drained = Promise.all(
    outputs.map((output) => drain(output, 1, (bytes) => void pieces.push(bytes))),
  );
  const stop = stopRequest(timeoutMs, never);
  const ending = await endOfGroup(group, drained, stop.requested, 200);
  stop.dispose();
  await group.close();
  guard.forget(group.process.pid);
  return { ending, pid: group.process.pid, text: Buffer.concat(pieces).toString() };
}

test.if(process.platform === "linux")(
  "merged outputs come in the order in which they are printed",
  async () => {
    const command = "for n in 1 2 3; do echo out $n; echo err $n >&2; done";
    const { ending, text } = await readMerged(command, null);
    expect(ending).toBe("exited");
    expect(text).toBe("out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
  },
);

test("nobody of a group is left after its end", async () => {
  const left = await readMerged("sleep 300 & true", null);
  expect([left.ending, await groupIsGone(left.pid)]).toEqual(["exited", true]);
  const deaf = await readMerged("trap '' TERM; while :; do sleep 300; done", 200);
  expect([deaf.ending, await groupIsGone(deaf.pid)]).toEqual(["timed_out", true]);
  const late = await readMerged("sleep 300 & sleep 300", 100);
  expect([late.ending, await groupIsGone(late.pid)]).toEqual(["timed_out", true]);
});
