/**
 * The grammar of bash. Loading it takes a while, so this module is imported by whoever has the first command;
 * the module system sees to it that it happens once, however many ask at the same time. It must not happen
 * twice: the runtime keeps one instance for itself, and a second one would answer for the trees of the first.
 */
import bashPath from "tree-sitter-bash/tree-sitter-bash.wasm" with { type: "file" };
import { Language, Parser, type Tree, type TreeCursor } from "web-tree-sitter";
import runtimePath from "web-tree-sitter/web-tree-sitter.wasm" with { type: "file" };
import type { SyntaxNode } from "./syntax.ts";

/** Far above what anybody writes or reads; each bounds the time that a hostile text can take. */
const NODES_MAX = 10_000;
const DEPTH_MAX = 400;
/** The parser's time grows with their square, and nothing ends it in between. */
const PIPES_MAX = 1_500;
/** A usual command takes a few hundredths of it; some broken texts would take minutes. */
const PARSING_MS_MAX = 100;

// The typings want every option of the runtime; it has a default for all of the others.
type RuntimeOptions = NonNullable<Parameters<typeof Parser.init>[0]>;
await Parser.init({ wasmBinary: await Bun.file(runtimePath).bytes() } as RuntimeOptions);
const bash = await Language.load(await Bun.file(bashPath).bytes());

/** `null`: no shell text, or one that is too intricate. */
export function parseTree(text: string): SyntaxNode | null {
  if (text.split("|").length > PIPES_MAX) return null;
  const parser = new Parser();
  let tree: Tree | null = null;
  try {
    parser.setLanguage(bash);
    const startedAt = performance.now();
    // The first error ends it, since what comes after it is of no use.
    const stop = ({ hasError }: { hasError: boolean }) =>
      hasError || performance.now() - startedAt > PARSING_MS_MAX;
    tree = parser.parse(text, null, { progressCallback: stop });
    if (!tree || tree.rootNode.hasError || tree.rootNode.descendantCount > NODES_MAX) return null;
    const cursor = tree.walk();
    try {
      return copyTree(cursor, text);
    } finally {
      cursor.delete();
    }
  } finally {
    tree?.delete();
    parser.delete();
  }
}

/** `null`: nested too deeply. */
function copyTree(cursor: TreeCursor, text: string): SyntaxNode | null {
  const open: (SyntaxNode & { children: SyntaxNode[] })[] = [];
  for (;;) {
    const { nodeType: type, endIndex: end } = cursor;
    const start = startOf(type, text, cursor.startIndex);
    const node = { type, start, end, children: [] };
    open.at(-1)?.children.push(node);
    if (cursor.gotoFirstChild()) {
      if (open.push(node) > DEPTH_MAX) return null;
      continue;
    }
    while (!cursor.gotoNextSibling()) {
      const parent = open.pop();
      if (!parent) return node;
      if (open.length === 0) return parent;
      cursor.gotoParent();
    }
  }
}

/** In a string the grammar takes the blanks before an expansion for a part of it. */
function startOf(type: string, text: string, from: number): number {
  if (!EXPANSION.test(type)) return from;
  let start = from;
  while (/\s/.test(text[start] ?? "")) start += 1;
  return start;
}

const EXPANSION = /^(?:command_substitution|(?:simple_|arithmetic_)?expansion|[$`].*)$/;
