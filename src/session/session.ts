/** The Session type: one conversation in memory, as plain data; what must survive is in `record`. */
import type { Approvals, ProjectApprovals } from "../config/approvals.ts";
import type { PermissionRulesFiles } from "../config/permission-rules.ts";
import type { Profiles } from "../config/profiles.ts";
import type { EventBody } from "../domain/events.ts";
import type { RunId, SessionId } from "../domain/ids.ts";
import type { Message, UserMessage } from "../domain/messages.ts";
import type { Model } from "../domain/model.ts";
import type { Profile } from "../domain/profile.ts";
import type { RunRecord, SessionRecord } from "../domain/session.ts";
import type { TodoItem } from "../domain/todo.ts";
import type { Tool, ToolSession } from "../domain/tool.ts";
import type { Log } from "../lib/log.ts";
import type { Permissions } from "../permissions/permissions.ts";
import type { RiskAssessor } from "../permissions/risk.ts";
import type { GroupCommit } from "../store/group-commit.ts";
import type { DocumentName, Store, Write } from "../store/store.ts";
import type { BackgroundCommands } from "../tools/background-commands.ts";
import type { AreaOf } from "../tools/workspace.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { EventLog } from "./event-log.ts";

/** How much of a message its run shows. */
export const PREVIEW_CHARS = 2_000;

export type Session = {
  readonly id: SessionId;
  record: SessionRecord;
  systemPrompt: string;
  messages: Message[];
  readonly events: EventLog;
  readonly permissions: Permissions;
  /** Absolute path of the project that its workspace is in. */
  readonly project: string;
  /** What people approved for good there. */
  readonly projectApprovals: ProjectApprovals;
  /** Those that it may be offered. */
  readonly tools: readonly Tool[];
  readonly forTools: ToolSession;
  /** Absolute path of its private folder, made when it is first needed. */
  readonly directory: string;
  readonly checkpoints: Checkpoints;
  notes: Notes;
  readonly services: SessionServices;
  /** The run whose turn is under way. */
  active: ActiveRun | null;
  /** Accepted messages that wait for their turn, next first. */
  queue: RunRecord[];
  /** Opened by the first turn, and anew when its profile has changed. */
  model: { profile: Profile; model: Model } | null;
  /** What the client gave for this session alone. Never stored, never shown. */
  secrets: { credentials: Profile | null; userToken: string | null };
  /** True from the moment on that the session takes no more messages and starts no more runs. */
  stopping: boolean;
  /** Aborted when the session is let go, after its last turn: its readers end. */
  readonly closed: AbortController;
  /** Streams that follow the session now. */
  readers: number;
  /** Of each run the requests that sent its message and follow it still. */
  readonly senders: Map<RunId, number>;
  /** Milliseconds since the epoch. */
  usedAt: number;
};

export type Notes = { todo: readonly TodoItem[]; scratchpad: string };

export type ActiveRun = {
  record: RunRecord;
  /** Aborted with an EngineError or a LimitReached as the reason. */
  readonly abort: AbortController;
  /** Messages that join before the next call of the model. */
  steered: RunRecord[];
  /** The message, until it has entered the conversation: an answer waits for the calls that a question held. */
  unsaid: UserMessage | null;
  /** Of a child session's task: whose call it answers. */
  readonly parent: Session | null;
  /** The last text that the model said in it; empty: none. */
  answer: string;
  /** What it handed on: to how many, and what they used. */
  readonly subagents: { started: number; tokens: number; toolCalls: number };
  /** Resolves when the turn has ended and everything about it is stored. */
  readonly ended: Promise<void>;
};

/** What sessions need of the engine. */
export type SessionServices = {
  /** What `~` means. */
  readonly home: string;
  readonly permissionTimeoutMs: number;
  readonly eventsKept: number;
  readonly store: Store;
  readonly commit: GroupCommit;
  readonly log: Log;
  /** The lifecycle of all sessions, for dashboards. */
  readonly lifecycle: EventLog;
  readonly profiles: Profiles;
  /** What files of a workspace may be read. */
  readonly areaOf: AreaOf;
  readonly backgroundCommands: BackgroundCommands;
  readonly rules: PermissionRulesFiles;
  readonly approvals: Approvals;
  readonly assessor: RiskAssessor;
  /** Whether `<question>` ends a turn; the user's setting as it is now. */
  questionGate(): boolean;
  openModel(profile: Profile): Promise<Model>;
  createSession(wanted: NewSession): Promise<Session>;
};

export type NewSession = {
  record: SessionRecord;
  systemPrompt: string;
  credentials: Profile | null;
  userToken: string | null;
};

/** Adds to the conversation, for good. What is written in the same tick is stored with it. */
export function addMessage(session: Session, message: Message): void {
  const index = session.messages.push(message) - 1;
  void saved(session, { kind: "message", session: session.id, index, message });
}

/** The system prompt stays. A question that waits for its answer is forgotten with the rest. */
export async function clearMessages(session: Session): Promise<void> {
  session.messages = [];
  session.record.question = null;
  saveSession(session);
  await storeWrite(session, { kind: "clear_messages", session: session.id });
}

export function saveSession(session: Session): void {
  void saved(session, { kind: "session", record: { ...session.record } });
}

export function saveRun(session: Session, record: RunRecord): void {
  void saved(session, { kind: "run", record: { ...record } });
}

export function saveDocument(session: Session, name: DocumentName, text: string): void {
  void saved(session, { kind: "document", session: session.id, name, text });
}

/** A write that fails also fails the events written with it, and with them the session (see EventLog). */
async function saved(session: Session, write: Write): Promise<void> {
  try {
    await storeWrite(session, write);
  } catch (error) {
    session.services.log.error("session could not be stored", { session: session.id, error });
  }
}

/** The conversation has it now; the record keeps a preview, for lists. */
export function forgetContent(record: RunRecord): void {
  const text = record.message.text.slice(0, PREVIEW_CHARS);
  record.message = { role: "user", text, images: [] };
}

/** Nothing is written beside a log that is closed: what is stored must stay of one piece. */
const storeWrite = (session: Session, write: Write): Promise<void> =>
  session.services.commit.write(() => (session.events.closed ? null : write));

/** Resolves when the session's record is durable, for who has to answer for it; rejects when it is not. */
export const sessionStored = (session: Session): Promise<void> =>
  storeWrite(session, { kind: "session", record: { ...session.record } });

/** The runs that are under way or wait. */
export const openRuns = ({ active, queue }: Session): RunRecord[] =>
  active ? [active.record, ...active.steered, ...queue] : queue;

/** Of a child session at work: whose call it answers. */
export const parentOf = ({ active }: Session): Session | null => active?.parent ?? null;

/** Whose turn it is in the end: of a child at work that of the session at the top. */
export function rootOf(session: Session): Session {
  const parent = parentOf(session);
  return parent === null ? session : rootOf(parent);
}

/** Whether anybody follows it; of a child at work also one of those that it works for. */
export function isFollowed(session: Session): boolean {
  const parent = parentOf(session);
  return session.readers > 0 || (parent !== null && isFollowed(parent));
}

export const append = (session: Session, body: EventBody): number => session.events.append(body);

/** Counts a stream as following the session, until what it returns is called. */
export function attachReader(session: Session): () => void {
  session.readers += 1;
  let attached = true;
  return () => {
    if (!attached) return;
    attached = false;
    session.readers -= 1;
    session.usedAt = Date.now();
    if (!isFollowed(session) && session.record.unattended === "deny")
      session.permissions.denyAll("unattended");
  };
}

/** Counts a request as following the run; what it returns ends that, and tells how many are left. */
export function attachSender({ senders }: Session, run: RunId): () => number {
  senders.set(run, (senders.get(run) ?? 0) + 1);
  return () => {
    const left = (senders.get(run) ?? 1) - 1;
    if (left === 0) senders.delete(run);
    else senders.set(run, left);
    return left;
  };
}
