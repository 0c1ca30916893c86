/** A process that starts a command with children, says which group it is, and waits to be killed. */
import { runProcess } from "../../src/lib/process.ts";
import { ProcessGuard } from "../../src/lib/process-guard.ts";

await runProcess(
  {
    command: ["/bin/sh", "-c", "sleep 300 & echo $$; sleep 300; true"],
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    timeoutMs: 300_000,
    guard: new ProcessGuard(),
    onOutput: (text) => void process.stdout.write(text),
  },
  new AbortController().signal,
);
