import { expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createLog, openLogFile, openLogFileLater } from "../../src/lib/log.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

function logTo(options: Partial<Parameters<typeof createLog>[0]> = {}) {
  const lines: string[] = [];
  const log = createLog({ level: "debug", write: (line) => lines.push(line), ...options });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line)) };
}

test("a line is one JSON object with time, level, message and fields", () => {
  const { log, lines, parsed } = logTo();
  log.warn("Disk nearly full", { free_bytes: 12, path: "/a\nb" });
  expect(lines[0]?.endsWith("}\n")).toBe(true);
  expect(lines[0]?.trimEnd()).not.toContain("\n");
  const [{ ts, ...rest }] = parsed();
  expect(new Date(ts).toISOString()).toBe(ts);
  expect(rest).toEqual({
    level: "warning",
    message: "Disk nearly full",
    free_bytes: 12,
    path: "/a\nb",
  });
});

test.each([
  ["debug", ["debug", "info", "warning", "error"]],
  ["info", ["info", "warning", "error"]],
  ["warning", ["warning", "error"]],
  ["error", ["error"]],
] as const)("level %s writes %p", (level, written) => {
  const { log, parsed } = logTo({ level });
  log.debug("m");
  log.info("m");
  log.warn("m");
  log.error("m");
  expect(parsed().map((line) => line.level)).toEqual([...written]);
});

test("what looks like a key is masked wherever it stands", () => {
  const secret = "sk-0123456789";
  const { log, lines, parsed } = logTo();
  log.error(`with ${secret}`, {
    list: [{ deep: `x ${secret}` }],
    error: new Error(`refused ${secret}`, { cause: new Error(secret) }),
  });
  log.info("header", { headers: { authorization: "Bearer 0123456789" } });
  expect(lines.join("")).not.toContain("0123456789");
  const [line] = parsed();
  expect(line.message).toBe("with [redacted]");
  expect(line.list).toEqual([{ deep: "x [redacted]" }]);
  expect(line.error.message).toBe("refused [redacted]");
  expect(line.error.cause.message).toBe("[redacted]");
});

test("fields cannot replace time, level and message", () => {
  const { log, parsed } = logTo();
  log.info("true", { ts: 1, level: "x", message: "false" });
  const [line] = parsed();
  expect([line.level, line.message, typeof line.ts]).toEqual(["info", "true", "string"]);
});

test("what cannot be written never throws and keeps the message", () => {
  const { log, parsed } = logTo();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  log.info("cycle", cycle);
  log.info("getter", {
    get broken() {
      throw new Error("no");
    },
  });
  log.info("big", { number: 2n ** 70n });
  expect(parsed().map(({ ts: _ts, ...rest }) => rest)).toEqual([
    { level: "info", message: "cycle", fields: "cannot be written" },
    { level: "info", message: "getter", fields: "cannot be written" },
    { level: "info", message: "big", number: "1180591620717411303424" },
  ]);
});

test("long fields and long lines are cut", () => {
  const { log, lines, parsed } = logTo();
  log.info("long field", { text: "x".repeat(100_000) });
  log.info("long line", { list: Array.from({ length: 50_000 }, () => "word") });
  expect(lines.every((line) => line.length < 70_000)).toBe(true);
  expect(parsed()[0].text).toEndWith("x…");
  expect(parsed()[1].message).toBe("long line");
  expect(parsed()[1].fields).toEndWith("characters left out");
});

test("a log file is made with its folders, private and appended to", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "deep", "logs", "engine.log");
  for (const line of ["one\n", "two\n"]) {
    const file = openLogFile(path);
    file.write(line);
    file.close();
    file.write("after close\n");
  }
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
});

test("a log file that others could read becomes private", () => {
  using folder = temporaryFolder();
  const path = folder.write("engine.log", "old\n");
  chmodSync(path, 0o644);
  openLogFile(path).close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a full log file is set aside once, so two of its size are the most there is", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.log");
  const file = openLogFile(path, 10);
  for (const line of ["aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n"]) file.write(line);
  file.close();
  expect(readFileSync(`${path}.1`, "utf8")).toBe("cccc\ndddd\n");
  expect(readFileSync(path, "utf8")).toBe("eeee\n");
});

test("a log whose folder went away goes on without a word", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "logs", "engine.log");
  const file = openLogFile(path, 10);
  file.write("aaaa\n");
  renameSync(dirname(path), join(folder.path, "elsewhere"));
  writeFileSync(dirname(path), "a file now");
  file.write("bbbb-bbbb-bbbb\n");
  file.close();
  expect(readFileSync(join(folder.path, "elsewhere", "engine.log"), "utf8")).toBe("aaaa\n");
});

const later = (path: string, onFailure: (error: unknown) => void = () => {}) =>
  openLogFileLater(() => openLogFile(path), onFailure);

test("a log that nothing was written to leaves no file", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.log");
  const file = later(path);
  file.close();
  file.write("after close\n");
  expect(existsSync(path)).toBe(false);
});

test("a log is opened a moment after its first line, with all that was written until then", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.log");
  const opened = Promise.withResolvers<void>();
  const file = openLogFileLater(
    () => {
      opened.resolve();
      return openLogFile(path);
    },
    () => {},
  );
  file.write("one\n");
  file.write("two\n");
  expect(existsSync(path)).toBe(false);
  // The log waits without keeping a process alive.
  const alive = setInterval(() => {}, 1_000);
  await opened.promise;
  clearInterval(alive);
  file.write("three\n");
  file.close();
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\nthree\n");
});

test("many lines at once are not kept waiting, and those before the end are not lost", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "engine.log");
  const file = later(path);
  for (let line = 1; line <= 1_000; line++) file.write(`${line}\n`);
  expect(readFileSync(path, "utf8")).toEndWith("\n999\n1000\n");
  const short = later(`${path}.short`);
  short.write("one\n");
  short.close();
  expect(readFileSync(`${path}.short`, "utf8")).toBe("one\n");
});

test("a log that cannot be opened says so once and takes no more", () => {
  using folder = temporaryFolder();
  const path = join(folder.write("file", ""), "engine.log");
  const failures: unknown[] = [];
  const file = later(path, (error) => failures.push(error));
  for (let line = 1; line <= 3_000; line++) file.write("line\n");
  file.close();
  expect(failures).toEqual([expect.any(Error)]);
});
