/**
 * What makes commands die with the engine, also when it is killed by SIGKILL and can do nothing itself:
 * a shell of its own that waits on a pipe from the engine. The pipe's end is the engine's end. It costs
 * a command two short writes, where a wrapper around each command costs another process.
 */
import { within } from "./abort.ts";

/** Reads `+ <group>` and `- <group>`; at the end of its input kills the groups that are left. */
const WATCHDOG = `
trap '' HUP INT TERM
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% "$group" *} \${groups#* "$group" }" ;;
  esac
done
for group in $groups; do kill -KILL "-$group"; done
`;

const spawnWatchdog = () =>
  Bun.spawn({
    cmd: ["/bin/sh", "-c", WATCHDOG],
    cwd: "/",
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
    // Its own session: what kills the engine's group must not kill it too.
    detached: true,
  });

/** How long a watchdog may take to end when its input has ended. */
const CLOSE_MS = 1_000;

/** A watchdog that ends sooner will not live longer the next time. */
const LIFETIME_MS_MIN = 10;

type Watchdog = ReturnType<typeof spawnWatchdog>;

export class ProcessGuard {
  private readonly groups = new Set<number>();
  private watchdog: Watchdog | null = null;

  /** Starts the watchdog where none runs. To be called before a command starts, so that none is unwatched. */
  start(): void {
    if (this.watchdog) return;
    const watchdog = spawnWatchdog();
    watchdog.unref();
    this.watchdog = watchdog;
    const startedAt = performance.now();
    void watchdog.exited.then(() => {
      this.lose(watchdog);
      // What it watched shall not wait for the next command. One that cannot live is not tried again.
      if (this.groups.size > 0 && performance.now() - startedAt > LIFETIME_MS_MIN) this.start();
    });
    for (const group of this.groups) this.tell("+", group);
  }

  /** The group is watched from now on, if need be by another watchdog. Throws where none can be started. */
  watch(group: number): void {
    this.groups.add(group);
    if (!this.tell("+", group)) this.start();
  }

  forget(group: number): void {
    this.groups.delete(group);
    this.tell("-", group);
  }

  /** Kills what is still watched and ends the watchdog. */
  async close(): Promise<void> {
    const { watchdog } = this;
    this.watchdog = null;
    // Not left to the watchdog, which may have been killed.
    for (const group of this.groups) killGroup(group, "SIGKILL");
    this.groups.clear();
    if (!watchdog) return;
    await within(CLOSE_MS, endInput(watchdog));
    watchdog.kill("SIGKILL");
  }

  /** Whether there was a watchdog to tell. One that does not listen is given up. */
  private tell(sign: "+" | "-", group: number): boolean {
    const { watchdog } = this;
    if (!watchdog) return false;
    // Not awaited: a command waits for nothing here, and the next `start` tells a new one everything.
    const written = write(watchdog, `${sign} ${group}\n`);
    if (written) void written.catch(() => this.lose(watchdog));
    else this.lose(watchdog);
    return written !== null;
  }

  private lose(watchdog: Watchdog): void {
    if (this.watchdog === watchdog) this.watchdog = null;
  }
}

/** null: its input is closed already, since it has died. */
function write(watchdog: Watchdog, line: string): Promise<unknown> | null {
  try {
    return Promise.all([watchdog.stdin.write(line), watchdog.stdin.flush()]);
  } catch {
    return null;
  }
}

async function endInput(watchdog: Watchdog): Promise<void> {
  try {
    await watchdog.stdin.end();
  } catch {
    // Its input is closed already, since it has died.
  }
  await watchdog.exited;
}

export function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody is left in the group, or nobody whom this user may signal.
  }
}
