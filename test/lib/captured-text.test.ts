import { expect, test } from "bun:test";
import { CapturedText, cutMiddle, TEXT_CHARS_MAX } from "../../src/lib/captured-text.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Numbered lines, so that a lost or doubled part shows. */
const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}\n`).join("");

test("a text within the limit is kept as it is, whatever pieces it comes in", () => {
  const text = numbered(6_000);
  const whole = new CapturedText();
  whole.add(bytes(text));
  const pieces = new CapturedText();
  for (const byte of bytes(text)) pieces.add(new Uint8Array([byte]));
  expect(whole.text()).toBe(text);
  expect(pieces.text()).toBe(text);
  expect(pieces.length).toBe(text.length);
});

test("a long text keeps its beginning and its end and says how much is missing", () => {
  const text = numbered(100_000);
  const captured = new CapturedText();
  for (let at = 0; at < text.length; at += 1_000) captured.add(bytes(text.slice(at, at + 1_000)));
  const [head = "", note = "", tail = ""] = captured
    .text()
    .split(/\n\[… (\d+) characters left out here …\]\n/);
  expect(text.startsWith(head)).toBe(true);
  expect(text.endsWith(tail)).toBe(true);
  expect(head.length + tail.length + Number(note)).toBe(text.length);
  expect(captured.length).toBe(text.length);
  expect(captured.text().length).toBeLessThanOrEqual(TEXT_CHARS_MAX);
});

test("characters that are cut between two pieces come out whole, and broken ones are replaced", () => {
  const captured = new CapturedText();
  const [first, second, third] = bytes("€");
  expect(captured.add(new Uint8Array([first!, second!]))).toBe("");
  expect(captured.add(new Uint8Array([third!, 0xff]))).toBe("€\ufffd");
  captured.add(new Uint8Array([first!]));
  expect(captured.end()).toBe("\ufffd");
  expect(captured.text()).toBe("€\ufffd\ufffd");
});

test("a NUL among the first bytes makes it binary, a later one does not", () => {
  const early = new CapturedText();
  early.add(bytes("PNG"));
  expect(early.add(new Uint8Array([1, 0, 2]))).toBe("");
  expect(early.text()).toBe("[binary output not displayed]");
  const late = new CapturedText();
  late.add(bytes("x".repeat(2_000)));
  late.add(new Uint8Array([0]));
  expect(late.binary).toBe(false);
});

test("two cut texts, joined and cut again, have one note only", () => {
  const text = numbered(100_000);
  const captured = new CapturedText();
  captured.add(bytes(text));
  const joined = cutMiddle(captured.text() + captured.text(), 2 * captured.length);
  expect(joined.match(/left out here/g)).toHaveLength(1);
  expect(joined.length).toBeLessThanOrEqual(TEXT_CHARS_MAX);
});

test("a cut never splits a character in two", () => {
  const text = cutMiddle(`x${"😀".repeat(TEXT_CHARS_MAX)}`);
  expect(text.isWellFormed()).toBe(true);
});

test("a note that says more takes its room from the text", () => {
  const more = `; the whole is in ${"x".repeat(2_000)}`;
  const text = cutMiddle(numbered(100_000), undefined, more);
  expect(text.length).toBeLessThanOrEqual(TEXT_CHARS_MAX);
  expect(text).toContain(`characters left out here${more} …]\n`);
});
