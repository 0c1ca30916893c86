/** Asks the user about tool calls, while the events go on. */
import { EngineError, toEngineError } from "../domain/errors.ts";
import type { EngineEvent, PermissionDenial, StreamNotice } from "../domain/events.ts";
import type { ToolCallId } from "../domain/ids.ts";
import type { ApprovalScope } from "../domain/permission.ts";
import { type Client, call } from "./client.ts";
import { askAbout, type OfferedScope, type PermissionRequest } from "./permission-question.ts";
import type { TerminalLines } from "./read-line.ts";
import { type Screen, styled } from "./screen.ts";

type Decision = { decision: "approve" | "deny"; scope: "once" | OfferedScope };
type Applied = { applied_scope: ApprovalScope; persisted: boolean };
type Open = { closed: AbortController; answered: boolean };

/**
 * Asks one question after the other, in the order of the requests: subagents ask through their parent, so
 * several can be open. Another client may answer first: then that question is taken back, and no other.
 */
export class PermissionPrompts {
  private readonly open = new Map<ToolCallId, Open>();
  private asking: Promise<void> = Promise.resolve();
  private readonly path: string;

  /** `lines` null: nobody can be asked, and every request is denied. */
  constructor(
    private readonly client: Client,
    session: string,
    private readonly screen: Screen,
    private readonly lines: TerminalLines | null,
  ) {
    this.path = `/sessions/${encodeURIComponent(session)}`;
  }

  /** To be told of every event; asks and takes back. */
  see(event: EngineEvent | StreamNotice): void {
    switch (event.type) {
      case "permission_request":
        if (!this.open.has(event.tool_id)) this.begin(event);
        break;
      case "permission_granted":
        this.takeBack(event.tool_id, "answered elsewhere");
        break;
      case "permission_denied":
        this.takeBack(event.tool_id, DENIALS[event.reason]);
        break;
      case "turn_complete":
      case "error":
        this.takeBackAll();
        break;
      default:
        break;
    }
  }

  /** Takes back what is open and waits for an answer that is under way. */
  async close(): Promise<void> {
    this.takeBackAll();
    await this.asking;
  }

  private begin(request: PermissionRequest): void {
    const open: Open = { closed: new AbortController(), answered: false };
    this.open.set(request.tool_id, open);
    this.asking = this.asking.then(() => this.settle(request, open));
  }

  private takeBack(id: ToolCallId, why: string): void {
    const open = this.open.get(id);
    if (open && !open.answered) open.closed.abort(new EngineError("cancelled", why));
    this.open.delete(id);
  }

  private takeBackAll(): void {
    for (const id of this.open.keys()) this.takeBack(id, "the turn is over");
  }

  /** Never rejects: an answer that cannot be given leaves the request pending. */
  private async settle(request: PermissionRequest, open: Open): Promise<void> {
    const { signal } = open.closed;
    try {
      if (signal.aborted || !(await this.isPending(request.tool_id, signal))) return;
      const decision = await this.decide(request, signal);
      open.answered = true;
      const path = `${this.path}/permission`;
      const body = { tool_id: request.tool_id, ...decision };
      const applied = await call<Applied>(this.client, { method: "POST", path, body });
      const narrower = whatIsNarrower(decision, applied);
      if (narrower !== null) await this.screen.line(styled("dim", `  ${narrower}`));
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = toEngineError(error);
      if (code === "not_found") await this.screen.line(styled("dim", "  answered elsewhere"));
      else await this.screen.line(styled("red", `✗ the answer was not taken: ${message}`));
    }
  }

  /** A stream from the past shows requests that were answered long ago. */
  private async isPending(id: ToolCallId, signal: AbortSignal): Promise<boolean> {
    const request = { method: "GET", path: `${this.path}/permissions` } as const;
    const { pending } = await call<{ pending: string[] }>(this.client, request, signal);
    return pending.includes(id);
  }

  private async decide(request: PermissionRequest, signal: AbortSignal): Promise<Decision> {
    const { screen, lines } = this;
    if (lines === null) {
      const head = `✗ ${request.tool_name} denied: nobody can be asked here.`;
      await screen.line(
        styled("yellow", `${head} --approval-mode trust_all lets it run, unless a rule denies it.`),
      );
      return DENY;
    }
    const { before, question, offers } = askAbout(request, screen.columns);
    for (const line of before) await screen.line(line);
    for (;;) {
      lines.forgetTypedAhead();
      await screen.question(styled("bold", question));
      const answer = await this.readAnswer(lines, signal);
      if (answer === null || answer === "n" || answer === "no") return DENY;
      if (answer === "y" || answer === "yes") return { decision: "approve", scope: "once" };
      const scope = SCOPE_ANSWERS.get(answer);
      if (scope === undefined) continue;
      if (offers.includes(scope)) return { decision: "approve", scope };
      await screen.line("  That is not offered here: y allows this call only.");
    }
  }

  private async readAnswer(lines: TerminalLines, signal: AbortSignal): Promise<string | null> {
    try {
      const answer = await lines.read(signal);
      if (answer === null) await this.screen.line();
      return answer?.trim().toLowerCase() ?? null;
    } catch (error) {
      await this.screen.line(styled("dim", toEngineError(error).message));
      throw error;
    }
  }
}

const DENY: Decision = { decision: "deny", scope: "once" };

const SCOPE_ANSWERS = new Map<string, OfferedScope>([
  ["a", "session"],
  ["always", "session"],
  ["p", "project"],
  ["project", "project"],
]);

/** Null: the engine remembers what was asked for. */
function whatIsNarrower({ decision, scope }: Decision, applied: Applied): string | null {
  if (decision === "deny" || scope === "once") return null;
  if (applied.applied_scope === "once") return "allowed for this call only";
  if (scope === "session" || applied.persisted) return null;
  return "remembered for this session only";
}

const DENIALS: Record<PermissionDenial, string> = {
  user: "answered elsewhere",
  timeout: "nobody answered in time",
  unattended: "nobody was there to answer",
  cancelled: "cancelled",
};
