import { expect, test } from "bun:test";
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createLog, openLogFile } from "../../src/lib/log.ts";
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

test("secrets are masked wherever they stand, also where JSON would escape them", () => {
  const secret = 'k"e\\y-1';
  const { log, lines, parsed } = logTo({ mask: (text) => text.replaceAll(secret, "[masked]") });
  log.error(`with ${secret}`, {
    list: [{ deep: `x${secret}` }],
    error: new Error(`refused ${secret}`, { cause: new Error(secret) }),
  });
  expect(lines.join("")).not.toContain("e\\\\y-1");
  const [line] = parsed();
  expect(line.message).toBe("with [masked]");
  expect(line.list).toEqual([{ deep: "x[masked]" }]);
  expect(line.error.message).toBe("refused [masked]");
  expect(line.error.cause.message).toBe("[masked]");
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
