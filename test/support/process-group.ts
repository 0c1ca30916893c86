/** Who is still alive in a process group. Zombies are not: whether they are reaped is up to the system. */
import { readdirSync, readFileSync } from "node:fs";

const GONE_WITHIN_MS = 5_000;
const POLL_MS = 5;

/** Whether the group empties in due time. */
export async function groupIsGone(group: number): Promise<boolean> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (members(group).length > 0) {
    if (Date.now() > deadline) return false;
    await Bun.sleep(POLL_MS);
  }
  return true;
}

function members(group: number): string[] {
  const lines = process.platform === "linux" ? linuxProcesses() : processes();
  return lines
    .filter(([groupOfProcess, state]) => groupOfProcess === group && state !== "Z")
    .map(String);
}

type Process = [group: number, state: string];

function linuxProcesses(): Process[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [state = "", , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return [[Number(group), state]];
    } catch {
      // It ended while the list was read.
      return [];
    }
  });
}

function processes(): Process[] {
  const { stdout } = Bun.spawnSync(["ps", "-A", "-o", "pgid=,stat="]);
  return stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([group, state = ""]) => [Number(group), state.slice(0, 1)]);
}
