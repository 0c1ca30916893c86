import { expect, test } from "bun:test";
import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import {
  encodeProject,
  kollabPaths,
  logFilePath,
  projectConfigPath,
} from "../../src/config/paths.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("everything hangs on the home that is passed in", () => {
  expect(kollabPaths("/home/ann")).toEqual({
    root: "/home/ann/.kollab",
    config: "/home/ann/.kollab/config.json",
    token: "/home/ann/.kollab/engine.token",
    openaiLogin: "/home/ann/.kollab/oauth/openai.json",
    projects: "/home/ann/.kollab/projects",
    engineDir: "/home/ann/.kollab/engine",
    engineFile: "/home/ann/.kollab/engine/engine.json",
  });
  expect(projectConfigPath("/srv/app")).toBe("/srv/app/.kollab/config.json");
});

test.each([
  ["/nowhere/ann/app", "nowhere_ann_app"],
  ["/nowhere/My Proj/v1.2", "nowhere_My Proj_v1.2"],
  ["/nowhere/ann/../ben/", "nowhere_ben"],
  ["/nowhere/a\\b", "nowhere_a_b"],
  ["/", ""],
])("%j is encoded as %j", (path, encoded) => {
  expect(encodeProject(path)).toBe(encoded);
});

test("links are followed, also where the rest of the path does not exist", () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "real"));
  symlinkSync(join(folder.path, "real"), join(folder.path, "link"));
  const real = encodeProject(join(realpathSync(folder.path), "real"));
  expect(encodeProject(join(folder.path, "link"))).toBe(real);
  expect(encodeProject(join(folder.path, "link", "not", "there"))).toBe(`${real}_not_there`);
});

test("the log file is named after project and minute, in local time", () => {
  const now = new Date(2026, 0, 5, 7, 9, 59);
  expect(logFilePath("/home/ann", "/nowhere/app", now)).toBe(
    "/home/ann/.kollab/projects/nowhere_app/logs/kollab-engine-20260105-0709.log",
  );
});
