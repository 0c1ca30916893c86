/** What happens to one path when a tool changes files. */

/** What is at a path; null: nothing. `mode`: the permission bits. */
export type FileState =
  | null
  | { kind: "file"; mode: number; size: number; content: Uint8Array | null }
  | { kind: "directory" }
  | { kind: "link"; target: string };

/**
 * `path`: absolute. Of a file larger than is ever kept, `content` is null. `aside`: it comes along with what
 * was asked for: a backup, or a directory on the way to a new file.
 */
export type FileChange = { path: string; before: FileState; after: FileState; aside?: true };
