/** What a rule's path means, for those that keep out and for those that let in. */
import { expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { compilePathRule } from "../../src/lib/path-rule.ts";
import { toolFixture } from "../support/tool-fixture.ts";

const [workspace, home] = ["/projects/a[b]", "/home/me*"];
const covers = (pattern: string, path: string, strict = true) =>
  compilePathRule(pattern, { workspace, home, strict }).covers(path);
const below = (path: string) => `${workspace}/${path}`;

test.each([
  ["secrets/**", below("secrets/a/b")],
  ["secrets/**", below("secrets")],
  ["./secrets/**", below("secrets/a")],
  ["./secrets", below("secrets")],
  ["secrets//keys/", below("secrets/keys/a")],
  ["secrets/", below("src/secrets/a")],
  ["secrets", below("SECRETS/a")],
  ["*.pem", below("src/a.pem")],
  ["src/**/*.[kp]em", below("src/x/y/a.kem")],
  ["\\[x\\]", below("[x]")],
  ["**", workspace],
  ["*", workspace],
  ["~/keys/**", "/home/me*/keys/id"],
  ["~", "/home/me*/anything"],
  ["/projects", below("a")],
  ["/**", "/anything"],
  ["/", "/anything"],
])("who denies %s denies %s", (pattern, path) => {
  expect(covers(pattern, path)).toBe(true);
});

test.each([
  ["secrets/**", below("src/secrets/a")],
  ["./secrets", below("src/secrets")],
  ["secrets", "/projects/secrets"],
  ["*.pem", "/elsewhere/a.pem"],
  ["secrets", "/projects/ab/secrets"],
  ["~/keys", "/home/meow/keys"],
  ["src/*", below("src")],
])("who denies %s says nothing of %s", (pattern, path) => {
  expect(covers(pattern, path)).toBe(false);
});

test("who allows means what is written, to the letter", () => {
  expect(covers("src/**", below("src/a"), false)).toBe(true);
  expect(covers("src/**", below("src"), false)).toBe(false);
  expect(covers("src/**", below("SRC/a"), false)).toBe(false);
  expect(covers("**", workspace, false)).toBe(true);
});

test("links that a pattern names are followed where it keeps out, or stands outside the workspace", () => {
  using fixture = toolFixture();
  symlinkSync("data", join(fixture.workspace, "secrets"));
  symlinkSync("notes", join(fixture.home, "link"));
  const has = (pattern: string, path: string, strict: boolean) =>
    compilePathRule(pattern, { ...fixture, strict }).covers(join(fixture.path, path));
  expect(has("secrets/**", "ws/data/key", true)).toBe(true);
  expect(has("secrets/**", "ws/data/key", false)).toBe(false);
  expect(has("~/link/**", "home/notes/a", true)).toBe(true);
  expect(has("~/link/**", "home/notes/a", false)).toBe(true);
});

test("a pattern that is none throws, so that whoever asks does not let it pass", () => {
  expect(() => covers("[a", below("a"))).toThrow("no pattern");
});
