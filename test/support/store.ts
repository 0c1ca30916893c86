/** Stores and logs for tests below the engine. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SessionId } from "../../src/domain/ids.ts";
import { type SessionRecord, wholeRecord } from "../../src/domain/session.ts";

export const sessionRecord = (id: string): SessionRecord =>
  wholeRecord({
    id: id as SessionId,
    createdAt: 1,
    profile: "default",
    profileResolved: "offline",
    inlineCredentials: false,
    workspace: null,
    directory: "/",
    mode: "confirm_all",
    unattended: "wait",
    mcpServers: [],
    metadata: {},
    totals: { turns: 0, inputTokens: 0, outputTokens: 0 },
    stats: { total_checks: 0, auto_approved: 0, user_approved: 0, denied: 0, blocked: 0 },
    lastTurn: null,
  });

export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kollab-store-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
