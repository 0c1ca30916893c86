/** Changing a JSON file that others change too. */
import { expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { changeJsonFile, withValueAt } from "../../src/lib/json-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const never = new AbortController().signal;
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

test("four processes that write at once lose nothing", async () => {
  using folder = temporaryFolder();
  const path = folder.write("config.json", { other: { deep: [1] } });
  const script = folder.write(
    "writer.ts",
    `import { changeJsonFile } from ${JSON.stringify(join(import.meta.dir, "../../src/lib/json-file.ts"))};
     const [path, name] = process.argv.slice(2);
     for (let nth = 0; nth < 8; nth++)
       await changeJsonFile(path, (content) => ({ ...content, [name + nth]: nth }), AbortSignal.timeout(20_000));`,
  );
  const writers = ["a", "b", "c", "d"].map((name) =>
    Bun.spawn({
      cmd: [process.execPath, script, path, name],
      env: {},
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  expect(await Promise.all(writers.map(({ exited }) => exited))).toEqual([0, 0, 0, 0]);
  const written = json(path);
  expect(written.other).toEqual({ deep: [1] });
  expect(Object.keys(written)).toHaveLength(33);
  expect(readdirSync(folder.path).sort()).toEqual(["config.json", "writer.ts"]);
});

test("what is written is indented, keeps its mode and every other key, and is not escaped", async () => {
  using folder = temporaryFolder();
  const path = folder.write("config.json", { a: { keep: "ü", x: 1 }, b: 2 });
  chmodSync(path, 0o640);
  await changeJsonFile(path, (content) => withValueAt(content, ["a", "x"], "ß"), never);
  expect(readFileSync(path, "utf8")).toBe(
    '{\n  "a": {\n    "keep": "ü",\n    "x": "ß"\n  },\n  "b": 2\n}\n',
  );
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test("a new file and its folder are for their owner only", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "new/config.json");
  await changeJsonFile(path, () => ({ a: 1 }), never);
  expect(json(path)).toEqual({ a: 1 });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder.path, "new")).mode & 0o777).toBe(0o700);
});

test("a broken file is refused with the place, and stays as it is", async () => {
  using folder = temporaryFolder();
  for (const [text, problem] of [
    ['{\n  "a": 1,\n}', /line 3 column 1/],
    ["[]", /expected an object/],
  ] as const) {
    const path = folder.write("config.json", text);
    await expect(changeJsonFile(path, () => ({}), never)).rejects.toThrow(problem);
    expect(readFileSync(path, "utf8")).toBe(text);
  }
  expect(readdirSync(folder.path)).toEqual(["config.json"]);
});

test("a link stays a link", async () => {
  using folder = temporaryFolder();
  const target = folder.write("real/config.json", {});
  const link = join(folder.path, "config.json");
  symlinkSync(target, link);
  await changeJsonFile(link, () => ({ a: 1 }), never);
  expect(json(target)).toEqual({ a: 1 });
  expect(statSync(link).ino).toBe(statSync(target).ino);
});

test("the lock of a process that is gone is taken over", async () => {
  using folder = temporaryFolder();
  const path = folder.write("config.json", {});
  const gone = Bun.spawn({ cmd: ["/bin/true"], env: {} });
  await gone.exited;
  folder.write("config.json.lock", { pid: gone.pid, started_at: "1" });
  // Of a process that was killed while it took over.
  folder.write("config.json.lock.takeover", { pid: gone.pid, started_at: "1" });
  await changeJsonFile(path, () => ({ a: 1 }), never);
  expect(json(path)).toEqual({ a: 1 });
  expect(existsSync(`${path}.lock`)).toBe(false);
});

test("waiting for a lock ends with the signal", async () => {
  using folder = temporaryFolder();
  const path = folder.write("config.json", {});
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const { withFileLock } = await import("../../src/lib/file-lock.ts");
  const holder = withFileLock(
    `${path}.lock`,
    async () => {
      reached.resolve();
      await held.promise;
    },
    never,
  );
  await reached.promise;
  const stop = new AbortController();
  const waiting = changeJsonFile(path, () => ({ a: 1 }), stop.signal);
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  held.resolve();
  await holder;
  expect(json(path)).toEqual({});
});
