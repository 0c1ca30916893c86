/** Tells a process from a later one that got the same pid. */
import { readFileSync } from "node:fs";

/** When the process began, in an unspecified unit that stays the same for its life; null: it is gone. */
export function processStart(pid: number): string | null {
  if (process.platform === "linux") return linuxStart(pid);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return null;
  }
  const { stdout, exitCode } = Bun.spawnSync(["ps", "-o", "lstart=", "-p", String(pid)], {
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    timeout: 2_000,
  });
  return exitCode === 0 ? stdout.toString().trim() : "unknown";
}

function linuxStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command stands in brackets and may hold any character; the start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    // No such process.
    return null;
  }
}

export const isAlive = (pid: number, startedAt: string): boolean => processStart(pid) === startedAt;
