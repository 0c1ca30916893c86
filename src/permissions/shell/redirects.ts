/**
 * To the grammar the file of `a && b > file` belongs to both commands; to a shell it is the last one's.
 * In a tree from here it is.
 */
import type { SyntaxNode } from "./syntax.ts";

export function bindRedirects(node: SyntaxNode): SyntaxNode {
  if (node.children.length === 0) return node;
  const children = node.children.map(bindRedirects);
  const [body, ...redirects] = children;
  if (node.type !== "redirected_statement" || !body || !JOINING.has(body.type))
    return { ...node, children };
  return bindToLast(body, redirects);
}

const JOINING = new Set(["list", "pipeline", "negated_command"]);

function bindToLast(node: SyntaxNode, redirects: readonly SyntaxNode[]): SyntaxNode {
  const end = redirects.at(-1)?.end ?? node.end;
  const last = node.children.at(-1);
  if (JOINING.has(node.type) && last)
    return { ...node, end, children: [...node.children.slice(0, -1), bindToLast(last, redirects)] };
  const own = node.type === "redirected_statement" ? node.children : [node];
  return { type: "redirected_statement", start: node.start, end, children: [...own, ...redirects] };
}
