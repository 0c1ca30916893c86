import { expect, test } from "bun:test";
import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { projectOf } from "../../src/config/project.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("a project is the repository around a folder, links followed, else the folder itself", () => {
  using folder = temporaryFolder();
  const root = realpathSync(folder.path);
  const make = (path: string) => {
    mkdirSync(join(root, path), { recursive: true });
    return join(root, path);
  };
  make("repo/.git");
  const inner = make("repo/packages/a");
  expect(projectOf(inner)).toBe(join(root, "repo"));
  expect(projectOf(join(root, "repo"))).toBe(join(root, "repo"));
  symlinkSync(inner, join(root, "link"));
  expect(projectOf(join(root, "link"))).toBe(join(root, "repo"));
  folder.write("worktree/.git", "gitdir: /somewhere");
  expect(projectOf(make("worktree/src"))).toBe(join(root, "worktree"));
  expect(projectOf(make("plain/src"))).toBe(join(root, "plain/src"));
  expect(projectOf(join(root, "gone"))).toBe(join(root, "gone"));
});
