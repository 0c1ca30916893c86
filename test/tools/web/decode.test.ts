import { expect, test } from "bun:test";
import { decodeText, kindOfBytes, kindOfType } from "../../../src/tools/web/decode.ts";

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const utf8 = new TextEncoder();

test.each([
  ["what the header says", bytes("\xe9\x80"), "text/plain; charset=windows-1252", "é€"],
  ["in quotes and capitals", bytes("\x93\xfa"), 'text/html; Charset="SHIFT_JIS"', "日"],
  [
    "what a meta element says",
    bytes("<meta charset=gbk>\xc4\xe3"),
    "text/html",
    "<meta charset=gbk>你",
  ],
  [
    "what XML says",
    bytes('<?xml encoding="koi8-r"?>\xc1'),
    "text/xml",
    '<?xml encoding="koi8-r"?>а',
  ],
  ["its beginning, above all", bytes("\xff\xfea\0"), "text/html; charset=utf-8", "a"],
  ["UTF-8 with its mark", bytes("\xef\xbb\xbf\xc3\xa9"), "text/plain", "é"],
  ["UTF-8 that is not said", utf8.encode("é"), "text/plain", "é"],
  ["UTF-8 that is cut", utf8.encode("aé").subarray(0, 2), "text/plain", "a"],
  ["the web's old characters", bytes("caf\xe9 \x80"), "text/html", "café €"],
  ["a name that nobody knows", utf8.encode("é"), "text/html; charset=none-such", "é"],
  ["text about characters", utf8.encode("charset=gbk é"), "text/plain", "charset=gbk é"],
  ["wrong UTF-8, where it is said", bytes("a\xff"), "text/plain; charset=utf-8", "a\ufffd"],
])("characters: %s", (_what, body, type, text) => {
  expect(decodeText(body, type)).toBe(text);
});

test("types are of pages, of text or of nothing that can be shown", () => {
  const kinds = (...types: string[]) => types.map(kindOfType);
  expect(kinds("text/html; charset=x", "APPLICATION/XHTML+XML")).toEqual(["html", "html"]);
  expect(
    kinds(
      "text/x-anything",
      "application/json",
      "application/ld+json",
      "image/svg+xml",
      "application/xml",
    ),
  ).toEqual(["text", "text", "text", "text", "text"]);
  expect(kinds("image/png", "application/pdf", "application/octet-stream", "x")).toEqual([
    "binary",
    "binary",
    "binary",
    "binary",
  ]);
  expect(kinds("", ";")).toEqual([null, null]);
});

test("bytes say what they are where nobody else does", () => {
  expect(kindOfBytes(bytes("  <!DOCTYPE HTML><p>"))).toBe("html");
  expect(kindOfBytes(bytes("<note>"))).toBe("text");
  expect(kindOfBytes(bytes("%PDF\0"))).toBe("binary");
  expect(kindOfBytes(bytes("\xfe\xff\0a"))).toBe("text");
  expect(kindOfBytes(new Uint8Array())).toBe("text");
});
