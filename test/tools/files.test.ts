import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Tool, ToolResult } from "../../src/domain/tool.ts";
import { fileTools } from "../../src/tools/files.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

const SECRET = "the-secret";

let fixture: ToolFixture;
let tools: Tool[];

beforeEach(() => {
  fixture = toolFixture();
  const { home } = fixture;
  tools = fileTools(areaOf({ home }));
});
afterEach(() => fixture[Symbol.dispose]());

const inWorkspace = (path: string) => join(fixture.workspace, path);
const write = (path: string, text: string) => fixture.write(join("ws", path), text);
const text = (path: string) => readFileSync(inWorkspace(path), "utf8");
const read = (file: string, more = {}) => fixture.run(tools, "file_read", { file, ...more });
const create = (file: string, content: string) =>
  fixture.run(tools, "file_create", { file, content });
const edit = (file: string, find: string, replace: string) =>
  fixture.run(tools, "file_edit", { file, find, replace });

describe("file_read", () => {
  test("shows the whole file under a header with its size, path and range", async () => {
    write("a.txt", "one\ntwo\n");
    const path = inWorkspace("a.txt");
    expect(await read("a.txt")).toEqual({
      ok: true,
      output: `✓ Read 3 lines from ${path} (lines 1-3 of 3):\n\none\ntwo\n`,
      metadata: { file_path: path },
    });
  });

  test("takes offset and limit, also as strings", async () => {
    write("a.txt", "one\ntwo\nthree\nfour");
    const path = inWorkspace("a.txt");
    const result = await read("a.txt", { offset: "1", limit: 2 });
    expect(result.output).toBe(`✓ Read 2 lines from ${path} (lines 2-3 of 4):\n\ntwo\nthree`);
    expect((await read("a.txt", { offset: 3, limit: 9 })).output).toEndWith("4-4 of 4):\n\nfour");
  });

  test("refuses an offset past the end and numbers that make no sense", async () => {
    write("a.txt", "one\ntwo");
    const path = inWorkspace("a.txt");
    expect((await read("a.txt", { offset: 2 })).error).toBe(
      `Offset 2 is past the end: ${path} has 2 lines`,
    );
    expect((await read("a.txt", { offset: -1 })).error).toBe(
      "Parameter 'offset' must not be negative",
    );
    expect((await read("a.txt", { limit: 0 })).error).toBe("Parameter 'limit' must be at least 1");
    expect((await read("a.txt", { limit: "x" })).error).toBe(
      "Parameter 'limit' must be of type integer",
    );
  });

  test("cuts a file of many lines and says where to go on", async () => {
    write("a.txt", Array.from({ length: 5_000 }, (_, n) => `${n}`).join("\n"));
    const first = (await read("a.txt")).output;
    expect(first).toStartWith("✓ Read 2000 lines");
    expect(first).toEndWith("\n1999\n\n[… continue with offset 2000 …]");
    const last = (await read("a.txt", { offset: 4_000 })).output;
    expect(last).toContain("(lines 4001-5000 of 5000):\n\n4000\n");
    expect(last).toEndWith("\n4999");
  });

  test("cuts a file of long lines after a whole line, and a line that is too long within it", async () => {
    write("long.txt", `${"x".repeat(50_000)}\n${"y".repeat(50_000)}`);
    expect((await read("long.txt")).output).toEndWith("x\n\n[… continue with offset 1 …]");
    write("longer.txt", `${"z".repeat(90_000)}\nend`);
    const { output } = await read("longer.txt");
    expect(output).toEndWith(
      "z\n\n[… line 1 is cut after 80000 characters; continue with offset 1 …]",
    );
    expect((await read("longer.txt", { offset: 1 })).output).toEndWith("\n\nend");
  });

  test("says what is missing, a directory, binary or not UTF-8", async () => {
    mkdirSync(inWorkspace("d"));
    writeFileSync(inWorkspace("bin"), new Uint8Array([0, 1, 2]));
    writeFileSync(inWorkspace("latin1"), Buffer.from("Y2Fm6QpuZXh0LWxpbmUK", "base64"));
    const errors = await Promise.all(["none", "d", "bin", "latin1"].map((file) => read(file)));
    expect(errors.map(({ error }) => error)).toEqual([
      `File not found: ${inWorkspace("none")}`,
      `Is a directory: ${inWorkspace("d")}; file_list shows what is in it`,
      `Cannot read binary file: ${inWorkspace("bin")} (not UTF-8 text)`,
      `Cannot read binary file: ${inWorkspace("latin1")} (not UTF-8 text)`,
    ]);
  });

  test("does not load a file that is too large", async () => {
    const descriptor = openSync(inWorkspace("big"), "w");
    ftruncateSync(descriptor, 5_000_000_000);
    closeSync(descriptor);
    expect((await read("big")).error).toBe(
      `File too large: ${inWorkspace("big")} has 5000000000 bytes, the limit is 10485760`,
    );
  });
});

describe("file_create", () => {
  test("writes a new file with its directories, readable for others, and nothing beside it", async () => {
    const path = inWorkspace("a/b/c.txt");
    expect(await create("a/b/c.txt", "grüße")).toEqual({
      ok: true,
      output: `✓ Created ${path} (7 bytes)`,
      metadata: { file_path: path },
    });
    expect(text("a/b/c.txt")).toBe("grüße");
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(statSync(path).nlink).toBe(1);
    expect(readdirSync(inWorkspace("a/b"))).toEqual(["c.txt"]);
  });

  test("leaves what exists alone, whatever it is", async () => {
    write("a.txt", "old");
    mkdirSync(inWorkspace("d"));
    expect((await create("a.txt", "new")).error).toBe(
      `File already exists: ${inWorkspace("a.txt")}`,
    );
    expect((await create("d", "new")).error).toBe(`File already exists: ${inWorkspace("d")}`);
    expect((await create("a.txt/b", "new")).error).toBe("A part of the path is not a directory");
    expect(text("a.txt")).toBe("old");
    expect(readdirSync(fixture.workspace).sort()).toEqual(["a.txt", "d"]);
  });

  test("of several calls for one file exactly one wins", async () => {
    const results = await Promise.all(
      ["1", "2", "3", "4"].map((content) => create("a.txt", content)),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(readdirSync(fixture.workspace)).toEqual(["a.txt"]);
  });

  test("refuses content that is too large", async () => {
    const result = await create("a.txt", "x".repeat(5 * 1024 * 1024 + 1));
    expect(result.error).toBe("Content too large: 5242881 bytes, the limit is 5242880");
    expect(existsSync(inWorkspace("a.txt"))).toBe(false);
  });
});

describe("file_edit", () => {
  test("replaces every occurrence, keeps the mode, and names the backup it made", async () => {
    write("run.sh", "a b\nb a\nc\na");
    const path = inWorkspace("run.sh");
    chmodSync(path, 0o750);
    expect(await edit("run.sh", "a", "$&")).toEqual({
      ok: true,
      output: `✓ Replaced 3 occurrences in ${path} (lines 1, 2, 4)\nBackup: ${path}.bak`,
      metadata: {
        file_path: path,
        diff_info: { find: "a", replace: "$&", count: 3, lines: [1, 2, 4] },
        diff: [
          "diff --git a/run.sh b/run.sh",
          "--- a/run.sh",
          "+++ b/run.sh",
          "@@ -1,4 +1,4 @@",
          "-a b",
          "-b a",
          "+$& b",
          "+b $&",
          " c",
          "-a",
          "\\ No newline at end of file",
          "+$&",
          "\\ No newline at end of file",
          "",
        ].join("\n"),
      },
    });
    expect(text("run.sh")).toBe("$& b\nb $&\nc\n$&");
    expect(text("run.sh.bak")).toBe("a b\nb a\nc\na");
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(statSync(`${path}.bak`).mode & 0o777).toBe(0o750);
    expect(readdirSync(fixture.workspace).sort()).toEqual(["run.sh", "run.sh.bak"]);
  });

  test("names the first lines of many, and replaces the backup of an earlier edit", async () => {
    write("a.txt", "x\n".repeat(9));
    expect((await edit("a.txt", "x", "y")).output).toContain("9 occurrences in");
    const result = await edit("a.txt", "y", "z");
    expect(result.output).toContain("(lines 1, 2, 3, 4, 5, …)");
    expect(text("a.txt.bak")).toBe("y\n".repeat(9));
  });

  test("edits files whose names are protected against deletion only", async () => {
    write("main.py", "a = 1\n");
    expect((await edit("main.py", "1", "2")).ok).toBe(true);
    expect(text("main.py")).toBe("a = 2\n");
  });

  test("keeps a byte order mark and other line ends", async () => {
    write("a.txt", "\ufeffone\r\ntwo\r\n");
    expect((await edit("a.txt", "two", "2")).ok).toBe(true);
    expect(text("a.txt")).toBe("\ufeffone\r\n2\r\n");
  });

  test("changes nothing where there is nothing to find, and refuses to change nothing", async () => {
    write("a.ts", "function a() {\n    return 1;\n}\n");
    expect((await edit("a.ts", "", "x")).error).toBe("Parameter 'find' must not be empty");
    expect((await edit("a.ts", "a", "a")).error).toBe(
      "find and replace are the same text: nothing would change",
    );
    expect((await edit("none.ts", "a", "x")).error).toBe(
      `File not found: ${inWorkspace("none.ts")}`,
    );
    expect(readdirSync(fixture.workspace)).toEqual(["a.ts"]);
  });

  test("with replace_all:false refuses several places, and lists them", async () => {
    write("a.ts", `${"x = 1;\n".repeat(12)}y = 1;\n`);
    const once = (find: string) =>
      fixture.run(tools, "file_edit", { file: "a.ts", find, replace: "z", replace_all: "false" });
    const refused = await once("= 1");
    expect(refused.error).toBe(
      `Pattern found 13 times in ${inWorkspace("a.ts")}, and replace_all is false: add surrounding lines to find`,
    );
    expect(refused.output).toStartWith("It begins in these lines:\n1\tx = 1;\n2\tx = 1;\n");
    expect(refused.output).toEndWith("\n10\tx = 1;\n… and 3 more");
    expect((await once("y = 1")).ok).toBe(true);
    expect(text("a.ts")).toEndWith("x = 1;\nz;\n");
  });

  test("matches and writes with the line ends of a file that has CRLF", async () => {
    write("a.txt", "one\r\ntwo\r\nthree\r\n");
    expect((await edit("a.txt", "one\ntwo\n", "1\n2\n")).ok).toBe(true);
    expect((await edit("a.txt", "three", "3\n4")).ok).toBe(true);
    expect(text("a.txt")).toBe("1\r\n2\r\n3\r\n4\r\n");
    write("mixed.txt", "one\r\ntwo\nthree\n");
    expect((await edit("mixed.txt", "one\ntwo", "x")).error).toEndWith(
      "closest is lines 1-2, which differs only in line ends (CRLF or LF)",
    );
    expect((await edit("mixed.txt", "two\nthree", "2\n3")).ok).toBe(true);
    expect(text("mixed.txt")).toBe("one\r\n2\n3\n");
  });

  test("refuses to replace more than can be replaced at once", async () => {
    write("a.txt", "x".repeat(500_001));
    expect((await edit("a.txt", "x", "")).error).toContain("at most 500000 are replaced at once");
  });

  test("refuses to let a file grow without bounds", async () => {
    write("a.txt", "x".repeat(1_000));
    const result = await edit("a.txt", "x", "y".repeat(100_000));
    expect(result.error).toBe(
      `Nothing changed: ${inWorkspace("a.txt")} would have more than 10485760 bytes`,
    );
    expect(text("a.txt")).toBe("x".repeat(1_000));
  });

  test("changes nothing where no backup can be written", async () => {
    write("a.txt", "x");
    mkdirSync(inWorkspace("a.txt.bak"));
    expect((await edit("a.txt", "x", "y")).error).toBe(
      `Nothing changed: the backup ${inWorkspace("a.txt.bak")} cannot be written`,
    );
    expect(text("a.txt")).toBe("x");
    expect(readdirSync(fixture.workspace).sort()).toEqual(["a.txt", "a.txt.bak"]);
  });

  test("does not follow a link in the place of the backup", async () => {
    write("a.txt", "x");
    fixture.write("out/keep", "keep");
    symlinkSync(join(fixture.outside, "keep"), inWorkspace("a.txt.bak"));
    expect((await edit("a.txt", "x", "y")).ok).toBe(true);
    expect(readFileSync(join(fixture.outside, "keep"), "utf8")).toBe("keep");
    expect(text("a.txt.bak")).toBe("x");
  });
});

describe("out of the workspace", () => {
  const refused = (result: ToolResult) => {
    expect(result.ok).toBe(false);
    expect(result.error).not.toBe("");
    expect(JSON.stringify(result)).not.toContain(SECRET);
  };

  beforeEach(() => {
    fixture.write("out/s", SECRET);
    fixture.write("home/.ssh/id", SECRET);
    fixture.write("home/.kollab/engine.token", SECRET);
  });

  test("nothing is read by .. or an absolute path", async () => {
    mkdirSync(inWorkspace("sub"));
    const { workspace, outside, home } = fixture;
    for (const file of [
      "../out/s",
      "sub/../../out/s",
      `${workspace}/../out/s`,
      "./././../out/s",
      "sub/../../home/.ssh/id",
      `${outside}/s`,
      `${workspace}x/../../home/.ssh/id`,
      `${home}/.kollab/engine.token`,
      "~/.ssh/id",
      "~/.kollab/engine.token",
      "/proc/self/environ",
      `/proc/self/root${outside}/s`,
      "/dev/stdin",
      "/dev/zero",
      "",
      "../out/s\0.txt",
      "\n../out/s",
      "x".repeat(300),
    ])
      refused(await read(file));
  });

  test("a name with two dots in it is an ordinary name", async () => {
    write("a..b.txt", "fine");
    write("...", "fine");
    expect((await read("a..b.txt")).ok).toBe(true);
    expect((await read("...")).ok).toBe(true);
  });

  test("a path longer than 255 characters is an ordinary path", async () => {
    const deep = `${"d".repeat(100)}/`.repeat(6);
    expect((await create(`${deep}f.txt`, "deep")).ok).toBe(true);
    expect((await read(`${deep}f.txt`)).output).toEndWith("deep");
  });

  test("links are followed inside and refused where they leave", async () => {
    write("real/f", "inside");
    symlinkSync("real", inWorkspace("l"));
    symlinkSync(join(fixture.outside, "s"), inWorkspace("a"));
    symlinkSync("../out/s", inWorkspace("b"));
    symlinkSync("a", inWorkspace("c"));
    symlinkSync(fixture.outside, inWorkspace("d"));
    symlinkSync("loop", inWorkspace("loop"));
    expect(await read("l/f")).toMatchObject({
      ok: true,
      metadata: { file_path: inWorkspace("real/f") },
    });
    expect((await read(inWorkspace("l/f"))).output).toEndWith("inside");
    for (const file of ["a", "b", "c", "d/s", "loop"]) refused(await read(file));
    for (const file of ["a", "b", "c", "d/s"]) refused(await edit(file, SECRET, "x"));
    for (const file of ["a", "d/new", "d/sub/new"]) refused(await create(file, "x"));
    expect(readdirSync(fixture.outside)).toEqual(["s"]);
    expect(readFileSync(join(fixture.outside, "s"), "utf8")).toBe(SECRET);
  });

  test("nothing is created through a link to nothing", async () => {
    symlinkSync(join(fixture.outside, "created"), inWorkspace("x"));
    symlinkSync("../out/dir", inWorkspace("y"));
    for (const file of ["x", "y", "y/z", "y/z/w"]) refused(await create(file, "pwned"));
    expect(readdirSync(fixture.outside)).toEqual(["s"]);
  });

  test("a hard link to a file outside is replaced, not written through", async () => {
    linkSync(join(fixture.outside, "s"), inWorkspace("h"));
    expect((await edit("h", SECRET, "changed")).ok).toBe(true);
    expect(text("h")).toBe("changed");
    expect(readFileSync(join(fixture.outside, "s"), "utf8")).toBe(SECRET);
    linkSync(join(fixture.outside, "s"), inWorkspace("h2"));
    refused(await create("h2", "pwned"));
    expect(readFileSync(join(fixture.outside, "s"), "utf8")).toBe(SECRET);
  });

  test("a directory that is swapped for a link all the time leads nowhere", async () => {
    write("d/s", "inside");
    const swapping = Bun.spawn({
      cmd: [
        process.execPath,
        join(import.meta.dir, "../support/swap-directory.ts"),
        fixture.outside,
      ],
      cwd: fixture.workspace,
      env: {},
      stdio: ["ignore", "pipe", "inherit"],
    });
    await swapping.stdout.getReader().read();
    try {
      for (let n = 0; n < 300; n += 1) {
        expect((await read("d/s")).output).not.toContain(SECRET);
        await create(`d/new-${n}`, "pwned");
        await edit("d/s", "s", "s");
      }
    } finally {
      swapping.kill("SIGKILL");
      await swapping.exited;
    }
    expect(readdirSync(fixture.outside)).toEqual(["s"]);
    expect(readFileSync(join(fixture.outside, "s"), "utf8")).toBe(SECRET);
  });

  test("FIFOs and sockets are refused without waiting for the other end", async () => {
    Bun.spawnSync(["mkfifo", inWorkspace("p")]);
    using socket = Bun.listen({ unix: inWorkspace("s.sock"), socket: { data() {} } });
    expect(socket.unix).toBe(inWorkspace("s.sock"));
    for (const file of ["p", "s.sock"]) {
      expect((await read(file)).error).toBe(`Not a regular file: ${inWorkspace(file)}`);
      refused(await edit(file, "a", "b"));
      refused(await create(file, "pwned"));
    }
  });

  test("links to devices are refused", async () => {
    symlinkSync("/dev/zero", inWorkspace("z"));
    symlinkSync("/dev/tty", inWorkspace("t"));
    for (const file of ["z", "t"]) refused(await read(file));
  });

  test(".git is read but never written, under any spelling, also in submodules", async () => {
    write(".git/config", "[core]");
    write("sub/.git", "gitdir: ../.git/modules/sub");
    symlinkSync(".git", inWorkspace("g"));
    expect((await read(".git/config")).ok).toBe(true);
    for (const file of [
      ".git/hooks/pre-commit",
      ".GIT/hooks/x",
      "sub/.git/hooks/x",
      "g/hooks/x",
      "new/.git",
    ])
      refused(await create(file, "#!/bin/sh"));
    for (const file of [".git/config", "g/config", "sub/.git"])
      refused(await edit(file, "core", "x"));
    expect(readdirSync(inWorkspace(".git"))).toEqual(["config"]);
    expect((await create(".gitignore", "dist\n")).ok).toBe(true);
  });

  test("what .kollab says is read but never written, at any depth, under any spelling", async () => {
    write(".kollab/config.json", "{}");
    symlinkSync(".kollab", inWorkspace("k"));
    expect((await read(".kollab/config.json")).ok).toBe(true);
    for (const file of [".kollab/x", ".KOLLAB/x", "sub/.Kollab/config.json", "k/x", "new/.kollab"])
      refused(await create(file, "{}"));
    for (const file of [".kollab/config.json", "k/config.json"])
      refused(await edit(file, "{}", "x"));
    expect(readdirSync(inWorkspace(".kollab"))).toEqual(["config.json"]);
    expect((await create("sub/.kollabignore", "x")).ok).toBe(true);
  });

  test("~/.kollab stays closed in a workspace that contains it", async () => {
    const wide = fileTools(areaOf({ home: fixture.workspace }));
    const at = (name: string, input: Record<string, unknown>) => fixture.run(wide, name, input);
    refused(await at("file_create", { file: ".kollab/agents/x", content: "new" }));
    expect(existsSync(inWorkspace(".kollab"))).toBe(false);
    write(".kollab/engine.token", SECRET);
    symlinkSync(".kollab", inWorkspace("k"));
    for (const file of [
      ".kollab/engine.token",
      "~/.kollab/engine.token",
      "k/engine.token",
      ".KOLLAB/x",
    ])
      refused(await at("file_read", { file }));
    refused(await at("file_edit", { file: "k/engine.token", find: SECRET, replace: "" }));
    write("notes", "home");
    expect((await at("file_read", { file: "~/notes" })).ok).toBe(true);
  });
});

test("a call that was cancelled before it began does nothing", async () => {
  const input = { file: "a.txt", content: "x" };
  expect(await fixture.run(tools, "file_create", input, AbortSignal.abort())).toEqual({
    ok: false,
    output: "",
    error: "Cancelled by user",
    metadata: { cancelled: true },
  });
  expect(existsSync(inWorkspace("a.txt"))).toBe(false);
});
