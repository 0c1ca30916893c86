import { expect, test } from "bun:test";
import { findJsonFault } from "../../src/lib/json-fault.ts";

test.each([
  ["", 1, 1, "expected a value, found the end"],
  ["{", 1, 2, "expected a string or }, found the end"],
  ['{"a": 1,}', 1, 9, "expected a string, found }"],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, "expected , or }, found a string"],
  ['{"a" 1}', 1, 6, "expected :, found a value"],
  ["[1 2]", 1, 4, "expected , or ], found a value"],
  ["[1,]", 1, 4, "expected a value, found ]"],
  ["[1}", 1, 3, "expected , or ], found }"],
  ["{} {}", 1, 4, "expected the end, found {"],
  ["[tru]", 1, 2, "expected a value or ], found something that is no JSON"],
  ["{'a': 1}", 1, 2, "expected a string or }, found something that is no JSON"],
  ["// note\n{}", 1, 1, "expected a value, found something that is no JSON"],
  ['{"a": "x\n}', 1, 9, "expected a value, found a string without its end"],
  ['{"a": "x', 1, 9, "expected a value, found a string without its end"],
  ['{"a": "\\q"}', 1, 8, "expected a value, found an escape that JSON does not know"],
  ['{"a": "\t"}', 1, 8, "expected a value, found something that is no JSON"],
  ["[01]", 1, 3, "expected , or ], found a value"],
  ['{"a": {"b": [1, {"c": "d"}]}, "e"}', 1, 34, "expected :, found }"],
] as const)("%j goes wrong at line %d column %d", (text, line, column, problem) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(findJsonFault(text)).toEqual({ line, column, problem });
});

test.each([
  "{}",
  " [ ] \n",
  '{"a":{"b":[1,-2.5e+3,true,false,null,"\\u00e9\\n\\"",[],{}]},"":""}',
  '"\u007f\u2028 ü 🎉"',
  "-0.0",
])("%j is JSON", (text) => {
  expect(JSON.parse(text)).toBeDefined();
  expect(findJsonFault(text)).toBeNull();
});

test("it agrees with the parser on every single-character change of a document", () => {
  const document = '{"a":[1,"x\\n",{"b":null}],"c":-1.5e3}';
  for (let at = 0; at < document.length; at += 1) {
    for (const change of ["", '"', "}", ",", "\\", "7", "\n"]) {
      const text = document.slice(0, at) + change + document.slice(at + 1);
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      expect([text, findJsonFault(text) === null]).toEqual([text, valid]);
    }
  }
});

test("deep nesting is no problem", () => {
  expect(findJsonFault("[".repeat(200_000))).toMatchObject({ line: 1, column: 200_001 });
});
