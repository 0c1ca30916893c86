/** The background commands of one session: their names, how many there may be, their common end. */
import { EngineError } from "../domain/errors.ts";
import { quoted } from "../lib/shown.ts";
import { BackgroundCommand, type BackgroundOptions } from "./background-command.ts";

const ALIVE_MAX = 20;
/** Ended ones whose output can still be read; those that ended first go first. */
const ENDED_MAX = 20;
const NAME_CHARS = 8;

export class BackgroundSession {
  /** In the order in which they were started. */
  private readonly commands = new Map<string, BackgroundCommand>();
  private readonly starting = new Map<string, Promise<unknown>>();
  closed = false;

  /** `name`: null for one made of the command. Throws where it may not or cannot be started. */
  start(name: string | null, options: Omit<BackgroundOptions, "name">): Promise<BackgroundCommand> {
    const chosen = name ?? this.newName(options.command);
    this.refuse(chosen);
    const started = this.spawn({ ...options, name: chosen }).finally(() =>
      this.starting.delete(chosen),
    );
    this.starting.set(chosen, started);
    return started;
  }

  list(): BackgroundCommand[] {
    return [...this.commands.values()];
  }

  get(name: string): BackgroundCommand {
    const command = this.commands.get(name);
    if (command) return command;
    const names = [...this.commands.keys()].join(", ") || "none";
    throw new EngineError(
      "not_found",
      `No background command '${quoted(name)}'. There are: ${names}`,
    );
  }

  get alive(): number {
    return this.starting.size + this.list().filter((command) => command.running).length;
  }

  /** Ends all of them, also those that are just being started, and lets none start any more. */
  async close(): Promise<void> {
    this.closed = true;
    // Those that fail have told whoever asked for them.
    await Promise.allSettled(this.starting.values());
    await Promise.all(this.list().map((command) => command.close()));
  }

  private async spawn(options: BackgroundOptions): Promise<BackgroundCommand> {
    const command = await BackgroundCommand.start(options);
    if (this.closed) {
      await command.close();
      throw new EngineError("conflict", "The session is closing");
    }
    // Last again, where it follows one that has ended.
    this.commands.delete(options.name);
    this.commands.set(options.name, command);
    this.forgetOldest();
    void command.ended.then(() => this.forgetOldest());
    return command;
  }

  private refuse(name: string): void {
    if (this.starting.has(name) || this.commands.get(name)?.running)
      throw new EngineError(
        "conflict",
        `A background command '${name}' is running already: end it with terminal_kill or choose another name`,
      );
    if (this.alive >= ALIVE_MAX)
      throw new EngineError(
        "conflict",
        `${ALIVE_MAX} background commands are running already: end one with terminal_kill first`,
      );
  }

  private forgetOldest(): void {
    const ended = this.list().flatMap((command) => {
      const { name, ended_at } = command.view();
      return ended_at === null ? [] : [{ name, ended_at }];
    });
    ended.sort((a, b) => a.ended_at - b.ended_at);
    for (const { name } of ended.slice(0, -ENDED_MAX)) this.commands.delete(name);
  }

  private newName(command: string): string {
    const words = command.replace(/[^A-Za-z0-9]+/g, "").slice(0, NAME_CHARS) || "command";
    for (;;) {
      const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
      const name = `${words}-${String(random % 1_000_000).padStart(6, "0")}`;
      if (!this.starting.has(name) && !this.commands.has(name)) return name;
    }
  }
}
