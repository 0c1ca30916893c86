/** Swaps `d` here for a link to the directory that is named, and back, until it is killed. */
import { existsSync, renameSync, rmSync, symlinkSync, unlinkSync } from "node:fs";

const [target = ""] = process.argv.slice(2);
process.stdout.write("swapping\n");
for (;;) {
  try {
    if (existsSync("kept")) {
      rmSync("d", { recursive: true, force: true });
      renameSync("kept", "d");
    }
    renameSync("d", "kept");
    symlinkSync(target, "d");
    unlinkSync("d");
    renameSync("kept", "d");
  } catch {
    // A tool made a directory of that name meanwhile; the next round tidies up.
  }
}
