import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Tool, ToolContext, ToolResult } from "../../src/domain/tool.ts";
import { fileTools } from "../../src/tools/files.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";

let fixture: ToolFixture;
let tools: Tool[];

beforeEach(() => {
  fixture = toolFixture();
  tools = fileTools(areaOf({ home: fixture.home, closed: [join(fixture.path, "closed")] }));
});
afterEach(() => fixture[Symbol.dispose]());

const at = (path: string) => join(fixture.workspace, path);
const put = (path: string, content: string) => fixture.write(join("ws", path), content);
const textAt = (path: string) => readFileSync(at(path), "utf8");
const names = (path = ".") => readdirSync(at(path)).sort();
const run = (name: string, input: Record<string, unknown>) => fixture.run(tools, name, input);
const call = (name: string, input: Record<string, unknown>, more: Partial<ToolContext>) =>
  toolNamed(name).run(input, fixture.context(more));

function toolNamed(name: string): Tool {
  const tool = tools.find((each) => each.name === name);
  if (!tool) throw new Error(`No tool ${name}`);
  return tool;
}

test("the tools have the names, parameters and risks that prompts and rules rely on", () => {
  const described = tools.map(({ name, type, risk, parameters }) => {
    const required = new Set(parameters.required as string[]);
    const names = Object.keys(parameters.properties as object);
    expect(type).toBe(name);
    return [name, risk, names.map((each) => (required.has(each) ? `${each}*` : each)).join(" ")];
  });
  expect(described.sort()).toEqual([
    ["apply_patch", "medium", "patch*"],
    ["file_append", "low", "file* content*"],
    ["file_copy", "low", "from* to*"],
    ["file_copy_overwrite", "medium", "from* to*"],
    ["file_create", "medium", "file* content*"],
    ["file_create_overwrite", "medium", "file* content*"],
    ["file_delete", "high", "file*"],
    ["file_edit", "medium", "file* find* replace* replace_all"],
    ["file_insert_after", "medium", "file* pattern* content*"],
    ["file_insert_before", "medium", "file* pattern* content*"],
    ["file_mkdir", "low", "path*"],
    ["file_move", "medium", "from* to*"],
    ["file_read", "low", "file* offset limit"],
    ["file_rmdir", "medium", "path*"],
  ]);
});

test("each tool says which paths it is about, as they were written", () => {
  const paths = (name: string, input: Record<string, unknown>) =>
    toolNamed(name).subject(input).paths;
  expect(paths("file_read", { file: "./a" })).toEqual(["./a"]);
  expect(paths("file_edit", { file: "~/a", find: "x", replace: "y" })).toEqual(["~/a"]);
  expect(paths("file_move", { from: "a", to: "b" })).toEqual(["a", "b"]);
  expect(paths("file_mkdir", { path: "d" })).toEqual(["d"]);
});

describe("file_create_overwrite", () => {
  test("backs up what is there, keeps its mode, and shows what changed", async () => {
    put("f", "old\n");
    chmodSync(at("f"), 0o751);
    const result = await run("file_create_overwrite", { file: "f", content: "new\n" });
    expect(result.output).toBe(`✓ Overwrote ${at("f")} (4 bytes)\nBackup: ${at("f")}.bak`);
    expect(result.metadata?.diff).toContain("-old\n+new\n");
    expect([textAt("f"), textAt("f.bak"), statSync(at("f")).mode & 0o777]).toEqual([
      "new\n",
      "old\n",
      0o751,
    ]);
  });

  test("makes what is not there, with its directories", async () => {
    const result = await run("file_create_overwrite", { file: "a/f", content: "new" });
    expect(result.output).toBe(`✓ Created ${at("a/f")} (3 bytes)`);
    expect([textAt("a/f"), names("a")]).toEqual(["new", ["f"]]);
  });

  test("refuses directories, FIFOs and content that is too large", async () => {
    mkdirSync(at("d"));
    Bun.spawnSync(["mkfifo", at("p")]);
    const error = async (file: string, content = "x") =>
      (await run("file_create_overwrite", { file, content })).error;
    expect(await error("d")).toBe(`Is a directory: ${at("d")}`);
    expect(await error("p")).toBe(`Not a regular file: ${at("p")}`);
    expect(await error("f", "x".repeat(5 * 1024 * 1024 + 1))).toStartWith("Content too large");
    expect(names()).toEqual(["d", "p"]);
  });
});

describe("file_append", () => {
  test("adds exactly what it is given, and keeps the old file", async () => {
    put("f", "one");
    const result = await run("file_append", { file: "f", content: "two" });
    expect(result.output).toBe(`✓ Appended 3 bytes to ${at("f")}\nBackup: ${at("f")}.bak`);
    expect([textAt("f"), textAt("f.bak")]).toEqual(["onetwo", "one"]);
  });

  test("needs a file and something to add", async () => {
    put("f", "one");
    expect((await run("file_append", { file: "f", content: "" })).error).toBe(
      "Parameter 'content' must not be empty",
    );
    expect((await run("file_append", { file: "none", content: "x" })).error).toBe(
      `File not found: ${at("none")}`,
    );
    expect(names()).toEqual(["f"]);
  });

  test("refuses to let a file grow beyond what can be edited", async () => {
    put("f", "x".repeat(10 * 1024 * 1024));
    expect((await run("file_append", { file: "f", content: "x" })).error).toContain(
      "would have more than",
    );
  });
});

describe("file_insert_after and file_insert_before", () => {
  const insert = (side: string, pattern: string, content: string) =>
    run(`file_insert_${side}`, { file: "f", pattern, content });

  test("put content on lines of its own, around the line that has the pattern", async () => {
    put("f", "one\ntwo\nthree");
    const result = await insert("after", "tw", "2a\n2b");
    expect(result.output).toBe(`✓ Inserted after line 2 of ${at("f")}\nBackup: ${at("f")}.bak`);
    expect(textAt("f")).toBe("one\ntwo\n2a\n2b\nthree");
    await insert("before", "one", "zero\n");
    await insert("after", "three", "four");
    await insert("after", "zero\none\n", "and a half");
    expect(textAt("f")).toBe("zero\none\nand a half\ntwo\n2a\n2b\nthree\nfour");
  });

  test("keep line ends and a byte order mark", async () => {
    put("f", "\ufeffone\r\ntwo\r\n");
    await insert("before", "one", "zero");
    await insert("after", "two", "three\nfour");
    await insert("after", "one\ntwo", "x");
    expect(textAt("f")).toBe("\ufeffzero\r\none\r\ntwo\r\nx\r\nthree\r\nfour\r\n");
  });

  test("take a literal pattern that matches exactly once", async () => {
    put("f", "a.c\nabc\nabc\n");
    expect((await insert("after", "a.c", "x")).ok).toBe(true);
    const several = await insert("before", "abc", "y");
    expect(several.error).toBe(
      `Pattern found 2 times in ${at("f")}, and it must occur once: add surrounding text to pattern`,
    );
    expect(several.output).toEndWith("3\tabc\n4\tabc");
    expect((await insert("after", "ABC", "y")).error).toEndWith(
      "closest is line 3, which differs only in upper and lower case",
    );
    expect((await insert("after", "", "y")).error).toBe("Parameter 'pattern' must not be empty");
    expect(textAt("f")).toBe("a.c\nx\nabc\nabc\n");
  });
});

describe("file_delete", () => {
  test("keeps the file as <file>.deleted, in the place of an older one", async () => {
    put("f", "new");
    put("f.deleted", "older");
    const inode = statSync(at("f")).ino;
    const result = await run("file_delete", { file: "f" });
    expect(result).toEqual({
      ok: true,
      output: `✓ Deleted ${at("f")}\nBackup: ${at("f")}.deleted`,
      metadata: { file_path: at("f") },
    });
    expect([names(), textAt("f.deleted"), statSync(at("f.deleted")).ino]).toEqual([
      ["f.deleted"],
      "new",
      inode,
    ]);
  });

  test("takes a link away, not what it points to", async () => {
    fixture.write("out/keep", "keep");
    symlinkSync(join(fixture.outside, "keep"), at("l"));
    symlinkSync("nowhere", at("dangling"));
    expect((await run("file_delete", { file: "l" })).ok).toBe(true);
    expect((await run("file_delete", { file: "dangling" })).ok).toBe(true);
    expect(names()).toEqual(["dangling.deleted", "l.deleted"]);
    expect(readFileSync(join(fixture.outside, "keep"), "utf8")).toBe("keep");
  });

  test("deletes files of any size", async () => {
    ftruncateSync(openSync(at("big"), "w"), 3_000_000_000);
    expect((await run("file_delete", { file: "big" })).ok).toBe(true);
    expect(statSync(at("big.deleted")).size).toBe(3_000_000_000);
  });

  test("refuses directories, what is missing, and where nothing can be kept", async () => {
    mkdirSync(at("d"));
    put("f", "f");
    mkdirSync(at("f.deleted"));
    const error = async (file: string) => (await run("file_delete", { file })).error;
    expect(await error("d")).toBe(`Is a directory: ${at("d")}; file_rmdir removes an empty one`);
    expect(await error("none")).toBe(`File not found: ${at("none")}`);
    expect(await error(".")).toBe("This is the workspace itself: .");
    expect(await error("f")).toBe(
      `Nothing changed: the backup ${at("f.deleted")} cannot be written`,
    );
    expect(names()).toEqual(["d", "f", "f.deleted"]);
  });
});

describe("file_move", () => {
  const move = (from: string, to: string) => run("file_move", { from, to });

  test("moves the file itself, and makes the directories of the new path", async () => {
    put("f", "text");
    chmodSync(at("f"), 0o750);
    const inode = statSync(at("f")).ino;
    expect(await move("f", "a/b/g")).toEqual({
      ok: true,
      output: `✓ Moved ${at("f")} to ${at("a/b/g")}`,
      metadata: { file_path: at("f"), to_path: at("a/b/g") },
    });
    expect([names(), names("a/b"), textAt("a/b/g")]).toEqual([["a"], ["g"], "text"]);
    expect([statSync(at("a/b/g")).ino, statSync(at("a/b/g")).mode & 0o777]).toEqual([inode, 0o750]);
  });

  test("moves a link as the link that it is", async () => {
    symlinkSync("../out/s", at("l"));
    expect((await move("l", "m")).ok).toBe(true);
    expect([names(), readlinkSync(at("m"))]).toEqual([["m"], "../out/s"]);
  });

  test("refuses what exists, what does not, and directories", async () => {
    put("f", "f");
    put("g", "g");
    mkdirSync(at("d"));
    symlinkSync("nowhere", at("dangling"));
    expect((await move("f", "g")).error).toBe(`File already exists: ${at("g")}`);
    expect((await move("f", "f")).error).toBe(`File already exists: ${at("f")}`);
    expect((await move("f", "d")).error).toBe(
      `Is a directory: ${at("d")}; give the whole new path, with the file name`,
    );
    expect((await move("f", "dangling")).error).toStartWith("A symbolic link to nothing");
    expect((await move("none", "x")).error).toBe(`File not found: ${at("none")}`);
    expect((await move("d", "x")).error).toBe(
      `Is a directory: ${at("d")}; move its files one by one`,
    );
    expect((await move("f", "g/x")).error).toBe("A part of the path is not a directory");
    expect([names(), textAt("f"), textAt("g")]).toEqual([["d", "dangling", "f", "g"], "f", "g"]);
  });
});

describe("file_copy and file_copy_overwrite", () => {
  test("copies bytes and mode, and makes the directories of the new path", async () => {
    writeFileSync(at("bin"), new Uint8Array([0, 255, 1]));
    chmodSync(at("bin"), 0o755);
    expect(await run("file_copy", { from: "bin", to: "a/copy" })).toEqual({
      ok: true,
      output: `✓ Copied ${at("bin")} to ${at("a/copy")} (3 bytes)`,
      metadata: { file_path: at("bin"), to_path: at("a/copy") },
    });
    expect(readFileSync(at("a/copy"))).toEqual(Buffer.from([0, 255, 1]));
    expect(statSync(at("a/copy")).mode & 0o777).toBe(0o755);
  });

  test("file_copy refuses what exists; file_copy_overwrite backs it up", async () => {
    put("from", "new");
    put("to", "old");
    const input = { from: "from", to: "to" };
    expect((await run("file_copy", input)).error).toBe(`File already exists: ${at("to")}`);
    const result = await run("file_copy_overwrite", input);
    expect(result.output).toBe(
      `✓ Copied ${at("from")} to ${at("to")} (3 bytes)\nBackup: ${at("to")}.bak`,
    );
    expect([textAt("to"), textAt("to.bak")]).toEqual(["new", "old"]);
    expect((await run("file_copy_overwrite", { from: "to", to: "to" })).error).toStartWith(
      "from and to are",
    );
    expect((await run("file_copy_overwrite", { from: "from", to: "x" })).ok).toBe(true);
  });

  test("refuses directories, FIFOs and files that are too large to copy", async () => {
    mkdirSync(at("d"));
    Bun.spawnSync(["mkfifo", at("p")]);
    ftruncateSync(openSync(at("big"), "w"), 20 * 1024 * 1024 + 1);
    const error = async (from: string) => (await run("file_copy", { from, to: "x" })).error;
    expect(await error("d")).toBe(`Is a directory: ${at("d")}`);
    expect(await error("p")).toBe(`Not a regular file: ${at("p")}`);
    expect(await error("big")).toStartWith("File too large");
    expect(names()).toEqual(["big", "d", "p"]);
  });
});

describe("file_mkdir and file_rmdir", () => {
  test("make a directory with those that lead to it, and remove an empty one", async () => {
    expect((await run("file_mkdir", { path: "a/b/c" })).output).toBe(
      `✓ Created directory ${at("a/b/c")}`,
    );
    expect((await run("file_mkdir", { path: "a" })).error).toBe(
      `Directory already exists: ${at("a")}`,
    );
    expect((await run("file_rmdir", { path: "a/b/c" })).output).toBe(
      `✓ Removed directory ${at("a/b/c")}`,
    );
    expect((await run("file_rmdir", { path: "a" })).error).toBe(
      `Directory not empty: ${at("a")} has 1 entry; remove those first`,
    );
    expect(names("a/b")).toEqual([]);
  });

  test("refuse files, links, what is missing and the workspace", async () => {
    put("f", "f");
    mkdirSync(at("d"));
    symlinkSync("d", at("l"));
    const error = async (name: string, path: string) => (await run(name, { path })).error;
    expect(await error("file_mkdir", "f")).toBe(`File already exists: ${at("f")}`);
    expect(await error("file_rmdir", "f")).toBe(`Not a directory: ${at("f")}; use file_delete`);
    expect(await error("file_rmdir", "l")).toBe(`Not a directory: ${at("l")}; use file_delete`);
    expect(await error("file_rmdir", "none")).toBe(`Directory not found: ${at("none")}`);
    expect(await error("file_rmdir", ".")).toBe("This is the workspace itself: .");
    expect(names()).toEqual(["d", "f", "l"]);
  });
});

describe("file_read of more than text", () => {
  const PNG = "89504e470d0a1a0a0000000d494844520000000300000002";
  const JPEG = "ffd8ffe000040000ffc0000b080002000301";
  const GIF = "47494638396103000200";
  const WEBP = "524946460000000057454250565038580a0000000000000002000001000000";
  const IMAGES = [
    ["image/png", PNG],
    ["image/jpeg", JPEG],
    ["image/gif", GIF],
    ["image/webp", WEBP],
  ] as const;

  test.each(IMAGES)("shows %s to models that see, by its first bytes", async (mediaType, hex) => {
    const bytes = Buffer.from(hex, "hex");
    writeFileSync(at("image.txt"), bytes);
    expect(await call("file_read", { file: "image.txt" }, { sees: true })).toEqual({
      ok: true,
      output: `✓ Read image ${at("image.txt")} (${mediaType}, 3×2 pixels, ${bytes.length} bytes)`,
      metadata: { file_path: at("image.txt") },
      images: [{ mediaType, base64: bytes.toString("base64") }],
    });
  });

  test("tells models that do not see that they cannot", async () => {
    writeFileSync(at("i.png"), Buffer.from(PNG, "hex"));
    expect(await run("file_read", { file: "i.png" })).toEqual({
      ok: false,
      output: "",
      error: `${at("i.png")} is an image (image/png, 3×2 pixels, 24 bytes), and this model cannot see images`,
    });
  });

  test("refuses broken images, and large ones", async () => {
    for (const [, hex] of IMAGES) {
      writeFileSync(at("cut"), Buffer.from(hex, "hex").subarray(0, 12));
      const result = await call("file_read", { file: "cut" }, { sees: true });
      if (hex !== GIF) expect(result.error).toContain("is a broken image");
    }
    writeFileSync(
      at("large.png"),
      Buffer.concat([Buffer.from(PNG, "hex"), Buffer.alloc(5 * 1024 * 1024)]),
    );
    const large = await call("file_read", { file: "large.png" }, { sees: true });
    expect(large.error).toStartWith("Image too large");
  });

  test("reads what the session kept outside the workspace, and nothing beside it", async () => {
    const kept = fixture.write("outputs/call_1.txt", "the whole output");
    const other = fixture.write("outputs-of-another/call_1.txt", "secret");
    expect((await run("file_read", { file: kept })).output).toEndWith("\n\nthe whole output");
    expect((await run("file_read", { file: other })).error).toStartWith("Outside the workspace");
    expect((await run("file_edit", { file: kept, find: "whole", replace: "x" })).error).toStartWith(
      "Outside",
    );
    expect((await run("file_delete", { file: kept })).error).toStartWith("Outside");
    expect((await run("file_copy", { from: kept, to: "x" })).error).toStartWith("Outside");
    symlinkSync(other, join(fixture.outputs, "l"));
    expect((await run("file_read", { file: join(fixture.outputs, "l") })).error).toStartWith(
      "Outside",
    );
  });

  test("kept outputs are read where they are in a closed directory", async () => {
    const outputs = join(fixture.path, "closed", "session");
    const kept = fixture.write("closed/session/call_1.txt", "kept");
    const session = { ...fixture.context().session, outputs };
    expect((await call("file_read", { file: kept }, { session })).output).toEndWith("kept");
    const beside = fixture.write("closed/secret", "s");
    expect((await call("file_read", { file: beside }, { session })).ok).toBe(false);
  });

  test("names similar files where one is missing", async () => {
    for (const name of ["config.ts", "config.json", "Confg.ts", "unrelated.md", "index.ts"])
      put(`src/${name}`, "");
    const error = async (file: string) => (await run("file_read", { file })).error;
    expect(await error("src/config.js")).toBe(
      `File not found: ${at("src/config.js")}; similar names there: config.ts, config.json, Confg.ts`,
    );
    expect(await error("src/zzz")).toBe(`File not found: ${at("src/zzz")}`);
    expect(await error("nowhere/config.ts")).toBe(`File not found: ${at("nowhere/config.ts")}`);
  });
});

describe("a plan", () => {
  const planned = async (name: string, input: Record<string, unknown>) => {
    const answer = await toolNamed(name).plan?.(input, fixture.context());
    if (!answer?.ok) throw new Error("No plan");
    return answer.plan;
  };

  test("shows what would change, and changes nothing yet", async () => {
    put("f", "one\ntwo\n");
    const plan = await planned("file_edit", { file: "f", find: "two", replace: "2" });
    expect(plan.paths).toEqual([at("f")]);
    expect(plan.diff).toBe(
      "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
    );
    expect([textAt("f"), names()]).toEqual(["one\ntwo\n", ["f"]]);
  });

  test("writes exactly that, after the session has kept what is there", async () => {
    put("f", "one\n");
    const plan = await planned("file_edit", { file: "f", find: "one", replace: "1" });
    const context = fixture.context();
    const seen: string[] = [];
    const session: ToolContext["session"] = {
      ...context.session,
      async changing(changes) {
        seen.push(...changes.map(({ path }) => path), textAt("f"));
      },
    };
    expect((await plan.apply({ ...context, session }))?.ok).toBe(true);
    expect(seen).toEqual([at("f.bak"), at("f"), "one\n"]);
    expect(textAt("f")).toBe("1\n");
  });

  test.each([
    ["content", () => writeFileSync(at("f"), "one\nchanged meanwhile\n")],
    ["mode", () => chmodSync(at("f"), 0o600)],
    ["backup", () => writeFileSync(at("f.bak"), "somebody's")],
    [
      "kind",
      () => {
        writeFileSync(at("g"), "one\n");
        rmSync(at("f"));
        symlinkSync("g", at("f"));
      },
    ],
  ])(
    "is not applied after another change of the %s, and nothing is done",
    async (_what, change) => {
      put("f", "one\n");
      const plan = await planned("file_edit", { file: "f", find: "one", replace: "1" });
      change();
      const before = names().map((name) => [name, textAt(name), lstatSync(at(name)).mode]);
      expect(await plan.apply(fixture.context())).toBeNull();
      expect(names().map((name) => [name, textAt(name), lstatSync(at(name)).mode])).toEqual(before);
    },
  );

  test("that is stale is made anew when the tool runs", async () => {
    put("f", "one\n");
    const context = fixture.context();
    let times = 0;
    const session: ToolContext["session"] = {
      ...context.session,
      async changing() {
        times += 1;
        if (times === 1) writeFileSync(at("f"), "one\nmore\n");
      },
    };
    const result = await call("file_edit", { file: "f", find: "one", replace: "1" }, { session });
    expect([result.ok, times, textAt("f"), textAt("f.bak")]).toEqual([
      true,
      2,
      "1\nmore\n",
      "one\nmore\n",
    ]);
  });

  test("that stays stale ends in a failed result", async () => {
    put("f", "one\n");
    const context = fixture.context();
    const session: ToolContext["session"] = {
      ...context.session,
      async changing() {
        writeFileSync(at("f"), `${textAt("f")}more\n`);
      },
    };
    const result = await call("file_edit", { file: "f", find: "one", replace: "1" }, { session });
    expect(result.error).toBe("The files keep changing while they are edited");
  });

  test("of a creation names its directories to the session, and undoes nothing of what others made", async () => {
    await run("file_create", { file: "a/b/f", content: "x" });
    expect(fixture.changed.map(({ path, after }) => [path, after?.kind])).toEqual([
      [at("a"), "directory"],
      [at("a/b"), "directory"],
      [at("a/b/f"), "file"],
    ]);
  });

  test("of a large edit is bounded, for people and in the result", async () => {
    put("f", "line\n".repeat(30_000));
    const plan = await planned("file_edit", { file: "f", find: "line", replace: "other" });
    expect(plan.diff.length).toBeLessThan(61_000);
    const result = await plan.apply(fixture.context());
    expect(String(result?.metadata?.diff).length).toBeLessThan(21_000);
    expect(plan.diff).toEndWith("[… cut: the diff is too long …]\n");
  });

  test("of a cancelled call is none", async () => {
    const signal = AbortSignal.abort();
    const answer = await toolNamed("file_create").plan?.(
      { file: "f", content: "x" },
      fixture.context({ signal }),
    );
    expect(answer).toMatchObject({ ok: false, result: { metadata: { cancelled: true } } });
  });
});

describe("FIX", () => {
  const refused = (result: ToolResult) => {
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain("the-secret");
  };

  test("~/.kollab is neither read nor written by any tool", async () => {
    fixture.write("home/.kollab/config.json", "the-secret");
    const file = "~/.kollab/config.json";
    put("f", "f");
    for (const [name, input] of Object.entries({
      file_read: { file },
      file_edit: { file, find: "the", replace: "a" },
      file_create: { file: "~/.kollab/agents/a", content: "x" },
      file_create_overwrite: { file, content: "x" },
      file_append: { file, content: "x" },
      file_insert_after: { file, pattern: "the", content: "x" },
      file_insert_before: { file, pattern: "the", content: "x" },
      file_delete: { file },
      file_move: { from: file, to: "g" },
      file_copy: { from: file, to: "g" },
      file_copy_overwrite: { from: "f", to: file },
      file_mkdir: { path: "~/.kollab/skills" },
      file_rmdir: { path: "~/.kollab" },
      apply_patch: { patch: `*** Begin Patch\n*** Delete File: ${file}\n*** End Patch` },
    }))
      refused(await run(name, input));
    expect(readdirSync(join(fixture.home, ".kollab"))).toEqual(["config.json"]);
    expect(names()).toEqual(["f"]);
  });

  test(".git is never written, by any tool", async () => {
    put(".git/config", "[core]\n");
    put("f", "f\n");
    mkdirSync(at(".git/empty"));
    for (const [name, input] of [
      ["file_edit", { file: ".git/config", find: "core", replace: "x" }],
      ["file_create", { file: ".git/hooks/pre-commit", content: "x" }],
      ["file_create_overwrite", { file: ".git/config", content: "x" }],
      ["file_append", { file: ".git/config", content: "x" }],
      ["file_insert_after", { file: ".git/config", pattern: "core", content: "x" }],
      ["file_delete", { file: ".git/config" }],
      ["file_move", { from: ".git/config", to: "g" }],
      ["file_move", { from: "f", to: ".git/hooks/pre-commit" }],
      ["file_copy", { from: "f", to: ".git/hooks/pre-commit" }],
      ["file_copy_overwrite", { from: "f", to: ".git/config" }],
      ["file_mkdir", { path: ".git/hooks" }],
      ["file_mkdir", { path: "sub/.git" }],
      ["file_rmdir", { path: ".git/empty" }],
    ] as const)
      refused(await run(name, input));
    expect([names(), names(".git"), textAt(".git/config")]).toEqual([
      [".git", "f"],
      ["config", "empty"],
      "[core]\n",
    ]);
    expect((await run("file_copy", { from: ".git/config", to: "copy" })).ok).toBe(true);
  });

  test("dependencies and the two protected names are edited, but neither deleted, moved nor removed", async () => {
    const files = [
      "main.py",
      "core/application.py",
      "node_modules/m/i.js",
      "venv/x",
      ".venv/x",
      "sub/node_modules/x",
    ];
    for (const file of files) {
      put(file, "a\n");
      const kept = `Protected, and neither deleted nor moved: ${at(file)}`;
      expect((await run("file_delete", { file })).error).toBe(kept);
      expect((await run("file_move", { from: file, to: "moved" })).error).toBe(kept);
      expect((await run("file_edit", { file, find: "a", replace: "b" })).ok).toBe(true);
    }
    mkdirSync(at("node_modules/empty"));
    expect((await run("file_rmdir", { path: "node_modules/empty" })).error).toStartWith(
      "Protected",
    );
    put("lib/main.py", "a\n");
    expect((await run("file_delete", { file: "lib/main.py" })).ok).toBe(true);
  });

  test("both ends of a move or copy are checked (E44)", async () => {
    fixture.write("out/keep", "the-secret");
    fixture.write("home/.ssh/id_ed25519", "the-secret");
    put("f", "f\n");
    for (const name of ["file_move", "file_copy", "file_copy_overwrite"])
      for (const [from, to] of [
        ["f", join(fixture.outside, "f")],
        ["f", "../out/f"],
        ["../out/keep", "k"],
        [join(fixture.home, ".ssh/id_ed25519"), "k"],
        ["~/.ssh/id_ed25519", "k"],
        ["/proc/self/environ", "k"],
        ["/dev/zero", "k"],
      ])
        refused(await run(name, { from, to }));
    expect([names(), readdirSync(fixture.outside)]).toEqual([["f"], ["keep"]]);
  });

  test("nothing is changed through a link to a directory outside (E35)", async () => {
    fixture.write("out/keep", "keep-me\n");
    mkdirSync(join(fixture.outside, "empty"));
    symlinkSync(fixture.outside, at("d"));
    put("f", "f\n");
    for (const [name, input] of [
      ["file_create", { file: "d/new", content: "pwned" }],
      ["file_create_overwrite", { file: "d/keep", content: "pwned" }],
      ["file_append", { file: "d/keep", content: "x" }],
      ["file_edit", { file: "d/keep", find: "keep-me", replace: "pwned" }],
      ["file_insert_before", { file: "d/keep", pattern: "keep-me", content: "pwned" }],
      ["file_move", { from: "f", to: "d/f" }],
      ["file_move", { from: "d/keep", to: "k" }],
      ["file_copy", { from: "f", to: "d/f" }],
      ["file_delete", { file: "d/keep" }],
      ["file_mkdir", { path: "d/newdir" }],
      ["file_rmdir", { path: "d/empty" }],
      ["apply_patch", { patch: "--- a/d/keep\n+++ b/d/keep\n@@ -1 +1 @@\n-keep-me\n+pwned\n" }],
    ] as const)
      refused(await run(name, input));
    expect([readdirSync(fixture.outside).sort(), names()]).toEqual([
      ["empty", "keep"],
      ["d", "f"],
    ]);
    expect(readFileSync(join(fixture.outside, "keep"), "utf8")).toBe("keep-me\n");
  });

  test("nothing is created through a link to nothing (E36)", async () => {
    symlinkSync(join(fixture.outside, "created"), at("x"));
    symlinkSync("../out/created2", at("y"));
    put("f", "f");
    for (const file of ["x", "y"]) {
      refused(await run("file_create_overwrite", { file, content: "pwned" }));
      refused(await run("file_append", { file, content: "pwned" }));
      refused(await run("file_copy", { from: "f", to: file }));
      refused(await run("file_move", { from: "f", to: file }));
      refused(await run("file_mkdir", { path: file }));
    }
    expect(readdirSync(fixture.outside)).toEqual([]);
  });

  test("FIFOs and devices are refused by every tool, without waiting (E37, E39)", async () => {
    Bun.spawnSync(["mkfifo", at("p")]);
    symlinkSync("/dev/zero", at("z"));
    for (const file of ["p", "z", "/dev/zero", "/dev/tty"])
      for (const [name, input] of [
        ["file_read", { file }],
        ["file_edit", { file, find: "a", replace: "b" }],
        ["file_append", { file, content: "x" }],
        ["file_create", { file, content: "x" }],
        ["file_create_overwrite", { file, content: "x" }],
        ["file_copy", { from: file, to: "k" }],
      ] as const)
        refused(await run(name, input));
    refused(await run("file_delete", { file: "p" }));
    refused(await run("file_move", { from: "p", to: "q" }));
    expect(names()).toEqual(["p", "z"]);
  });

  test("NUL bytes and '..' as a component are refused, names with two dots are not (E31, E38)", async () => {
    for (const path of ["../out/s\0.txt", "ok.txt\0/../../out/new", "", "a/../b", ".."]) {
      refused(await run("file_create", { file: path, content: "pwned" }));
      refused(await run("file_mkdir", { path }));
      refused(await run("file_delete", { file: path }));
      refused(await run("file_move", { from: path, to: "x" }));
    }
    expect((await run("file_create", { file: "a..b", content: "fine" })).ok).toBe(true);
    expect((await run("file_move", { from: "a..b", to: "...c" })).ok).toBe(true);
    expect([names(), readdirSync(fixture.outside)]).toEqual([["...c"], []]);
  });

  test("a hard link to a file outside is replaced, by every tool that writes (E41)", async () => {
    const keep = fixture.write("out/keep", "keep-me\n");
    for (const name of ["h", "h2", "h3", "h4"]) linkSync(keep, at(name));
    put("f", "f\n");
    expect((await run("file_create_overwrite", { file: "h", content: "new\n" })).ok).toBe(true);
    expect((await run("file_edit", { file: "h2", find: "keep-me", replace: "new" })).ok).toBe(true);
    expect((await run("file_append", { file: "h3", content: "more" })).ok).toBe(true);
    expect((await run("file_copy_overwrite", { from: "f", to: "h4" })).ok).toBe(true);
    expect(readFileSync(keep, "utf8")).toBe("keep-me\n");
    expect([textAt("h"), textAt("h2"), textAt("h3"), textAt("h4")]).toEqual([
      "new\n",
      "new\n",
      "keep-me\nmore",
      "f\n",
    ]);
  });

  test("files that are not UTF-8 are neither shown nor rewritten (E42)", async () => {
    const latin1 = Buffer.from("Y2Fm6QpuZXh0LWxpbmUK", "base64");
    writeFileSync(at("latin1"), latin1);
    for (const [name, input] of [
      ["file_read", { file: "latin1" }],
      ["file_edit", { file: "latin1", find: "next", replace: "x" }],
      ["file_append", { file: "latin1", content: "x" }],
      ["file_insert_after", { file: "latin1", pattern: "next", content: "x" }],
    ] as const)
      expect((await run(name, input)).error).toMatch(/^Cannot (?:read|edit) binary file/);
    expect(readFileSync(at("latin1"))).toEqual(latin1);
  });

  test("edits are limited to files of 10 MB (E40)", async () => {
    ftruncateSync(openSync(at("big"), "w"), 10 * 1024 * 1024 + 1);
    for (const [name, input] of [
      ["file_read", { file: "big" }],
      ["file_edit", { file: "big", find: "a", replace: "b" }],
      ["file_append", { file: "big", content: "x" }],
    ] as const)
      expect((await run(name, input)).error).toBe(
        `File too large: ${at("big")} has 10485761 bytes, the limit is 10485760`,
      );
    expect(existsSync(at("big.bak"))).toBe(false);
  });

  test("what deletes, moves, makes directories or patches is not led out by a swapped directory", async () => {
    put("d/s", "inside\n");
    fixture.write("out/s", "the-secret");
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
      for (let n = 0; n < 60; n += 1) {
        await run("file_create_overwrite", { file: "d/s", content: `${n}\n` });
        await run("file_mkdir", { path: `d/sub-${n}/deep` });
        await run("file_move", { from: "d/s", to: `d/sub-${n}/s` });
        await run("file_copy", { from: `d/sub-${n}/s`, to: "d/s" });
        await run("apply_patch", {
          patch: `--- /dev/null\n+++ b/d/new-${n}\n@@ -0,0 +1 @@\n+pwned\n`,
        });
        await run("file_delete", { file: "d/s" });
      }
    } finally {
      swapping.kill("SIGKILL");
      await swapping.exited;
    }
    expect(readdirSync(fixture.outside)).toEqual(["s"]);
    expect(readFileSync(join(fixture.outside, "s"), "utf8")).toBe("the-secret");
  });

  test("a workspace that is reached by a link is the same workspace (E48)", async () => {
    symlinkSync(fixture.workspace, join(fixture.path, "link"));
    put("f", "f");
    const file = join(fixture.path, "link", "f");
    expect((await run("file_read", { file })).metadata).toEqual({ file_path: at("f") });
    expect((await run("file_delete", { file })).metadata).toEqual({ file_path: at("f") });
  });
});

test("file_read of a file of 1 MB decodes only what it shows", async () => {
  put("f", "a line of ordinary length, grüße\n".repeat(32_000));
  const { output } = await run("file_read", { file: "f", offset: 31_000, limit: 2 });
  expect(output).toEndWith(
    "(lines 31001-31002 of 32001):\n\na line of ordinary length, grüße\na line of ordinary length, grüße",
  );
  put("long", "😀".repeat(50_000));
  const cut = (await run("file_read", { file: "long" })).output;
  expect(cut).toEndWith("😀\n\n[… line 1 is cut after 80000 characters …]");
  expect(cut).not.toContain("\ufffd");
});
