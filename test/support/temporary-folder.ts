/** A folder that is gone when the test that asked for it ends. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export type TemporaryFolder = Disposable & {
  path: string;
  /** Writes a file, objects as JSON, and returns its path. */
  write(name: string, content: string | object): string;
};

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), "kollab-engine-test-"));
  return {
    path,
    write(name, content) {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
      return file;
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
