/** The syntax tree of a shell text, as plain data: the parser's own memory is given back before it is read. */
export type SyntaxNode = {
  /** A name of the grammar (`command`), or the token itself (`&&`). */
  type: string;
  start: number;
  end: number;
  children: readonly SyntaxNode[];
};

export const sourceOf = (text: string, node: SyntaxNode): string =>
  text.slice(node.start, node.end);

/** What stands where a word may stand. */
export const WORD_TYPES: ReadonlySet<string> = new Set([
  "word",
  "number",
  "string",
  "raw_string",
  "ansi_c_string",
  "translated_string",
  "simple_expansion",
  "expansion",
  "command_substitution",
  "process_substitution",
  "arithmetic_expansion",
  "brace_expression",
  "concatenation",
  "command_name",
  "variable_name",
  "$",
]);
