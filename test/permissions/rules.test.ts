import { expect, test } from "bun:test";
import { APPROVAL_MODES, type ApprovalMode, type RiskLevel } from "../../src/domain/permission.ts";
import { asks } from "../../src/permissions/rules.ts";

const RISKS: RiskLevel[] = ["low", "medium", "high", "unknown"];
const TYPES = ["terminal", "file_edit", "file_create", "file_delete", "mcp_tool"];

/** `type risk` of everything that the mode asks about. */
const asked = (mode: ApprovalMode) =>
  TYPES.flatMap((type) =>
    RISKS.filter((risk) => asks(mode, type, risk)).map((risk) => `${type} ${risk}`),
  );

const all = TYPES.flatMap((type) => RISKS.map((risk) => `${type} ${risk}`));
const risky = all.filter((call) => /high|unknown/.test(call));

test("default asks about what is high or unknown", () => {
  expect(asked("default")).toEqual(risky);
});

test("confirm_all asks about everything and trust_all about nothing", () => {
  expect(asked("confirm_all")).toEqual(all);
  expect(asked("trust_all")).toEqual([]);
});

test("auto_approve_edits asks about every command, about no edit, and else like default", () => {
  const others = risky.filter((call) => !/terminal|file_edit/.test(call));
  expect(asked("auto_approve_edits")).toEqual([
    ...RISKS.map((risk) => `terminal ${risk}`),
    ...others,
  ]);
});

test("there are no other modes", () => {
  expect(Object.keys(APPROVAL_MODES)).toHaveLength(4);
});
