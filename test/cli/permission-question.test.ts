import { expect, test } from "bun:test";
import { askAbout, type PermissionRequest } from "../../src/cli/permission-question.ts";
import type { Part } from "../../src/cli/screen.ts";

const textOf = (part: Part): string => (typeof part === "string" ? part : part.text);

function ask(input: Record<string, unknown>, more: object = {}, columns = 80) {
  const { before, question, offers } = askAbout(
    {
      type: "permission_request",
      tool_name: "terminal",
      tool_type: "terminal",
      risk_level: "medium",
      risk_reason: "",
      parts: [],
      suggested_scopes: [{ scope: "once", keys: [], covers: "this call only" }],
      diff: null,
      subagent: null,
      input,
      ...more,
    } as unknown as PermissionRequest,
    columns,
  );
  return { before: before.map(textOf), question, offers, parts: before };
}

const scopes = (session: object, project?: object) => ({
  suggested_scopes: [
    { scope: "once", keys: [], covers: "this call only" },
    { scope: "session", ...session },
    ...(project ? [{ scope: "project", ...project }] : []),
  ],
});

test("a short command is asked about in one line", () => {
  expect(ask({ command: "ls -l" })).toMatchObject({
    before: [],
    question: "Allow terminal (medium risk): ls -l? [y]es / [n]o ",
    offers: [],
  });
});

test("always and project say what they cover, and the keys word for word", () => {
  const keys = ["terminal:npm run test"];
  const covers = "npm run test with any arguments, in this session";
  const file = { keys: ["file_read:*"], covers: "every file, in this project" };
  expect(ask({ command: "npm run test" }, scopes({ keys, covers }, file))).toMatchObject({
    before: [
      "Allow terminal (medium risk): npm run test",
      "  [a]lways: npm run test with any arguments, in this session",
      "      terminal:npm run test",
      "  [p]roject, remembered on disk: every file, in this project",
      "      file_read:*",
    ],
    question: "Allow it? [y]es / [n]o / [a]lways / [p]roject ",
    offers: ["session", "project"],
  });
  const same = ask({ command: "npm run test" }, scopes({ keys, covers }, { keys, covers }));
  expect(same.before.at(-1)).toBe("  [p]roject, remembered on disk: the same for this project");
});

test("always is not offered where the event does not suggest it", () => {
  const { question, offers } = ask({ command: "sudo ls" }, { risk_level: "high" });
  expect(question).toBe("Allow terminal (high risk): sudo ls? [y]es / [n]o ");
  expect(offers).toEqual([]);
});

test("a scope whose keys do not all fit is not offered, and one that does is", () => {
  const long = { keys: Array.from({ length: 30 }, (_, at) => `terminal:${at}`), covers: "much" };
  const short = { keys: ["terminal:ls"], covers: "ls" };
  const { offers, question, before } = ask({ command: "ls" }, scopes(long, short));
  expect(offers).toEqual(["project"]);
  expect(question).toEndWith("[y]es / [n]o / [p]roject ");
  expect(before.join("\n")).not.toContain("terminal:0");
});

test("each dangerous part of a command is shown with its reason, the worst first", () => {
  const parts = [
    { text: "npm run test", risk_level: "medium", reason: "may run anything" },
    { text: "true", risk_level: "low", reason: "does nothing" },
    { text: "curl -s x\n| sh", risk_level: "high", reason: "runs what it downloads" },
  ];
  const more = { parts, risk_level: "high", risk_reason: "runs what it downloads" };
  const { before, parts: rows } = ask({ command: "npm run test && curl -s x | sh" }, more);
  expect(before).toEqual([
    "Allow terminal (high risk): npm run test && curl -s x | sh",
    "  high: curl -s x | sh — runs what it downloads",
    "  medium: npm run test — may run anything",
  ]);
  expect(rows[1]).toMatchObject({ style: "red" });
});

test("the reason for the whole is shown where no part has it and the tool alone is none", () => {
  const more = { risk_level: "high", risk_reason: "as root" };
  expect(ask({ command: "sudo ls" }, more).before).toEqual([
    "Allow terminal (high risk): sudo ls",
    "  why: as root",
  ]);
  const usual = { risk_reason: "Default risk for tool type 'terminal'" };
  expect(ask({ command: "ls" }, usual).before).toEqual([]);
  const ruled = { risk_level: "low", risk_reason: "Asked by a rule: path src/**" };
  expect(ask({ command: "ls" }, ruled).before.at(-1)).toBe("  why: Asked by a rule: path src/**");
});

test("a subagent that asks is named", () => {
  const subagent = { session_id: "sess_child", tool_id: "call_9" };
  expect(ask({ command: "ls" }, { subagent }).before).toEqual([
    "Allow terminal (medium risk): ls",
    "  a subagent asks, session sess_child",
  ]);
});

const DIFF = `diff --git a/notes.txt b/notes.txt
--- a/notes.txt
+++ b/notes.txt
@@ -1,3 +1,3 @@
 same
--- a/other.txt
+++ b/other\u001b[2J.txt
 end
`;
const edit = { tool_name: "file_edit", tool_type: "file_edit", risk_level: "low" };

test("a change is shown as its diff, and what files contain never looks like its headers", () => {
  const input = { file: "notes.txt", find: "-- a/other.txt", replace: "x", replace_all: true };
  const { before, parts } = ask(input, { ...edit, diff: DIFF });
  expect(before).toEqual([
    "Allow file_edit (low risk):",
    "    file: notes.txt",
    "    replace_all: true",
    "    diff --git a/notes.txt b/notes.txt",
    "    @@ -1,3 +1,3 @@",
    "       same",
    "      --- a/other.txt",
    "      +++ b/other␛[2J.txt",
    "       end",
  ]);
  expect(parts.slice(4)).toEqual([
    { style: "cyan", text: "    @@ -1,3 +1,3 @@" },
    "       same",
    { style: "red", text: "      --- a/other.txt" },
    { style: "green", text: "      +++ b/other␛[2J.txt" },
    "       end",
  ]);
});

test("of a long diff the beginning and the end are shown, and every file is named", () => {
  const section = (name: string, lines: number) =>
    [
      `diff --git a/${name} b/${name}`,
      `--- a/${name}`,
      `+++ b/${name}`,
      `@@ -0,0 +1,${lines} @@`,
      ...Array.from({ length: lines }, (_, at) => `+${name} line ${at} ${"x".repeat(100)}`),
    ].join("\n");
  const diff = `${["one", "two", "three"].map((name) => section(name, 200)).join("\n")}\n`;
  const { before } = ask({ patch: "long" }, { ...edit, tool_name: "apply_patch", diff });
  expect(before.length).toBeLessThanOrEqual(22);
  for (const row of before) expect(Bun.stringWidth(row)).toBeLessThanOrEqual(80);
  expect(before[1]).toBe("    3 files: one, two, three");
  expect(before[2]).toBe("    diff --git a/one b/one");
  const note = before.findIndex((row) => /^ {4}… \d+ lines left out …$/.test(row));
  expect(before.slice(note + 1, note + 3)).toEqual([
    "    diff --git a/three b/three",
    "    @@ -0,0 +1,200 @@",
  ]);
  expect(before.at(-1)).toStartWith("      +three line 199 xxx");
  const [left] = /\d+/.exec(before[note]!)!;
  expect(Number(left) + before.length - 3).toBe(606);
});

test("the command comes first, and a name that is none is quoted on one line", () => {
  const { before } = ask({ "command: npm test\ncomment": 1, timeout: "5s", command: "rm -rf src" });
  expect(before.slice(1)).toEqual([
    "    command: rm -rf src",
    "    timeout: 5s",
    '    "command: npm test\\ncomment": 1',
  ]);
});

test("what continues a value stands further in than any name, also where a terminal would break it", () => {
  const padded = `true${" ".repeat(80)}    command: npm test\n    command: npm test`;
  const { before } = ask({ command: padded });
  expect(before.filter((row) => /^ {4}\S/.test(row))).toEqual([
    expect.stringMatching(/^ {4}command: true +$/),
  ]);
});

test("no row of the call begins where ours do", () => {
  const forged = "x\n  [a]lways: nothing\n  high: none\nAllow it? [y]es";
  const part = { text: forged, risk_level: "high", reason: "bad" };
  const more = {
    parts: [part, part],
    risk_level: "medium",
    diff: forged,
    ...scopes({ keys: [forged], covers: forged }),
  };
  const { before } = ask({ command: forged, file: forged, [forged]: forged }, more);
  const ours = before.slice(1).filter((row) => /^ {0,3}\S/.test(row));
  expect(ours).toEqual([
    "  high: x   [a]lways: nothing   high: none Allow it? [y]es — bad",
    "  high: x   [a]lways: nothing   high: none Allow it? [y]es — bad",
    "  [a]lways: x",
  ]);
});

test("with all there is to say it fits on a small screen", () => {
  const long = "漢x ".repeat(2_000);
  const parts = Array.from({ length: 9 }, () => ({ text: long, risk_level: "high", reason: long }));
  const short = { keys: ["terminal:ls"], covers: "ls" };
  const more = {
    parts,
    risk_reason: long,
    subagent: { session_id: long, tool_id: "" },
    ...scopes(short, { ...short, keys: ["file_read:*"] }),
  };
  for (const diff of [null, DIFF, `${DIFF}${long}`, long]) {
    const { before, offers } = ask({ command: long, cwd: long, path: long }, { ...more, diff });
    expect(before.length).toBeLessThanOrEqual(22);
    for (const row of before) expect(Bun.stringWidth(row)).toBeLessThanOrEqual(80);
    expect(offers).toEqual(["session", "project"]);
  }
});

test("however long and wide the input is, command and ends are seen on a small screen", () => {
  for (const filler of ["x", "\n", "漢", "\u0301", "\ufe0f", "\u0007", "🎉"]) {
    const long = `echo ${filler.repeat(3_000)} end`;
    const more = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`field${at}`, long]));
    const { before } = ask({ ...more, command: long });
    expect(before.length).toBeLessThanOrEqual(22);
    for (const row of before) expect(Bun.stringWidth(row)).toBeLessThanOrEqual(80);
    expect(before[1]).toStartWith("    command: echo ");
    const command = before.slice(
      1,
      before.findIndex((row) => row.includes("field0: ")),
    );
    expect(command.at(-1)).toEndWith(" end");
    expect(command.filter((row) => /… \d+ characters left out …$/.test(row))).toHaveLength(1);
    expect(before.at(-1)).toBe("    … and 46 more fields");
  }
});

test("what is left out is counted", () => {
  const { before } = ask({ command: "x".repeat(5_000) });
  const shown = before.join("").match(/x/g)?.length ?? 0;
  expect(before.join("\n")).toContain(`… ${5_000 - shown} characters left out …`);
});
