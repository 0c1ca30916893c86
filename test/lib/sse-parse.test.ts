import { expect, test } from "bun:test";
import { type SseEvent, SseParser, SseTooLong } from "../../src/lib/sse-parse.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

function eventsIn(text: string, pieceBytes: number): SseEvent[] {
  const parser = new SseParser(1_000);
  const bytes = bytesOf(text);
  const events: SseEvent[] = [];
  for (let from = 0; from < bytes.length; from += pieceBytes)
    events.push(...parser.push(bytes.subarray(from, from + pieceBytes)));
  return [...events, ...parser.end()];
}

test.each([1, 2, 3, 7, 1_000])("events are the same in pieces of %d bytes", (pieceBytes) => {
  const text = [
    ": a comment\n\n",
    'event: ping\ndata: {"a":"é😀"}\n\n',
    "data: plain\n\ndata: ended by both\r\n\n",
    "data:no space\r\ndata:  two\r\nid: 5\r\n\r\n",
    "event: without data\n\n",
    "data: last, not ended by an empty line",
  ].join("");
  expect(eventsIn(text, pieceBytes)).toEqual([
    { event: "ping", data: '{"a":"é😀"}' },
    { event: "", data: "plain" },
    { event: "", data: "ended by both" },
    { event: "", data: "no space\n two" },
    { event: "", data: "last, not ended by an empty line" },
  ]);
});

test("a line or an event above the limit is refused, however it comes", () => {
  const long = bytesOf(`data: ${"x".repeat(60)}`);
  expect(() => new SseParser(50).push(long)).toThrow(SseTooLong);
  const lines = bytesOf(`data: ${"x".repeat(30)}\n`.repeat(2));
  expect(() => new SseParser(50).push(lines)).toThrow(SseTooLong);
  expect(new SseParser(50).push(bytesOf(`data: ${"x".repeat(30)}\n\n`.repeat(5)))).toHaveLength(5);
});
