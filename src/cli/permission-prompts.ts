/** Asks the user about tool calls, while the events go on. */
import { EngineError, toEngineError } from "../domain/errors.ts";
import type { EngineEvent, PermissionDenial, StreamNotice } from "../domain/events.ts";
import type { ToolCallId } from "../domain/ids.ts";
import { type Client, call } from "./client.ts";
import { askAbout, isOnceOnly, type PermissionRequest } from "./permission-question.ts";
import type { TerminalLines } from "./read-line.ts";
import { type Screen, styled } from "./screen.ts";

type Decision = { decision: "approve" | "deny"; scope: "once" | "session" };
type Open = { id: ToolCallId; closed: AbortController; answered: boolean; done: Promise<void> };

/**
 * At most one question is open, as a session runs one tool at a time. Another client may answer
 * first: then the question is taken back.
 */
export class PermissionPrompts {
  private open: Open | null = null;
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
        if (this.open?.id === event.tool_id) break;
        this.takeBack("another question came");
        this.open = this.begin(event);
        break;
      case "permission_granted":
        this.takeBack("answered elsewhere");
        break;
      case "permission_denied":
        this.takeBack(DENIALS[event.reason]);
        break;
      case "turn_complete":
      case "error":
        this.takeBack("the turn is over");
        break;
      default:
        break;
    }
  }

  /** Takes back what is open and waits for an answer that is under way. */
  async close(): Promise<void> {
    const { open } = this;
    this.takeBack("the turn is over");
    await open?.done;
  }

  private begin(request: PermissionRequest): Open {
    const closed = new AbortController();
    const open: Open = { id: request.tool_id, closed, answered: false, done: Promise.resolve() };
    open.done = this.settle(request, open);
    return open;
  }

  private takeBack(why: string): void {
    if (this.open && !this.open.answered) this.open.closed.abort(new EngineError("cancelled", why));
    this.open = null;
  }

  /** Never rejects: an answer that cannot be given leaves the request pending. */
  private async settle(request: PermissionRequest, open: Open): Promise<void> {
    const { signal } = open.closed;
    try {
      if (!(await this.isPending(request.tool_id, signal))) return;
      const decision = await this.decide(request, signal);
      open.answered = true;
      const path = `${this.path}/permission`;
      const body = { tool_id: request.tool_id, ...decision };
      await call(this.client, { method: "POST", path, body });
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
      await screen.line(styled("yellow", `${head} --approval-mode trust_all lets it run.`));
      return DENY;
    }
    const once = isOnceOnly(request);
    const { before, question } = askAbout(request, screen.columns);
    for (const line of before) await screen.line(line);
    for (;;) {
      lines.forgetTypedAhead();
      await screen.question(styled("bold", question));
      const answer = await this.readAnswer(lines, signal);
      if (answer === null || answer === "n" || answer === "no") return DENY;
      if (answer === "y" || answer === "yes") return { decision: "approve", scope: "once" };
      if (answer !== "a" && answer !== "always") continue;
      if (!once) return { decision: "approve", scope: "session" };
      await screen.line("  A high risk can be allowed once only.");
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

const DENIALS: Record<PermissionDenial, string> = {
  user: "answered elsewhere",
  timeout: "nobody answered in time",
  unattended: "nobody was there to answer",
  cancelled: "cancelled",
};
