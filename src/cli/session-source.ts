/** Where the sessions are read from: the engine that runs, or the store when none does. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../domain/errors.ts";
import type { SessionId } from "../domain/ids.ts";
import { historyOf, sessionView } from "../http/views.ts";
import { openSqlite } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { type Client, call } from "./client.ts";

export type SessionJson = ReturnType<typeof sessionView>;
export type HistoryMessage = {
  role: string;
  content: string;
  metadata?: {
    ts?: number;
    tool_calls?: { function: { name: string; arguments: string } }[];
    partial?: boolean;
  };
};

export type SessionSource = {
  /** Oldest first. */
  list(): Promise<SessionJson[]>;
  /** Throws `not_found`. */
  show(id: string): Promise<{ session: SessionJson; history: HistoryMessage[] }>;
};

export function engineSessions(client: Client): SessionSource {
  const get = <Reply>(path: string) => call<Reply>(client, { method: "GET", path });
  return {
    async list() {
      return (await get<{ sessions: SessionJson[] }>("/sessions")).sessions;
    },
    async show(id) {
      const path = `/sessions/${encodeURIComponent(id)}`;
      const session = await get<SessionJson>(path);
      const { history } = await get<{ history: HistoryMessage[] }>(`${path}/history`);
      return { session, history };
    },
  };
}

/** Nothing is brought back, claimed or ended by being looked at. */
export function storedSessions(dataDir: string): SessionSource {
  const file = join(dataDir, "engine.db");
  const reading = async <Result>(empty: Result, read: (store: Store) => Promise<Result>) => {
    if (!existsSync(file)) return empty;
    const store = openSqlite(file);
    try {
      return await read(store);
    } finally {
      await store.close();
    }
  };
  return {
    list: () =>
      reading([], async (store) =>
        (await store.sessions()).map(({ record, messageCount, hasSystemPrompt }) =>
          sessionView({
            record,
            historyLength: messageCount + (hasSystemPrompt ? 1 : 0),
            live: null,
          }),
        ),
      ),
    async show(id) {
      const found = await reading(null, async (store) => {
        const stored = await store.session(id as SessionId);
        if (stored === null) return null;
        const systemPrompt = await store.systemPrompt(stored.record.id);
        const messages = await store.messages(stored.record.id);
        const history = historyOf({ systemPrompt, messages });
        const { record } = stored;
        return {
          session: sessionView({ record, historyLength: history.length, live: null }),
          history,
        };
      });
      if (found === null) throw new EngineError("not_found", "Session not found");
      return found;
    },
  };
}
