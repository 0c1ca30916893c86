import { afterAll, expect, test } from "bun:test";
import { closeSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openPipe } from "../../src/lib/pipe.ts";
import { type ProcessOptions, type ProcessResult, runProcess } from "../../src/lib/process.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { groupIsGone } from "../support/process-group.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const guard = new ProcessGuard();
afterAll(() => guard.close());

const never = new AbortController().signal;

function run(
  command: string,
  options: Partial<ProcessOptions> = {},
  signal: AbortSignal = never,
): Promise<ProcessResult> {
  return runProcess(
    {
      command: ["/bin/sh", "-c", command],
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      timeoutMs: 30_000,
      guard,
      onOutput: () => {},
      ...options,
    },
    signal,
  );
}

/** Runs the command and aborts it when it has printed its first text. */
async function runAndCancel(command: string): Promise<ProcessResult> {
  const cancel = new AbortController();
  return run(command, { onOutput: () => cancel.abort() }, cancel.signal);
}

/** Of a command that printed its own process id first: the group that it led. */
const groupOf = (result: ProcessResult) => Number.parseInt(result.stdout, 10);

test("the outputs and the exit code of a command come back, each for itself", async () => {
  const result = await run("echo out; echo err >&2; exit 3");
  expect(result).toEqual({
    exitCode: 3,
    signal: null,
    timedOut: false,
    cancelled: false,
    stdout: "out\n",
    stderr: "err\n",
    outputLength: 8,
    binary: false,
    durationMs: expect.any(Number),
  });
});

test("a command that a signal ended has the signal and no exit code", async () => {
  expect(await run("kill -KILL $$")).toMatchObject({ exitCode: null, signal: "SIGKILL" });
});

const pipe = await openPipe();
if (pipe) for (const end of [pipe.readEnd, pipe.writeEnd]) closeSync(end);

test.if(pipe !== null)("a command can open /dev/stdout and /dev/stderr", async () => {
  const result = await run("echo out > /dev/stdout; echo err > /dev/stderr");
  expect(result).toMatchObject({ exitCode: 0, stdout: "out\n", stderr: "err\n" });
});

test("a command that reads its input finds it empty", async () => {
  expect(await run("cat; echo done")).toMatchObject({ exitCode: 0, stdout: "done\n" });
});

test("a command has the environment it was given and nothing else", async () => {
  const result = await run("env", { env: { PATH: "/usr/bin:/bin", ONE: "1" } });
  const names = result.stdout
    .match(/^[^=]+/gm)
    ?.filter((name) => !["PWD", "_", "SHLVL"].includes(name));
  expect(names?.sort()).toEqual(["ONE", "PATH"]);
});

test("output is passed on while the command runs, with characters whole", async () => {
  using folder = temporaryFolder();
  const seen: string[] = [];
  const goOn = join(folder.path, "go-on");
  const result = await run(
    `printf 'caf\\303'; sleep 0.2; printf '\\251'; until [ -e ${goOn} ]; do sleep 0.02; done; echo end`,
    {
      onOutput(text) {
        seen.push(text);
        if (seen.join("") === "café") folder.write("go-on", "");
      },
    },
  );
  expect(result.stdout).toBe("caféend\n");
  expect(seen.join("")).toBe("caféend\n");
});

test("a command over its time limit is ended with its children, and what it printed is kept", async () => {
  const result = await run("echo $$; sleep 300 & sleep 300", { timeoutMs: 300 });
  expect(result).toMatchObject({ timedOut: true, cancelled: false, signal: "SIGTERM" });
  expect(await groupIsGone(groupOf(result))).toBe(true);
});

test("a cancelled command may clean up", async () => {
  const result = await runAndCancel(
    "trap 'echo cleaned; exit 0' TERM; echo $$; sleep 300 & wait; true",
  );
  expect(result).toMatchObject({ cancelled: true, timedOut: false, exitCode: 0 });
  expect(result.stdout).toEndWith("cleaned\n");
  expect(await groupIsGone(groupOf(result))).toBe(true);
});

test("a command that ignores the polite signal is killed", async () => {
  const result = await runAndCancel("trap '' TERM; echo $$; while :; do sleep 300; done");
  expect(result).toMatchObject({ cancelled: true, exitCode: null, signal: "SIGKILL" });
  expect(await groupIsGone(groupOf(result))).toBe(true);
});

test("a command that is cancelled before it starts never runs", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "ran");
  const result = await run(`touch ${file}`, {}, AbortSignal.abort());
  expect(result.cancelled).toBe(true);
  expect(existsSync(file)).toBe(false);
});

test("what a command leaves running does not delay its result, and is killed", async () => {
  const open = await run("sleep 300 & echo $$");
  expect(open).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\n$/) });
  expect(await groupIsGone(groupOf(open))).toBe(true);
  const quiet = await run("sleep 300 > /dev/null 2>&1 & echo $$");
  expect(quiet.exitCode).toBe(0);
  expect(await groupIsGone(groupOf(quiet))).toBe(true);
});

test.if(process.platform === "linux")(
  "output that somebody outside the group holds open is given up",
  async () => {
    const result = await run("setsid sleep 300 & echo $!");
    expect(result).toMatchObject({ exitCode: 0, timedOut: false });
    process.kill(groupOf(result), "SIGKILL");
  },
);

test("a flood of output is read to its end in bounded memory", async () => {
  const live: string[] = [];
  const result = await run("echo first; yes | head -c 20000000; echo last", {
    onOutput: (text) => live.push(text),
  });
  expect(result).toMatchObject({ exitCode: 0, outputLength: 20_000_011 });
  expect(result.stdout).toStartWith("first\ny\n");
  expect(result.stdout).toEndWith("y\nlast\n");
  expect(result.stdout.length).toBeLessThan(80_001);
  expect(live.join("").length).toBeLessThan(300_000);
});

test("who keeps the output gets all of it, and the command waits for him", async () => {
  const kept = { stdout: 0, stderr: "" };
  let writing = 0;
  const result = await run("yes | head -c 3000000; echo err >&2", {
    async keep(from, text) {
      if (from === "stderr") kept.stderr += text;
      else kept.stdout += text.length;
      writing += 1;
      expect(writing).toBeLessThanOrEqual(2);
      await Bun.sleep(0);
      writing -= 1;
    },
  });
  expect(result.outputLength).toBe(3_000_004);
  expect(kept).toEqual({ stdout: 3_000_000, stderr: "err\n" });
});

test("output that is no text is named, not shown", async () => {
  const live: string[] = [];
  const result = await run("head -c 100000 /dev/zero; echo text >&2; sleep 0.2", {
    onOutput: (text) => live.push(text),
  });
  expect(result).toMatchObject({
    binary: true,
    stdout: "[binary output not displayed]",
    stderr: "text\n",
  });
  expect(live).toEqual(["text\n"]);
});

test("a command that does not exist is an error, and no descriptor is left open after any command", async () => {
  const openFiles = () =>
    readdirSync(process.platform === "linux" ? "/proc/self/fd" : "/dev/fd").length;
  await run("true");
  const before = openFiles();
  for (let n = 0; n < 5; n += 1) {
    await run("echo out; echo err >&2; sleep 300 &");
    await expect(run("true", { command: ["/no/such/shell"] })).rejects.toThrow("ENOENT");
  }
  expect(openFiles()).toBeLessThanOrEqual(before + 2);
});
