import { expect, test } from "bun:test";
import { maskSecrets } from "../../src/lib/mask.ts";

test("a given secret is taken out wherever and however it stands", () => {
  const secret = 'p"ss word/1';
  const text = `a=${secret} json=${JSON.stringify(secret)} url=${encodeURIComponent(secret)}`;
  expect(maskSecrets(text, [secret])).toBe('a=[redacted] json="[redacted]" url=[redacted]');
});

test("what looks like a key is taken out without being known", () => {
  expect(
    maskSecrets("key sk-ant-api03-ab_c*** and Authorization: Bearer abc.def-1, done", []),
  ).toBe("key [redacted] and Authorization: [redacted], done");
});

test("a secret inside another leaves nothing of the longer one", () => {
  expect(maskSecrets("token-long-tail", ["token", "token-long-tail"])).toBe("[redacted]");
});

test("what is too short to be a secret takes no word apart", () => {
  expect(maskSecrets("a task", ["a", "", "tas"])).toBe("a task");
});
