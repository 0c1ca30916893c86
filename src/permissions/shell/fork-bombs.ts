/** Functions that start more and more of themselves: `f() { f | f & }; f`. */
import { type SyntaxNode, sourceOf } from "./syntax.ts";
import { wordOf } from "./words.ts";

/** Of functions in functions, the innermost. */
const NAMES_MAX = 8;

/** `names`: of the functions around it. `forked`: it runs beside what called it. */
type Place = { node: SyntaxNode; names: readonly string[]; forked: boolean };

/** Whether a function calls itself in a pipe or in the background. */
export function forksWithoutEnd(text: string, root: SyntaxNode): boolean {
  const open: Place[] = [{ node: root, names: [], forked: false }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { node } = next;
    if (node.type === "command_name" && next.forked) {
      const called = wordOf(text, node).literal;
      if (called !== null && next.names.includes(called)) return true;
    }
    const own = node.type === "function_definition" ? nameOf(text, node) : [];
    const names = own.length === 0 ? next.names : [...next.names, ...own].slice(-NAMES_MAX);
    const forked = next.forked || node.type === "pipeline";
    for (const [index, child] of node.children.entries()) {
      const inBackground = node.children[index + 1]?.type === "&";
      open.push({ node: child, names, forked: forked || inBackground });
    }
  }
  return false;
}

const nameOf = (text: string, { children }: SyntaxNode): string[] =>
  children
    .filter(({ type }) => type === "word")
    .slice(0, 1)
    .map((name) => sourceOf(text, name));
