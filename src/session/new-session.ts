/** From what a client asks for to a new session's record. */
import { realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { EngineError } from "../domain/errors.ts";
import { newSessionId, type SessionId } from "../domain/ids.ts";
import type { ApprovalMode } from "../domain/permission.ts";
import { type NetworkPolicy, type SessionRecord, wholeRecord } from "../domain/session.ts";
import { expandHome } from "../lib/paths.ts";
import { nativeName } from "../tools/registry.ts";

export type SessionWish = {
  id: SessionId | null;
  profile: string;
  profileResolved: string;
  inlineCredentials: boolean;
  workspace: string | null;
  mode: ApprovalMode;
  unattended: "wait" | "deny";
  mcpServers: string[];
  metadata: Record<string, unknown>;
  /** Names of tools, canonical or native; null: all. */
  tools: string[] | null;
  network: NetworkPolicy;
};

/** `directory`: where the session runs when it names no workspace. Throws `bad_request`. */
export async function newRecord(
  wish: SessionWish,
  { home, directory }: { home: string; directory: string },
): Promise<SessionRecord> {
  const workspace = wish.workspace
    ? await findWorkspace(wish.workspace, { home, directory })
    : null;
  return wholeRecord({
    id: wish.id ?? newSessionId(),
    createdAt: Date.now(),
    profile: wish.profile,
    profileResolved: wish.profileResolved,
    inlineCredentials: wish.inlineCredentials,
    workspace,
    directory: workspace ?? (await realpath(directory)),
    mode: wish.mode,
    unattended: wish.unattended,
    mcpServers: wish.mcpServers,
    metadata: wish.metadata,
    totals: { turns: 0, inputTokens: 0, outputTokens: 0 },
    stats: { total_checks: 0, auto_approved: 0, user_approved: 0, denied: 0, blocked: 0 },
    lastTurn: null,
    tools: wish.tools?.map(nativeName) ?? null,
    network: wish.network,
  });
}

async function findWorkspace(
  wanted: string,
  { home, directory }: { home: string; directory: string },
): Promise<string> {
  const path = resolve(directory, expandHome(wanted, home));
  const found = await stat(path).catch(() => null);
  if (found === null) throw new EngineError("bad_request", `Workspace does not exist: ${path}`);
  if (!found.isDirectory())
    throw new EngineError("bad_request", `Workspace is not a directory: ${path}`);
  return realpath(path);
}

const NO_DYNAMIC_CONTENT = "[dynamic content removed for security]";

/**
 * A prompt from a client must not run commands when it is rendered: each `<trender…>…</trender>`,
 * or a single tag, is taken out. In time that grows with the text's length, whatever it holds.
 */
export function withoutDynamicTags(prompt: string): string {
  const lower = prompt.toLowerCase();
  let kept = "";
  let from = 0;
  let unclosed = false;
  for (;;) {
    const open: number = lower.indexOf("<trender", from);
    const openEnd = open < 0 ? -1 : lower.indexOf(">", open);
    if (openEnd < 0) return kept + prompt.slice(from);
    kept += prompt.slice(from, open) + NO_DYNAMIC_CONTENT;
    const close: number = unclosed ? -1 : lower.indexOf("</trender", openEnd);
    const closeEnd: number = close < 0 ? -1 : lower.indexOf(">", close);
    unclosed = closeEnd < 0;
    from = (unclosed ? openEnd : closeEnd) + 1;
  }
}
