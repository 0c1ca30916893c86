import { expect, test } from "bun:test";
import { askAbout, type PermissionRequest } from "../../src/cli/permission-question.ts";

const ask = (input: Record<string, unknown>, more: object = {}, columns = 80) =>
  askAbout(
    {
      type: "permission_request",
      tool_name: "terminal",
      tool_type: "terminal",
      risk_level: "medium",
      risk_reason: "",
      input,
      ...more,
    } as unknown as PermissionRequest,
    columns,
  );

test("a short command is asked about in one line, with what always covers", () => {
  expect(ask({ command: "ls -l" })).toEqual({
    before: [],
    question:
      'Allow terminal (medium risk): ls -l? [y]es / [n]o / [a]lways "ls …" in this session ',
  });
  expect(ask({ command: "git status" }).question).toEndWith(
    '[a]lways "git status" in this session ',
  );
});

test("always is not offered where it would be refused", () => {
  const { question } = ask({ command: "sudo ls" }, { risk_level: "high" });
  expect(question).toBe("Allow terminal (high risk): sudo ls? [y]es / [n]o ");
});

test("a file's call says which file always covers", () => {
  const input = { content: "x", file: "notes.txt" };
  expect(ask(input, { tool_name: "file_create", tool_type: "file_create" })).toEqual({
    before: ["Allow file_create (medium risk):", "    file: notes.txt", "    content: x"],
    question: 'Allow it? [y]es / [n]o / [a]lways "notes.txt" in this session ',
  });
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
