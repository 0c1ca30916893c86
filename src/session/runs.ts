/**
 * Runs: every accepted message is one. A session runs one at a time; others wait in its queue or
 * join the one that runs. Accepting is atomic: there is no `await` between look and take.
 */
import { EngineError } from "../domain/errors.ts";
import type { LastEvent } from "../domain/events.ts";
import { newRunId, type RunId } from "../domain/ids.ts";
import type { UserMessage } from "../domain/messages.ts";
import type { Delivery, RunLimits, RunRecord, TurnOutcome } from "../domain/session.ts";
import { dropQuestion } from "./question-gate.ts";
import {
  type ActiveRun,
  addMessage,
  append,
  forgetContent,
  openRuns,
  PREVIEW_CHARS,
  type Session,
  saveRun,
  saveSession,
} from "./session.ts";
import { cancelRun, runTurn } from "./turn.ts";

/** Messages that may wait in one session. */
const QUEUE_MAX = 100;
/** And how long they may be together, images included. */
const QUEUE_CHARS_MAX = 32 * 1024 * 1024;
const RUNS_LISTED_MAX = 500;
const UNANSWERED = "Not executed: another message came before an answer to the question";

/** What tells a repeated request from a new one. */
type Request = { idempotencyKey: string | null; requestHash: string | null };

export type Submission = Request & {
  message: UserMessage;
  delivery: Delivery;
  limits: RunLimits;
};
/** `attached`: the idempotency key is that of a run accepted before. */
export type Accepted = { run: RunRecord; outcome: "started" | "queued" | "steered" | "attached" };

/**
 * Takes the message: starts it, queues it, or joins it to the active run. Resolves when that is
 * stored. Throws `conflict` when a run is active and the message may not wait.
 */
export async function submit(session: Session, submission: Submission): Promise<Accepted> {
  const repeated = await findRepeated(session, submission);
  // Looked at once more: no other request with the key can come between this and the taking.
  const accepted = repeated ?? attach(session, submission, null) ?? accept(session, submission);
  await session.events.flushed();
  return accepted;
}

/** The run that this very request was accepted as before; null: it is new. Throws where only its key is. */
export async function findRepeated(session: Session, request: Request): Promise<Accepted | null> {
  return attach(session, request, await runByKey(session, request.idempotencyKey));
}

/** The run that came with the key, as it stands now. */
async function runByKey(session: Session, key: string | null): Promise<RunRecord | null> {
  if (key === null) return null;
  const { commit, store } = session.services;
  for (;;) {
    const open = openByKey(session, key);
    if (open) return open;
    await commit.settled();
    const run = await store.runByKey(session.id, key);
    // One that began or ended while it was looked for is looked for again.
    if (run === null || run.endedAt !== null || session.stopping) return run;
  }
}

const openByKey = (session: Session, key: string): RunRecord | null =>
  openRuns(session).find(({ idempotencyKey }) => idempotencyKey === key) ?? null;

function attach(session: Session, request: Request, known: RunRecord | null): Accepted | null {
  const { idempotencyKey: key, requestHash } = request;
  const run = key === null ? null : (openByKey(session, key) ?? known);
  if (run === null) return null;
  if (run.requestHash !== requestHash)
    throw new EngineError(
      "invalid_request",
      "This Idempotency-Key came with another request before",
    );
  return { run, outcome: "attached" };
}

/** Starts the task that `parent` hands to a child session. Throws where a client was faster. */
export function startTask(
  session: Session,
  { text, limits }: { text: string; limits: RunLimits },
  parent: Session,
): ActiveRun {
  refuseClosing(session);
  if (session.active) throw turnInProgress();
  const message: UserMessage = { role: "user", text, images: [] };
  const request = { idempotencyKey: null, requestHash: null };
  const record = newRun(session, { message, delivery: "reject", limits, ...request });
  return start(session, record, parent);
}

function accept(session: Session, submission: Submission): Accepted {
  const { active, queue } = session;
  const { delivery } = submission;
  refuseClosing(session);
  if (active && delivery === "reject") throw turnInProgress();
  refuseFullQueue([...queue, ...(active?.steered ?? [])], submission.message);

  const run = newRun(session, submission);
  run.place = placeOf(session, delivery);
  if (!active) {
    start(session, run);
    return { run, outcome: "started" };
  }
  saveRun(session, run);
  if (delivery === "steer") {
    active.steered.push(run);
    append(session, { type: "message_steered", run_id: run.id, into: active.record.id });
    return { run, outcome: "steered" };
  }
  queue.push(run);
  append(session, { type: "message_queued", run_id: run.id, position: queue.length });
  return { run, outcome: "queued" };
}

function refuseClosing({ stopping }: Session): void {
  if (stopping) throw new EngineError("unavailable", "The session is being closed");
}

const turnInProgress = () => new EngineError("conflict", "Turn already in progress");

/** What is to join the active run comes before the queue, should it be too late for that. */
function placeOf({ queue, active }: Session, delivery: Delivery): number {
  const joins = active !== null && delivery === "steer";
  return joins ? (queue[0]?.place ?? 1) - 1 : (queue.at(-1)?.place ?? 0) + 1;
}

function refuseFullQueue(waiting: readonly RunRecord[], message: UserMessage): void {
  const size = waiting.reduce((sum, run) => sum + sizeOf(run.message), sizeOf(message));
  if (waiting.length < QUEUE_MAX && (waiting.length === 0 || size <= QUEUE_CHARS_MAX)) return;
  throw new EngineError("unavailable", `${waiting.length} messages wait in this session already`, {
    retryable: true,
  });
}

const sizeOf = ({ text, images }: UserMessage): number =>
  images.reduce((sum, { base64 }) => sum + base64.length, text.length);

/** Starts the next queued run, if none is active. */
export function startNext(session: Session): void {
  if (session.active || session.stopping || lacksCredentials(session)) return;
  const next = session.queue.shift();
  if (next) start(session, next);
}

/** Its queue waits for them: without, each run would fail. */
const lacksCredentials = ({ record, secrets }: Session): boolean =>
  record.inlineCredentials && secrets.credentials === null;

function start(session: Session, record: RunRecord, parent: Session | null = null): ActiveRun {
  const ended = Promise.withResolvers<void>();
  const run: ActiveRun = {
    record,
    abort: new AbortController(),
    steered: [],
    unsaid: null,
    parent,
    answer: "",
    subagents: { started: 0, tokens: 0, toolCalls: 0 },
    ended: ended.promise,
  };
  session.active = run;
  record.state = "running";
  record.startedAt = Date.now();
  record.afterSeq = session.events.last;
  const prompt = record.message.text.slice(0, PREVIEW_CHARS);
  const { question } = session.record;
  // Whoever wrote it had not seen the question: it allows nothing.
  if (question && record.acceptedAfter < question.seq) dropQuestion(session, UNANSWERED);
  if (session.record.question) {
    run.unsaid = record.message;
  } else {
    addMessage(session, { ...record.message, ts: record.startedAt });
    forgetContent(record);
  }
  saveRun(session, record);
  append(session, { type: "turn_started", turn_id: record.id, prompt });
  session.services.lifecycle.append({
    type: "turn_started",
    session_id: session.id,
    turn_id: record.id,
  });
  // Never rejects: what goes wrong in a turn is its last event.
  void runTurn(session, run)
    .then((last) => end(session, run, last))
    .then(ended.resolve);
  return run;
}

/**
 * Everything about the end of a turn is stored together, and the session is free again before a
 * client can have read the last event.
 */
async function end(session: Session, run: ActiveRun, last: LastEvent): Promise<void> {
  try {
    recordEnd(session, run.record, last);
    // What could not join this run any more comes next.
    session.queue.unshift(...run.steered);
    session.active = null;
    session.usedAt = Date.now();
    startNext(session);
    await session.events.flushed();
    await session.events.trim();
    await session.services.lifecycle.trim();
  } catch (error) {
    // The log is closed: the session has been given up (see SessionRegistry).
    if (session.active === run) session.active = null;
    session.services.log.error("turn could not be stored", { session: session.id, error });
  }
}

/** The run's last event, and what follows from it, in one piece. */
export function recordEnd(session: Session, record: RunRecord, last: LastEvent): void {
  const { record: about, services } = session;
  record.endSeq = append(session, last);
  record.endedAt = Date.now();
  if (last.type === "turn_complete") {
    record.stopReason = last.stop_reason;
    about.totals.turns += 1;
    about.totals.inputTokens += last.input_tokens;
    about.totals.outputTokens += last.output_tokens;
  } else {
    record.error = { code: last.code, message: last.message };
  }
  const state = outcomeOf(last);
  record.state = state;
  about.lastTurn = { runId: record.id, status: state, error: record.error?.message ?? null };
  saveRun(session, record);
  saveSession(session);
  services.lifecycle.append({
    type: "turn_ended",
    session_id: session.id,
    turn_id: record.id,
    state,
    reason: record.stopReason ?? record.error?.code ?? "",
  });
}

function outcomeOf(last: LastEvent): TurnOutcome {
  if (last.type === "turn_complete") return "completed";
  return last.code === "cancelled" ? "canceled" : "failed";
}

/** Cancels a run, active or waiting. One that has ended stays as it is. */
export function cancel(session: Session, id: RunId): void {
  const { active } = session;
  if (active?.record.id === id) cancelRun(active);
  for (const list of [session.queue, active?.steered ?? []]) {
    const at = list.findIndex((run) => run.id === id);
    const run = list[at];
    if (!run) continue;
    list.splice(at, 1);
    run.state = "canceled";
    run.endedAt = Date.now();
    saveRun(session, run);
    append(session, { type: "run_canceled", run_id: run.id });
  }
}

/** Puts the queued runs into this order; those it does not name stay behind, in theirs. */
export function reorder(session: Session, ids: readonly RunId[]): void {
  const named = [...new Set(ids)].map((id) => {
    const run = session.queue.find((each) => each.id === id);
    if (!run) throw new EngineError("not_found", `No queued run '${id}'`);
    return run;
  });
  const rest = session.queue.filter((run) => !named.includes(run));
  session.queue = [...named, ...rest];
  session.queue.forEach((run, place) => {
    run.place = place;
    saveRun(session, run);
  });
}

/** The session's runs, newest first, as they stand now. */
export async function listRuns(session: Session): Promise<RunRecord[]> {
  await session.services.commit.settled();
  return session.services.store.runs(session.id, RUNS_LISTED_MAX);
}

/** A run of the session, wherever it stands. */
export async function findRun(session: Session, id: RunId): Promise<RunRecord> {
  const open = openRuns(session).find((run) => run.id === id);
  if (open) return open;
  // Its end may be on its way to the store.
  await session.services.commit.settled();
  const run = await session.services.store.run(session.id, id);
  if (run === null) throw new EngineError("not_found", `Run '${id}' not found`);
  return run;
}

function newRun(session: Session, submission: Submission): RunRecord {
  const { message, delivery, limits, idempotencyKey, requestHash } = submission;
  return {
    id: newRunId(),
    sessionId: session.id,
    state: "queued",
    delivery,
    message,
    limits,
    place: 0,
    idempotencyKey,
    requestHash,
    createdAt: Date.now(),
    startedAt: null,
    endedAt: null,
    acceptedAfter: session.events.last,
    afterSeq: null,
    endSeq: null,
    steeredInto: null,
    stopReason: null,
    error: null,
    usage: { inputTokens: 0, outputTokens: 0, thinkingTokens: 0, toolCalls: 0 },
  };
}
