/** A log whose lines a test can read. */
import { createLog, type Log } from "../../src/lib/log.ts";

export type RecordedLog = { log: Log; lines: Record<string, unknown>[] };

/** Times are left out. */
export function recordedLog(): RecordedLog {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level: "debug",
    write(line) {
      const { ts: _ts, ...rest } = JSON.parse(line);
      lines.push(rest);
    },
  });
  return { log, lines };
}
