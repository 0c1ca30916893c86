/** Files that a message quotes are data: whoever wrote them is not who asks. */

const OPENING = /(?:^|\n)<file path="/;
const CLOSING = "\n</file>";
/** With a JSON string, and nothing that only looks like one. */
const HEADER = /^<file path=("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*")>$/gmu;

export type Asked = {
  /** What the user wrote. */
  request: string;
  /** The files' paths; a file that quotes others can make them more. */
  files: string[];
};

/**
 * Everything from the first file's beginning to the last one's end counts as files: a file can contain
 * the end of itself, and what a user writes between two files cannot be told from that.
 */
export function withoutFiles(message: string): Asked {
  const start = message.search(OPENING);
  const end = message.lastIndexOf(CLOSING);
  if (start === -1 || end < start) return { request: message, files: [] };
  const quoted = message.slice(start, end);
  return {
    request: `${message.slice(0, start)}\n${message.slice(end + CLOSING.length)}`.trim(),
    files: Array.from(quoted.matchAll(HEADER), ([, path = '""']) => String(JSON.parse(path))),
  };
}
