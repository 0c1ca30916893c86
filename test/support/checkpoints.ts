/** A session's checkpoints over a real store and real files. */
import { join } from "node:path";
import type { CheckpointRecord } from "../../src/domain/checkpoint.ts";
import { EngineError } from "../../src/domain/errors.ts";
import type { EventBody } from "../../src/domain/events.ts";
import type { FileChange, FileState } from "../../src/domain/file-change.ts";
import type { CheckpointId, RunId, SessionId } from "../../src/domain/ids.ts";
import {
  type CheckpointServices,
  Checkpoints,
  type Restored,
  type RestoreWish,
} from "../../src/session/checkpoints.ts";
import { GroupCommit } from "../../src/store/group-commit.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { applyChanges, readState } from "../../src/tools/file-changes.ts";
import { areaOf } from "../../src/tools/workspace.ts";
import { recordedLog } from "./recorded-log.ts";
import { sessionRecord } from "./store.ts";
import { toolFixture } from "./tool-fixture.ts";

export const SESSION = "s1" as SessionId;
const encoder = new TextEncoder();

/** What a file of this text is. */
export const file = (text: string | Uint8Array, mode = 0o644): FileState => {
  const content = typeof text === "string" ? encoder.encode(text) : text;
  return { kind: "file", mode, size: content.length, content };
};

export async function checkpointFixture(limits?: CheckpointServices["limits"]) {
  const fixture = toolFixture();
  const { workspace, home, path } = fixture;
  const store = openSqlite(join(path, "engine.db"));
  await store.apply([{ kind: "new_session", record: sessionRecord(SESSION) }]);
  const commit = new GroupCommit(store);
  const { log, lines } = recordedLog();
  const events: EventBody[] = [];
  const directory = join(path, "private", "files");
  const open = () =>
    new Checkpoints({
      session: SESSION,
      directory,
      area: areaOf({ home, closed: [join(path, "private")] })(workspace),
      store,
      commit,
      log,
      append: (event) => events.push(event),
      ...(limits ? { limits } : {}),
    });
  let checkpoints = open();
  const at = (name: string) => join(workspace, name);

  /** What a tool would say it does: `name` becomes `after`. */
  const changesTo = (wanted: Record<string, FileState>): Promise<FileChange[]> =>
    Promise.all(
      Object.entries(wanted).map(async ([name, after]) => ({
        path: at(name),
        before: await readState(at(name)),
        after,
      })),
    );

  return {
    ...fixture,
    directory,
    store,
    events,
    logged: lines,
    at,
    changesTo,
    get checkpoints() {
      return checkpoints;
    },
    /** As a new engine would: everything is read anew. */
    reopen() {
      checkpoints = open();
    },
    /** A turn changes files, as tools do. */
    async turn(run: string, wanted: Record<string, FileState>): Promise<CheckpointId> {
      const changes = await changesTo(wanted);
      await checkpoints.changing(run as RunId, changes);
      if (!(await applyChanges(changes))) throw new Error("The files have changed");
      return (await checkpoints.list()).find(({ runId }) => runId === run)!.id;
    },
    restore(id: CheckpointId, wish: Partial<RestoreWish> = {}): Promise<Restored> {
      return checkpoints.restore(id, { files: null, force: false, ...wish });
    },
    records: (): Promise<CheckpointRecord[]> => store.checkpoints(SESSION),
    async [Symbol.asyncDispose]() {
      await store.close();
      fixture[Symbol.dispose]();
    },
  };
}

type Refused = { code: string; message: string; files: Record<string, string>[] };

/** Why it was refused. */
export async function refusalOf(work: Promise<unknown>): Promise<Refused> {
  const error = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  if (!(error instanceof EngineError)) throw error ?? new Error("It was not refused");
  const { code, message, detail } = error;
  return { code, message, files: (detail as { files?: Refused["files"] } | null)?.files ?? [] };
}
