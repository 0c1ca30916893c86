/**
 * The sessions: created, brought back from the store when they are used, let go when they are idle.
 * Exactly one engine has a session in memory; only that one writes it.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { projectOf } from "../config/project.ts";
import { EngineError } from "../domain/errors.ts";
import type { EventBody } from "../domain/events.ts";
import type { SessionId } from "../domain/ids.ts";
import type { SessionRecord } from "../domain/session.ts";
import type { Tool } from "../domain/tool.ts";
import { within } from "../lib/abort.ts";
import { sha256 } from "../lib/sha256.ts";
import { SUBAGENT_DEPTH_MAX } from "../tools/subagent.ts";
import { Checkpoints } from "./checkpoints.ts";
import { EventLog } from "./event-log.ts";
import { endInterrupted } from "./interrupted.ts";
import { NO_NOTES, readNotes } from "./notes.ts";
import { permissionsOf } from "./permission-events.ts";
import { cancel, startNext } from "./runs.ts";
import { append, type NewSession, type Session, type SessionServices } from "./session.ts";
import { prepareModel } from "./session-model.ts";
import { toolSessionOf } from "./tool-session.ts";

/** A session that nobody used for so long goes back to the store. */
const IDLE_MS = 10 * 60_000;
const SWEEP_MS = 60_000;
/** How long a cancelled turn may take to stop its commands and calls. */
const STOP_MS = 5_000;
const FOLDER_RETRIES = 3;

/** A session as it can be told of without bringing it back; `live` where it is in memory. */
export type SessionView = {
  record: SessionRecord;
  /** Messages, with the system prompt where there is one. */
  historyLength: number;
  live: Session | null;
};

export const viewOf = (live: Session): SessionView => ({
  record: live.record,
  historyLength: live.messages.length + (live.systemPrompt === "" ? 0 : 1),
  live,
});

export class SessionRegistry {
  private readonly sessions = new Map<SessionId, Promise<Session>>();
  /** Those that are being deleted: nobody gets them any more. */
  private readonly removing = new Set<SessionId>();
  /** Those whose turn is ending: they can be read anew when it has. */
  private readonly leaving = new Map<SessionId, Promise<void>>();
  /** What was given to sessions that are not in memory, for when they are read anew. */
  private readonly secrets = new Map<SessionId, Session["secrets"]>();
  private readonly sweep: Timer;
  private readonly services: SessionServices;
  private stopping = false;

  /** `directory`: where each session has a private folder. */
  constructor(
    services: Omit<SessionServices, "createSession">,
    private readonly tools: readonly Tool[],
    private readonly directory: string,
  ) {
    this.services = { ...services, createSession: (wanted) => this.create(wanted) };
    this.sweep = setInterval(() => void this.letGoOfIdle(), SWEEP_MS);
    this.sweep.unref();
  }

  /** Throws `conflict` when the id is taken. */
  async create(wanted: NewSession): Promise<Session> {
    const { id } = wanted.record;
    if (this.isKnown(id) || (await this.services.store.session(id)) !== null) throw taken(id);
    // Another request may have taken it meanwhile.
    if (this.isKnown(id)) throw taken(id);
    return this.keep(id, this.make(wanted));
  }

  /** Throws `not_found`; `conflict` when another running engine has it. */
  async get(id: SessionId): Promise<Session> {
    if (this.removing.has(id)) throw notFound();
    if (!this.sessions.has(id)) await this.leaving.get(id);
    const session = await (this.sessions.get(id) ?? this.keep(id, this.restore(id)));
    session.usedAt = Date.now();
    return session;
  }

  /** All sessions in the order of their creation, without bringing any back. */
  async list(): Promise<SessionView[]> {
    const stored = await this.services.store.sessions();
    return Promise.all(
      stored.map(async ({ record, messageCount, hasSystemPrompt }): Promise<SessionView> => {
        const live = await this.sessions.get(record.id)?.catch(() => null);
        if (live) return viewOf(live);
        return {
          record,
          historyLength: messageCount + (hasSystemPrompt ? 1 : 0),
          live: null,
        };
      }),
    );
  }

  count(): Promise<number> {
    return this.services.store.sessionCount();
  }

  /** Those in memory. */
  async live(): Promise<Session[]> {
    const all = await Promise.allSettled(this.sessions.values());
    return all.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  }

  /** Something happened that belongs into the log of a session, if that is in memory. */
  tell(id: SessionId, body: EventBody): void {
    void this.sessions
      .get(id)
      ?.then((session) => session.events.closed || append(session, body))
      // One that could not be brought back has nobody to tell.
      .catch(() => {});
  }

  /**
   * Cancels its turn, ends its commands and forgets it, on disk too; its child sessions go with it. Throws
   * `conflict`, and nothing has happened, where another engine has one of them.
   */
  async remove(id: SessionId): Promise<void> {
    const session = await this.get(id);
    await this.claimChildren(session);
    await this.removeOwned(session);
  }

  private async claimChildren({ record }: Session): Promise<void> {
    for (const id of record.children) {
      const child = await this.find(id);
      if (child) await this.claimChildren(child);
    }
  }

  private async removeOwned(session: Session): Promise<void> {
    const { id, record } = session;
    // Another request may have begun meanwhile.
    if (this.removing.has(id)) throw notFound();
    this.removing.add(id);
    try {
      for (const run of [...session.queue, ...(session.active?.steered ?? [])])
        cancel(session, run.id);
      await this.leave(session, cancelled("The session was deleted"));
      // Those that its turn made until then included; before itself, so that a failure leaves none alone.
      for (const each of record.children) {
        const child = await this.find(each);
        if (child) await this.removeOwned(child);
      }
      await this.forget(session);
    } finally {
      this.removing.delete(id);
    }
  }

  /** Null: it was deleted. */
  private async find(id: SessionId): Promise<Session | null> {
    try {
      return await this.get(id);
    } catch (error) {
      if (error instanceof EngineError && error.code === "not_found") return null;
      throw error;
    }
  }

  /** Its files first: what is still in the store can be deleted once more. */
  private async forget({ id, directory }: Session): Promise<void> {
    const { commit, lifecycle } = this.services;
    // Something that would not end in time may write yet.
    await rm(directory, { recursive: true, force: true, maxRetries: FOLDER_RETRIES });
    lifecycle.append({ type: "session_deleted", session_id: id });
    await commit.write({ kind: "delete_session", session: id });
    this.secrets.delete(id);
  }

  /** Ends what a dead engine left open and goes on with what waited in the sessions it had. */
  async recover(): Promise<void> {
    for (const id of await this.services.store.abandonedSessions()) {
      try {
        await this.get(id);
      } catch (error) {
        this.services.log.error("session could not be recovered", { session: id, error });
      }
    }
  }

  /** Gives back to the store what nobody has used since `before`. */
  async letGoOfIdle(before = Date.now() - IDLE_MS): Promise<void> {
    for (const session of await this.live()) {
      if (session.usedAt >= before || !isIdle(session)) continue;
      if (hasSecrets(session)) this.secrets.set(session.id, session.secrets);
      await this.leave(session, cancelled("Idle"));
    }
  }

  /** Every turn ends in `error{cancelled}`; queued runs wait for the next start. */
  async close(): Promise<void> {
    this.stopping = true;
    clearInterval(this.sweep);
    const sessions = await this.live();
    await Promise.all(
      sessions.map((each) => this.leave(each, cancelled("The engine is stopping"))),
    );
    await Promise.all(this.leaving.values());
  }

  private isKnown(id: SessionId): boolean {
    return this.removing.has(id) || this.leaving.has(id) || this.sessions.has(id);
  }

  /** In memory from the first moment on, so that all who ask wait for the same. */
  private async keep(id: SessionId, session: Promise<Session>): Promise<Session> {
    this.sessions.set(id, session);
    try {
      return await session;
    } catch (error) {
      if (this.sessions.get(id) === session) this.sessions.delete(id);
      throw error;
    }
  }

  private async make({
    record,
    systemPrompt,
    credentials,
    userToken,
  }: NewSession): Promise<Session> {
    if (this.stopping) throw new EngineError("unavailable", "The engine is stopping");
    const session = await this.assemble(record, systemPrompt);
    session.secrets = { credentials, userToken };
    const { store, lifecycle } = this.services;
    try {
      // Apart from the group: another engine on this home may have made one of this name.
      await store.apply([
        { kind: "new_session", record },
        { kind: "system_prompt", session: record.id, text: systemPrompt },
      ]);
    } catch (error) {
      throw (await store.session(record.id)) ? taken(record.id) : error;
    }
    lifecycle.append({
      type: "session_created",
      session_id: record.id,
      profile: record.profile,
      workspace: record.workspace,
    });
    prepareModel(session);
    return session;
  }

  private async restore(id: SessionId): Promise<Session> {
    const { store } = this.services;
    if (this.stopping) throw new EngineError("unavailable", "The engine is stopping");
    if ((await store.session(id)) === null) throw notFound();
    const owner = await store.claim(id);
    if (owner)
      throw new EngineError(
        "conflict",
        `Another running engine (pid ${owner.pid}) has this session`,
      );
    const stored = await store.session(id);
    if (stored === null) throw notFound();
    const session = await this.assemble(stored.record, await store.systemPrompt(id));
    session.secrets = this.secrets.get(id) ?? session.secrets;
    this.secrets.delete(id);
    session.messages = await store.messages(id);
    session.notes = readNotes(
      await store.document(id, "todo"),
      await store.document(id, "scratchpad"),
    );
    for (const run of await store.openRuns(id)) {
      if (run.state === "queued") session.queue.push(run);
      else await endInterrupted(session, run);
    }
    session.queue.sort((a, b) => a.place - b.place);
    await session.events.flushed();
    startNext(session);
    return session;
  }

  private async assemble(record: SessionRecord, systemPrompt: string): Promise<Session> {
    const { services } = this;
    const directory = join(this.directory, folderOf(record.id));
    const project = projectOf(record.directory);
    const events = await EventLog.open(
      record.id,
      { session_id: record.id },
      { ...services, onFailure: (error) => this.giveUp(session, error) },
    );
    const session: Session = {
      id: record.id,
      record,
      systemPrompt,
      messages: [],
      events,
      permissions: permissionsOf(() => session),
      project,
      projectApprovals: services.approvals.forProject(project),
      tools: this.tools.filter((tool) => isOffered(tool, record)),
      get forTools() {
        return forTools;
      },
      directory,
      checkpoints: new Checkpoints({
        ...services,
        session: record.id,
        directory: join(directory, "files"),
        area: services.areaOf(record.directory),
        append: (body) => append(session, body),
      }),
      notes: NO_NOTES,
      services,
      active: null,
      queue: [],
      model: null,
      secrets: { credentials: null, userToken: null },
      stopping: false,
      closed: new AbortController(),
      readers: 0,
      senders: new Map(),
      usedAt: Date.now(),
    };
    const forTools = toolSessionOf(session);
    return session;
  }

  /**
   * The store refused what the session wrote. What is stored counts: its next use reads it anew, once
   * its turn has ended, and ends that as interrupted.
   */
  private giveUp(session: Session, error: Error): void {
    this.services.log.error("session given up", { session: session.id, error });
    this.secrets.set(session.id, session.secrets);
    void this.leave(session, error);
  }

  /**
   * Ends the session's turn, its readers and its provider. It stays in the store, and nothing more is
   * written for it from here. Never rejects.
   */
  private leave(session: Session, reason: Error): Promise<void> {
    const { id } = session;
    const known = this.leaving.get(id);
    if (known) return known;
    session.stopping = true;
    this.sessions.delete(id);
    const left = this.end(session, reason).finally(() => this.leaving.delete(id));
    this.leaving.set(id, left);
    return left;
  }

  private async end(session: Session, reason: Error): Promise<void> {
    if (session.active) {
      session.active.abort.abort(reason);
      await within(STOP_MS, session.active.ended);
    }
    await this.services.backgroundCommands.closeSession(session.id);
    session.events.close();
    session.closed.abort();
    session.model?.model.close();
    try {
      await this.services.store.release(session.id);
    } catch (error) {
      // It stays ours, which is no harm while this engine lives.
      this.services.log.error("session could not be released", { session: session.id, error });
    }
  }
}

const cancelled = (why: string) => new EngineError("cancelled", why);

function isOffered({ name, type }: Tool, { tools, network, parent }: SessionRecord): boolean {
  if (tools !== null && !tools.includes(name)) return false;
  if (type === "subagent") return (parent?.depth ?? 0) < SUBAGENT_DEPTH_MAX;
  return type !== "web_fetch" || network !== "none";
}

/**
 * Its commands are nowhere but in memory, and so are credentials of its own, which would be lost to another
 * engine: such a session stays. Not a child, of which a turn makes many; its secrets alone do.
 */
const isIdle = (session: Session): boolean =>
  session.active === null &&
  session.services.backgroundCommands.alive(session.id) === 0 &&
  session.queue.length === 0 &&
  session.readers === 0 &&
  (session.record.parent !== null || !hasSecrets(session));

const hasSecrets = ({ secrets }: Session): boolean =>
  secrets.credentials !== null || secrets.userToken !== null;

/** Its own also where file systems take `Demo` and `demo` for one name. No id has a `~`. */
const folderOf = (id: SessionId): string =>
  /[A-Z]|\.$/.test(id) ? `${id.toLowerCase()}~${sha256(id).slice(0, 8)}` : id;

const notFound = () => new EngineError("not_found", "Session not found");
const taken = (id: SessionId) => new EngineError("conflict", `Session '${id}' already exists`);
