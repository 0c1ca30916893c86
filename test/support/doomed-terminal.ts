/** A process that starts commands in the background, says which groups they are, and waits to be killed. */
import type { SessionId } from "../../src/domain/ids.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";
import { BackgroundCommands } from "../../src/tools/background-commands.ts";

const commands = new BackgroundCommands({ guard: new ProcessGuard() });
const started = ["exec sleep 300", "sleep 300 & (sleep 300 & sleep 300) & wait"].map((command) =>
  commands.start(
    "sess_doomed" as SessionId,
    {
      name: null,
      command,
      argv: ["/bin/sh", "-c", command],
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      timeoutMs: null,
    },
    new AbortController().signal,
  ),
);
const groups = (await Promise.all(started)).map(({ process }) => process.pid);
process.stdout.write(`${groups.join(" ")}\n`);
await Bun.sleep(300_000);
