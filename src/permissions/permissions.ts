/** May this call run? Mode, remembered approvals, asking and waiting. One for each session. */
import { EngineError } from "../domain/errors.ts";
import type { PermissionDenial } from "../domain/events.ts";
import type { ToolCallId } from "../domain/ids.ts";
import type { ApprovalMode, ApprovalScope, RiskLevel } from "../domain/permission.ts";
import type { PermissionStats } from "../domain/session.ts";
import { approvalKey, approves, toolKey } from "./approvals.ts";
import { asks } from "./rules.ts";

/** A call as the person who decides sees it. */
export type Request = {
  tool_id: ToolCallId;
  tool_name: string;
  tool_type: string;
  input: Record<string, unknown>;
  risk_level: RiskLevel;
  risk_reason: string;
};

export type Verdict = { allowed: true } | { allowed: false; reason: string };
export type Answer = { decision: "approve" | "deny"; scope: ApprovalScope };
/** What became of an answer: the scope that counts, and whether it outlives the session. */
export type Applied = { applied_scope: ApprovalScope; persisted: boolean };

export type PendingRequest = Request & { created_at: number };
type Pending = { request: PendingRequest; seq: number; answer(outcome: Outcome): void };
type Outcome =
  | { allowed: true; scope: ApprovalScope }
  | { allowed: false; reason: PermissionDenial };

/** What permissions need of their session. */
export type Asking = {
  mode(): ApprovalMode;
  setMode(mode: ApprovalMode): void;
  stats(): PermissionStats;
  /** Whether a prompt can be answered at all: false denies it at once. */
  attended(): boolean;
  timeoutMs(): number;
  /** Shows the request to every client; returns the event's seq. */
  onRequest(request: Request): number;
  onGranted(request: Request, scope: ApprovalScope): void;
  onDenied(request: Request, reason: PermissionDenial): void;
};

const REASONS: Record<PermissionDenial, string> = {
  user: "User denied",
  timeout: "Permission request timed out",
  unattended: "Nobody is attached to approve it",
  cancelled: "Cancelled by user",
};

export class Permissions {
  private readonly waiting = new Map<ToolCallId, Pending>();
  private readonly remembered = new Set<string>();

  constructor(private readonly asking: Asking) {}

  /** Resolves with the verdict; waits for an answer where the mode asks for one. */
  async check(request: Request, signal: AbortSignal): Promise<Verdict> {
    const { asking } = this;
    asking.stats().total_checks += 1;
    if (this.runsUnasked(request)) {
      asking.stats().auto_approved += 1;
      return { allowed: true };
    }
    const outcome = await this.ask(request, signal);
    if (outcome.allowed) {
      asking.stats().user_approved += 1;
      asking.onGranted(request, outcome.scope);
      return { allowed: true };
    }
    asking.stats().denied += 1;
    asking.onDenied(request, outcome.reason);
    return { allowed: false, reason: REASONS[outcome.reason] };
  }

  /**
   * Answers a pending request. Throws `not_found` where none is pending under this id, `bad_request`
   * where the scope does not fit it; the request stays pending then.
   */
  answer(id: ToolCallId, { decision, scope }: Answer): Applied {
    const pending = this.waiting.get(id);
    if (!pending) throw new EngineError("not_found", `No pending permission for tool_id '${id}'`);
    const applied = decision === "deny" ? "once" : this.remember(pending.request, scope);
    // The first answer wins: a second one finds nothing.
    this.waiting.delete(id);
    pending.answer(
      decision === "deny" ? { allowed: false, reason: "user" } : { allowed: true, scope: applied },
    );
    return { applied_scope: applied, persisted: false };
  }

  denyAll(reason: PermissionDenial): void {
    for (const [id, pending] of this.waiting) {
      this.waiting.delete(id);
      pending.answer({ allowed: false, reason });
    }
  }

  /** What waits for an answer, oldest first. */
  pending(): PendingRequest[] {
    return [...this.waiting.values()].map(({ request }) => request);
  }

  /** The same, with the seqs of the events that asked. */
  waitingRequests(): { request: PendingRequest; seq: number }[] {
    return [...this.waiting.values()];
  }

  private runsUnasked(request: Request): boolean {
    if (!asks(this.asking.mode(), request.tool_type, request.risk_level)) return true;
    return [...this.remembered].some((key) => approves(key, request));
  }

  private async ask(request: Request, signal: AbortSignal): Promise<Outcome> {
    const answered = Promise.withResolvers<Outcome>();
    const timer = setTimeout(
      () => answered.resolve({ allowed: false, reason: "timeout" }),
      this.asking.timeoutMs(),
    );
    const onAbort = () => answered.resolve({ allowed: false, reason: "cancelled" });
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const pending: Pending = {
      request: { ...request, created_at: Date.now() },
      seq: 0,
      answer: answered.resolve,
    };
    // Registered first: a client may answer as soon as it sees the event.
    this.waiting.set(request.tool_id, pending);
    try {
      pending.seq = this.asking.onRequest(request);
      if (!this.asking.attended()) this.denyAll("unattended");
      return await answered.promise;
    } finally {
      this.waiting.delete(request.tool_id);
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Remembers an approval for later calls, as far as its scope allows; returns the scope that counts. */
  private remember(request: Request, scope: ApprovalScope): ApprovalScope {
    const risky = request.risk_level === "high" || request.risk_level === "unknown";
    switch (scope) {
      case "once":
        return "once";
      case "session":
      case "project":
        // Approvals of a project are not kept on disk yet: they count for this session.
        if (risky) return "once";
        this.remembered.add(approvalKey(request));
        return "session";
      case "always_edits":
        if (request.tool_type !== "file_edit" && request.tool_type !== "file_write")
          throw new EngineError("bad_request", "Scope 'always_edits' is for file edits only");
        this.asking.setMode("auto_approve_edits");
        return "always_edits";
      case "trust_tool":
        if (request.tool_type === "terminal")
          throw new EngineError("bad_request", "Scope 'trust_tool' is not for terminal commands");
        if (risky) return "once";
        this.remembered.add(toolKey(request));
        return "trust_tool";
      default:
        return scope satisfies never;
    }
  }
}
