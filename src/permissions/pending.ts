/** The questions that wait for an answer. Each ends once; of several answers the first counts. */
import { EngineError } from "../domain/errors.ts";
import type { PermissionDenial } from "../domain/events.ts";
import type { ToolCallId } from "../domain/ids.ts";
import type { ApprovalScope, PermissionPrompt } from "../domain/permission.ts";

export type PendingRequest = PermissionPrompt & { created_at: number };

export type Answer = { decision: "approve" | "deny"; scope: ApprovalScope };
/** What became of an answer: the scope that counts, and whether it outlives the session. */
export type Applied = { applied_scope: ApprovalScope; persisted: boolean };

export type Outcome =
  | { allowed: true; scope: ApprovalScope }
  | { allowed: false; reason: PermissionDenial };

/**
 * Makes the answer count before the question ends. Rejects where it cannot: the question waits on then.
 * `denial`: why it is denied, where that was not a person's answer.
 */
export type Apply = (answer: Answer, denial?: PermissionDenial) => Promise<Applied>;

type Pending = {
  request: PendingRequest;
  /** Of the event that asked. */
  seq: number;
  /** An answer is being applied. */
  claimed: boolean;
  /** How it ended meanwhile, unless that answer counts. */
  late: Outcome | null;
  apply: Apply;
  settle(outcome: Outcome): void;
};

export type OpenQuestion = {
  outcome: Promise<Outcome>;
  /** Ends it, where nothing else has yet. */
  end(outcome: Outcome): void;
  shownAs(seq: number): void;
};

export class PendingQuestions {
  private readonly waiting = new Map<ToolCallId, Pending>();

  /** Waits from now on. Throws where one of this id waits already. */
  open(prompt: PermissionPrompt, apply: Apply): OpenQuestion {
    const id = prompt.tool_id;
    if (this.waiting.has(id))
      throw new EngineError("conflict", `A permission for tool_id '${id}' is pending already`);
    const settled = Promise.withResolvers<Outcome>();
    const pending: Pending = {
      request: { ...prompt, created_at: Date.now() },
      seq: 0,
      claimed: false,
      late: null,
      apply,
      settle: settled.resolve,
    };
    this.waiting.set(id, pending);
    return {
      outcome: settled.promise,
      end: (outcome) => this.end(id, pending, outcome),
      shownAs(seq) {
        pending.seq = seq;
      },
    };
  }

  /** Throws `not_found` where none waits under this id, or another answer came first. */
  async answer(id: ToolCallId, answer: Answer, denial?: PermissionDenial): Promise<Applied> {
    const pending = this.waiting.get(id);
    if (pending === undefined || pending.claimed) throw noneWaits(id);
    pending.claimed = true;
    let applied: Applied;
    try {
      applied = await pending.apply(answer, denial);
    } catch (error) {
      pending.claimed = false;
      if (pending.late) this.end(id, pending, pending.late);
      throw error;
    }
    pending.claimed = false;
    // It may have ended meanwhile: by its time, by a cancelled turn.
    if (this.waiting.get(id) !== pending) throw noneWaits(id);
    this.end(
      id,
      pending,
      answer.decision === "approve"
        ? { allowed: true, scope: applied.applied_scope }
        : { allowed: false, reason: denial ?? "user" },
    );
    return applied;
  }

  all(): { request: PendingRequest; seq: number }[] {
    return [...this.waiting.values()];
  }

  private end(id: ToolCallId, pending: Pending, outcome: Outcome): void {
    if (this.waiting.get(id) !== pending) return;
    // An answer that is being stored came in time; where that fails, the time is up.
    if (pending.claimed && !outcome.allowed && outcome.reason === "timeout") {
      pending.late = outcome;
      return;
    }
    this.waiting.delete(id);
    pending.settle(outcome);
  }

  endAll(reason: PermissionDenial): void {
    for (const [id, pending] of this.waiting) this.end(id, pending, { allowed: false, reason });
  }
}

const noneWaits = (id: ToolCallId): EngineError =>
  new EngineError("not_found", `No pending permission for tool_id '${id}'`);
