/** All commands in the background, by session. They end with their session and with the engine. */
import { EngineError } from "../domain/errors.ts";
import type { SessionId } from "../domain/ids.ts";
import type { ProcessView } from "../domain/process.ts";
import { sleep } from "../lib/abort.ts";
import type { ProcessGuard } from "../lib/process-guard.ts";
import type { BackgroundCommand, BackgroundOptions } from "./background-command.ts";
import { BackgroundSession } from "./background-session.ts";

/** A command that fails at once has failed by then. */
const GRACE_MS = 200;

export type StartRequest = Omit<BackgroundOptions, "name" | "guard"> & {
  /** null: one that is made of the command. */
  name: string | null;
};

/** `output`: all that it printed so far. */
export type Started = { process: ProcessView; output: string };

export type BackgroundCommandsOptions = {
  guard: ProcessGuard;
  /** Hears of a command that ended, unless it ended with its session or the engine. Must not throw. */
  onEnd?(session: SessionId, process: ProcessView): void;
  /** How long a start waits for an early end. */
  graceMs?: number;
};

export class BackgroundCommands {
  private readonly sessions = new Map<SessionId, BackgroundSession>();
  private readonly closing = new Set<Promise<void>>();
  private closed = false;

  constructor(private readonly options: BackgroundCommandsOptions) {}

  /**
   * Resolves soon, with what it printed by then: it runs, or has ended already. Where `signal` aborts
   * meanwhile it is ended, because whoever asked for it will not know of it.
   */
  async start(
    session: SessionId,
    { name, ...request }: StartRequest,
    signal: AbortSignal,
  ): Promise<Started> {
    signal.throwIfAborted();
    if (this.closed) throw new EngineError("unavailable", "The engine is stopping");
    const commands = this.commandsOf(session);
    const { guard, onEnd, graceMs = GRACE_MS } = this.options;
    const command = await commands.start(name, { ...request, guard });
    void command.ended.then(() => {
      if (!commands.closed) onEnd?.(session, command.view());
    });
    try {
      await Promise.race([command.ended, sleep(graceMs, signal)]);
    } catch (error) {
      await command.close();
      throw error;
    }
    return { process: command.view(), output: command.output(Number.POSITIVE_INFINITY) };
  }

  /** In the order in which they were started. */
  list(session: SessionId): ProcessView[] {
    const commands = this.sessions.get(session)?.list() ?? [];
    return commands.map((command) => command.view());
  }

  /** Throws `not_found` where the session has none of that name; so do `output` and `kill`. */
  get(session: SessionId, name: string): ProcessView {
    return this.find(session, name).view();
  }

  /** The last lines that it printed, output and errors as they came. */
  output(session: SessionId, name: string, lines: number): string {
    return this.find(session, name).output(lines);
  }

  /** Resolves when nobody of its group is left. */
  async kill(session: SessionId, name: string): Promise<ProcessView> {
    const command = this.find(session, name);
    await command.kill();
    return command.view();
  }

  /** Resolves with those that were running. */
  killAll(session: SessionId): Promise<ProcessView[]> {
    const running = this.list(session).filter((process) => process.state === "running");
    return Promise.all(running.map((process) => this.kill(session, process.name)));
  }

  /** How many run or are being started. */
  alive(session: SessionId): number {
    return this.sessions.get(session)?.alive ?? 0;
  }

  /** Ends all commands of the session and forgets them. The session may be opened again later. */
  async closeSession(session: SessionId): Promise<void> {
    const commands = this.sessions.get(session);
    if (!commands) return;
    this.sessions.delete(session);
    const closing = commands.close();
    this.closing.add(closing);
    await closing.finally(() => this.closing.delete(closing));
  }

  /** Ends all commands of all sessions, and lets none start any more. */
  async close(): Promise<void> {
    this.closed = true;
    for (const session of this.sessions.keys()) void this.closeSession(session);
    await Promise.all(this.closing);
  }

  private find(session: SessionId, name: string): BackgroundCommand {
    return (this.sessions.get(session) ?? new BackgroundSession()).get(name);
  }

  private commandsOf(session: SessionId): BackgroundSession {
    const commands = this.sessions.get(session) ?? new BackgroundSession();
    this.sessions.set(session, commands);
    return commands;
  }
}
