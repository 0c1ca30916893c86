/** Builds every part once, wires them, closes them in reverse. Nothing of it is global. */
import { join } from "node:path";
import { openApprovals } from "./config/approvals.ts";
import { createKeyring, systemLookups } from "./config/keyring.ts";
import { kollabPaths } from "./config/paths.ts";
import { openPermissionRules, type PermissionRulesFiles } from "./config/permission-rules.ts";
import { createProfiles, type Profiles } from "./config/profiles.ts";
import { openSettings } from "./config/settings.ts";
import { openTrustedProjects } from "./config/trusted-projects.ts";
import type { Log } from "./lib/log.ts";
import { ProcessGuard } from "./lib/process-guard.ts";
import { createRiskAssessor } from "./permissions/risk.ts";
import { openModel } from "./providers/registry.ts";
import { EventLog } from "./session/event-log.ts";
import { SessionRegistry } from "./session/registry.ts";
import { GroupCommit } from "./store/group-commit.ts";
import { openSqlite } from "./store/sqlite.ts";
import { BackgroundCommands } from "./tools/background-commands.ts";
import { builtInTools } from "./tools/registry.ts";
import { areaOf } from "./tools/workspace.ts";
import { VERSION } from "./version.ts";

const PERMISSION_TIMEOUT_MS = 300_000;
/** Events kept of one session; the oldest go first. */
const EVENTS_KEPT = 200_000;
const LIFECYCLE_EVENTS_KEPT = 10_000;

export type EngineOptions = {
  /** The folder that holds `.kollab`. */
  home: string;
  /** Where sessions without a workspace run, and whose `.kollab/config.json` counts. */
  directory: string;
  env: Record<string, string | undefined>;
  log: Log;
  /** Default: `~/.kollab/engine`. */
  dataDir?: string;
  permissionTimeoutMs?: number;
  eventsKept?: number;
  /** Whether to end and go on with what a dead engine left open. Default: yes. */
  recover?: boolean;
};

export type Engine = {
  readonly options: EngineOptions;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly profiles: Profiles;
  readonly sessions: SessionRegistry;
  readonly backgroundCommands: BackgroundCommands;
  /** The user's permission rules, and those of projects. */
  readonly rules: PermissionRulesFiles;
  /** The lifecycle of all sessions. */
  readonly lifecycle: EventLog;
  /** Aborts when every session is closed: streams that never end by themselves end then. */
  readonly closing: AbortSignal;
  /** Ends every turn and lets go of everything, the database last. */
  close(): Promise<void>;
};

export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { home, directory, env, log } = options;
  const paths = kollabPaths(home);
  const dataDir = options.dataDir ?? paths.engineDir;
  const store = openSqlite(join(dataDir, "engine.db"), (error) =>
    log.warn("checkpoint failed", { error }),
  );
  const guard = new ProcessGuard();
  const commit = new GroupCommit(store);
  const closing = new AbortController();
  let close = () => store.close();
  try {
    const eventsKept = options.eventsKept ?? EVENTS_KEPT;
    const lifecycle = await EventLog.open(
      await store.claimLifecycleLog(),
      {},
      { store, commit, eventsKept: LIFECYCLE_EVENTS_KEPT },
    );
    const secrets = createKeyring(systemLookups(env), log);
    const profiles = createProfiles({ home, directory, env, log, secrets });
    const rules = openPermissionRules({ home, log, trusted: openTrustedProjects(home, log) });
    const backgroundCommands = new BackgroundCommands({
      guard,
      onEnd: (session, { name, exit_code, signal, timed_out }) =>
        sessions.tell(session, { type: "process_ended", name, exit_code, signal, timed_out }),
    });
    const sessions = new SessionRegistry(
      {
        store,
        commit,
        log,
        lifecycle,
        home,
        eventsKept,
        permissionTimeoutMs: options.permissionTimeoutMs ?? PERMISSION_TIMEOUT_MS,
        areaOf: areaOf({ home, closed: [dataDir] }),
        profiles,
        rules,
        approvals: openApprovals(home, log),
        assessor: createRiskAssessor({ home }),
        backgroundCommands,
        questionGate: openSettings(home, log).questionGate,
        openModel,
      },
      builtInTools({
        env,
        guard,
        background: backgroundCommands,
        version: VERSION,
        home,
        closed: [dataDir],
      }),
      join(dataDir, "sessions"),
    );
    close = async () => {
      await sessions.close();
      closing.abort();
      await backgroundCommands.close();
      await guard.close();
      await commit.settled().catch((error) => log.error("last writes failed", { error }));
      await store.close();
    };
    if (options.recover ?? true) await sessions.recover();
    let closed: Promise<void> | null = null;
    return {
      options,
      startedAt: Date.now(),
      profiles,
      sessions,
      backgroundCommands,
      rules,
      lifecycle,
      closing: closing.signal,
      close() {
        closed ??= close();
        return closed;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
