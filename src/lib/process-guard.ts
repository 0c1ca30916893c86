/**
 * What makes commands die with the engine, also when it is killed by SIGKILL and can do nothing itself:
 * a shell of its own that waits on a pipe from the engine. The pipe's end is the engine's end. It costs
 * a command two short writes, where a wrapper around each command costs another process.
 */

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

export class ProcessGuard {
  private readonly groups = new Set<number>();
  private watchdog: ReturnType<typeof spawnWatchdog> | null = null;

  /** Starts the watchdog where none runs. To be called before a command starts, so that none is unwatched. */
  start(): void {
    if (this.watchdog) return;
    const watchdog = spawnWatchdog();
    watchdog.unref();
    this.watchdog = watchdog;
    void watchdog.exited.then(() => {
      if (this.watchdog === watchdog) this.watchdog = null;
    });
    for (const group of this.groups) this.tell("+", group);
  }

  watch(group: number): void {
    this.groups.add(group);
    this.tell("+", group);
  }

  forget(group: number): void {
    this.groups.delete(group);
    this.tell("-", group);
  }

  /** Kills what is still watched and ends the watchdog. */
  async close(): Promise<void> {
    const { watchdog } = this;
    this.watchdog = null;
    this.groups.clear();
    if (!watchdog) return;
    await watchdog.stdin.end();
    await watchdog.exited;
  }

  private tell(sign: "+" | "-", group: number): void {
    const input = this.watchdog?.stdin;
    if (!input) return;
    // Not awaited: should the watchdog be gone, the next `start` tells a new one everything.
    void input.write(`${sign} ${group}\n`);
    void input.flush();
  }
}
