/** The approvals of a project, in a file that other programs read and write. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { approvalsPath, openApprovals } from "../../src/config/approvals.ts";
import { recordedLog } from "../support/recorded-log.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const never = new AbortController().signal;

test("keys are added once, beside those of others, with the time as others write it", async () => {
  using folder = temporaryFolder();
  const project = join(folder.path, "project");
  const path = approvalsPath(folder.path, project);
  folder.write(path.slice(folder.path.length + 1), { approved_keys: ["terminal:npm"], more: [1] });
  const approvals = openApprovals(folder.path, recordedLog().log).forProject(project);
  await approvals.add(["terminal:git status", "terminal:npm"], never);
  expect(approvals.keys()).toEqual(["terminal:npm", "terminal:git status"]);
  const { updated_at, ...rest } = JSON.parse(readFileSync(path, "utf8"));
  expect(updated_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  expect(rest).toEqual({ approved_keys: ["terminal:npm", "terminal:git status"], more: [1] });
});

test("keys are taken back, and nothing else with them", async () => {
  using folder = temporaryFolder();
  const path = approvalsPath(folder.path, folder.path);
  folder.write(path.slice(folder.path.length + 1), { approved_keys: ["a", "b"], more: [1] });
  const approvals = openApprovals(folder.path, recordedLog().log).forProject(folder.path);
  await approvals.remove(["b", "unknown"], never);
  expect(approvals.keys()).toEqual(["a"]);
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ more: [1] });
});

test("what another program adds counts at once, and for its project only", async () => {
  using folder = temporaryFolder();
  const { forProject } = openApprovals(folder.path, recordedLog().log);
  const [one, other] = [join(folder.path, "one"), join(folder.path, "other")];
  const approvals = forProject(one);
  expect(approvals.keys()).toEqual([]);
  await forProject(one).add(["file_read:*"], never);
  expect(approvals.keys()).toEqual(["file_read:*"]);
  expect(forProject(other).keys()).toEqual([]);
});

test("a broken file approves nothing, is said once, and is never overwritten", async () => {
  using folder = temporaryFolder();
  const { log, lines } = recordedLog();
  const path = approvalsPath(folder.path, folder.path);
  const approvals = openApprovals(folder.path, log).forProject(folder.path);
  for (const text of ['{"approved_keys": [', '{"approved_keys": [1]}']) {
    folder.write(path.slice(folder.path.length + 1), text);
    expect([approvals.keys(), approvals.keys()]).toEqual([[], []]);
    await expect(approvals.add(["terminal:ls"], never)).rejects.toThrow(path);
    expect(readFileSync(path, "utf8")).toBe(text);
  }
  expect(lines).toHaveLength(2);
});
