/** Which project a directory belongs to. */
import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * The root of the Git repository that the directory is in, else the directory itself; without links. Git
 * is not run for it: a repository's own settings could say what it runs then.
 */
export function projectOf(directory: string): string {
  const start = withoutLinks(directory);
  for (let each = start; ; each = dirname(each)) {
    // A directory, or the file that worktrees and submodules have.
    if (existsSync(join(each, ".git"))) return each;
    if (dirname(each) === each) return start;
  }
}

function withoutLinks(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    // Gone, or not ours to look into: it is its own project.
    return resolve(directory);
  }
}
