/** May this call run? Rules, mode, approvals, asking and waiting. One for each session. */
import type { ProjectApprovals } from "../config/approvals.ts";
import type { PermissionRules } from "../config/permission-rules.ts";
import { EngineError } from "../domain/errors.ts";
import type { PermissionDenial } from "../domain/events.ts";
import type { ToolCallId } from "../domain/ids.ts";
import type {
  ApprovalMode,
  ApprovalScope,
  PermissionPrompt,
  StoredApproval,
} from "../domain/permission.ts";
import type { PermissionStats } from "../domain/session.ts";
import type { Log } from "../lib/log.ts";
import {
  approvedBy,
  lastingApproval,
  ownApprovals,
  sharedApprovals,
  suggestedScopes,
} from "./approvals.ts";
import { type CheckedCall, isAtMost, isCommand, isRisky, type Judging, partsOf } from "./call.ts";
import { partKey } from "./command-keys.ts";
import { asks, isEdit } from "./modes.ts";
import {
  type Answer,
  type Applied,
  type Apply,
  type Outcome,
  PendingQuestions,
  type PendingRequest,
} from "./pending.ts";
import type { Surroundings } from "./places.ts";
import { closedPaths, denialByRules, judgeByRules } from "./rules.ts";

export type { CheckedCall } from "./call.ts";
export type { Answer, Applied, Apply, Outcome, PendingRequest } from "./pending.ts";

/** `blocked`: by a rule, so that nobody was asked. */
export type Verdict =
  | { allowed: true; reason: string }
  | { allowed: false; reason: string; blocked?: true };

/** What permissions need of their session. */
export type Asking = {
  mode(): ApprovalMode;
  setMode(mode: ApprovalMode): void;
  stats(): PermissionStats;
  where(): Surroundings;
  rules(): PermissionRules;
  projectApprovals(): ProjectApprovals;
  /** What was approved for this session, and a way to add to it. */
  approvals(): readonly StoredApproval[];
  remember(approval: StoredApproval): void;
  log(): Log;
  /** Whether a prompt can be answered at all: false denies it at once. */
  attended(): boolean;
  timeoutMs(): number;
  /** Shows the request to every client; returns the event's seq. */
  onRequest(prompt: PermissionPrompt): number;
  onGranted(prompt: PermissionPrompt, scope: ApprovalScope): void;
  onDenied(prompt: PermissionPrompt, reason: PermissionDenial): void;
  /** Shows the question elsewhere too. What it returns is called with the outcome, whoever answered. */
  alsoAsk?(prompt: PermissionPrompt, answer: Apply): (outcome: Outcome) => void;
};

const REASONS: Record<PermissionDenial, string> = {
  user: "User denied",
  timeout: "Permission request timed out",
  unattended: "Nobody is attached to approve it",
  cancelled: "Cancelled by user",
};
const CHECK_FAILED = "The permission check failed; the engine's log says why";
/** What one session remembers. */
const APPROVALS_MAX = 1_000;

type Decision =
  | { action: "block"; reason: string }
  | { action: "allow"; reason: string }
  /** `onlyOnce`: an approval for later would not be heeded. */
  | { action: "ask"; prompt: PermissionPrompt; onlyOnce: boolean };

export class Permissions {
  private readonly questions = new PendingQuestions();

  constructor(private readonly asking: Asking) {}

  /** Why a rule denies the call, before anything is read for it; null: none does. Counts nothing. */
  async blocked(call: CheckedCall): Promise<string | null> {
    try {
      return denialByRules(this.asking.rules(), call, this.asking.where());
    } catch (error) {
      this.asking.log().error("A permission check failed", { error, tool: call.tool_name });
      return CHECK_FAILED;
    }
  }

  /** What this tool must pass over where it looks through a folder, as patterns of rules. */
  closedPaths(tool: string): string[] {
    return closedPaths(this.asking.rules(), tool, this.asking.mode());
  }

  /** Resolves with the verdict; waits for an answer where one is needed. */
  async check(call: CheckedCall, signal: AbortSignal): Promise<Verdict> {
    const { asking } = this;
    const stats = asking.stats();
    stats.total_checks += 1;
    let decision: Decision;
    try {
      decision = this.decide(call);
    } catch (error) {
      stats.denied += 1;
      asking.log().error("A permission check failed", { error, tool: call.tool_name });
      return { allowed: false, reason: CHECK_FAILED };
    }
    switch (decision.action) {
      case "block":
        stats.blocked += 1;
        return { allowed: false, reason: decision.reason, blocked: true };
      case "allow":
        stats.auto_approved += 1;
        return { allowed: true, reason: decision.reason };
      case "ask": {
        const outcome = await this.ask(call, decision, signal);
        if (outcome.allowed) stats.user_approved += 1;
        else stats.denied += 1;
        this.announce(decision.prompt, outcome);
        if (outcome.allowed) return { allowed: true, reason: "Approved by user" };
        return { allowed: false, reason: REASONS[outcome.reason] };
      }
      default:
        return decision satisfies never;
    }
  }

  /**
   * Answers a pending request. Throws `not_found` where none is pending under this id, `bad_request` where
   * the scope does not fit it, and what kept an approval from being stored; the request stays pending then.
   */
  answer(id: ToolCallId, answer: Answer): Promise<Applied> {
    return this.questions.answer(id, answer);
  }

  /** Asks somebody else's question here too; `answer` hands what is answered to the asker. */
  relay(prompt: PermissionPrompt, answer: Apply): { retract(outcome: Outcome): void } {
    const question = this.questions.open(prompt, answer);
    void this.endRelayed(prompt, question.outcome, answer);
    question.shownAs(this.asking.onRequest(prompt));
    return { retract: question.end };
  }

  /** Never rejects: nobody waits for it. */
  private async endRelayed(
    prompt: PermissionPrompt,
    ended: Promise<Outcome>,
    answer: Apply,
  ): Promise<void> {
    const outcome = await ended;
    try {
      this.announce(prompt, outcome);
      if (outcome.allowed || outcome.reason === "user") return;
      await answer({ decision: "deny", scope: "once" }, outcome.reason);
    } catch (error) {
      // The asker has ended it before: that is how it ended here.
      if (error instanceof EngineError && error.code === "not_found") return;
      this.asking.log().error("A denial did not reach who asked", { error });
    }
  }

  denyAll(reason: PermissionDenial): void {
    this.questions.endAll(reason);
  }

  /** What waits for an answer, oldest first. */
  pending(): PendingRequest[] {
    return this.questions.all().map(({ request }) => request);
  }

  /** The same, with the seqs of the events that asked. */
  waitingRequests(): { request: PendingRequest; seq: number }[] {
    return this.questions.all();
  }

  private decide(call: CheckedCall): Decision {
    const { asking } = this;
    const judging: Judging = { call, where: asking.where() };
    const shared = sharedApprovals(asking.projectApprovals().keys());
    const own = ownApprovals(asking.approvals());
    const approved = [...shared, ...own];
    const byRule = judgeByRules(
      asking.rules(),
      call,
      judging.where,
      (part) => partKey(approved, part, judging) !== null,
    );
    if (byRule?.action === "deny") return { action: "block", reason: byRule.reason };
    const mode = asking.mode();
    const always = byRule?.action === "ask" && byRule.always;
    if (mode === "trust_all" && !always) return { action: "allow", reason: "Mode trust_all" };
    if (byRule?.action === "allow") return byRule;
    if (byRule?.action === "ask")
      return { action: "ask", prompt: promptOf(judging, byRule.reason), onlyOnce: true };

    const key = approvedBy(shared, judging) ?? approvedBy(approved, judging);
    if (key !== null) return { action: "allow", reason: `Approved before: ${key}` };
    if (!asks(mode, call.tool_type, call.assessment.level))
      return { action: "allow", reason: `Mode ${mode} does not ask about it` };
    return { action: "ask", prompt: promptOf(judging, null), onlyOnce: false };
  }

  private async ask(
    call: CheckedCall,
    { prompt, onlyOnce }: Extract<Decision, { action: "ask" }>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { asking } = this;
    const apply: Apply = async ({ decision, scope }) => {
      if (decision === "deny") return ONCE;
      checkScope(scope, call);
      return onlyOnce ? ONCE : await this.remember(scope, call, signal);
    };
    // Before it is shown: a client may answer as soon as it sees the event.
    const question = this.questions.open(prompt, apply);
    const onAbort = () => question.end({ allowed: false, reason: "cancelled" });
    const timer = setTimeout(
      () => question.end({ allowed: false, reason: "timeout" }),
      asking.timeoutMs(),
    );
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    let retract: (outcome: Outcome) => void = () => {};
    try {
      question.shownAs(asking.onRequest(prompt));
      if (asking.attended()) retract = this.askElsewhere(prompt);
      else question.end({ allowed: false, reason: "unattended" });
      return await question.outcome;
    } finally {
      // Where showing it failed as well.
      onAbort();
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      retract(await question.outcome);
    }
  }

  private askElsewhere(prompt: PermissionPrompt): (outcome: Outcome) => void {
    const answer: Apply = (given, denial) => this.questions.answer(prompt.tool_id, given, denial);
    return this.asking.alsoAsk?.(prompt, answer) ?? (() => {});
  }

  /** Makes an approval count for later calls, as far as its scope and the call allow. */
  private async remember(
    scope: ApprovalScope,
    call: CheckedCall,
    signal: AbortSignal,
  ): Promise<Applied> {
    const { asking } = this;
    if (scope === "always_edits" && !isRisky(call.assessment.level)) {
      asking.setMode("auto_approve_edits");
      return { applied_scope: scope, persisted: false };
    }
    const lasting = lastingApproval(scope, { call, where: asking.where() });
    if (lasting === null) return ONCE;
    if (scope === "project") {
      const keys = lasting.approvals.map(({ key }) => key);
      await asking.projectApprovals().add(keys, signal);
      return { applied_scope: scope, persisted: true };
    }
    const known = asking.approvals();
    const added = lasting.approvals.filter(
      ({ key, level }) => !known.some((old) => old.key === key && isAtMost(level, old.level)),
    );
    if (known.length + added.length > APPROVALS_MAX) return ONCE;
    for (const approval of added) asking.remember(approval);
    return { applied_scope: scope, persisted: false };
  }

  private announce(prompt: PermissionPrompt, outcome: Outcome): void {
    if (outcome.allowed) this.asking.onGranted(prompt, outcome.scope);
    else this.asking.onDenied(prompt, outcome.reason);
  }
}

const ONCE: Applied = { applied_scope: "once", persisted: false };

function checkScope(scope: ApprovalScope, call: CheckedCall): void {
  if (scope === "always_edits" && !isEdit(call.tool_type))
    throw new EngineError("bad_request", "Scope 'always_edits' is for file edits only");
  if (scope === "trust_tool" && isCommand(call))
    throw new EngineError("bad_request", "Scope 'trust_tool' is not for terminal commands");
}

/** `ruleReason`: why a rule asks; nothing that is approved for later is heeded then. */
function promptOf(judging: Judging, ruleReason: string | null): PermissionPrompt {
  const { tool_id, tool_name, tool_type, input, assessment, diff } = judging.call;
  return {
    tool_id,
    tool_name,
    tool_type,
    input,
    risk_level: assessment.level,
    risk_reason: ruleReason === null ? assessment.reason : `${assessment.reason}. ${ruleReason}`,
    parts: partsOf(judging.call).map(({ text, level, reason }) => ({
      text,
      risk_level: level,
      reason,
    })),
    suggested_scopes: suggestedScopes(judging, ruleReason !== null),
    diff,
    subagent: null,
  };
}
