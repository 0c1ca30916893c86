/** Ids that travel together, branded so that the compiler tells them apart. On the wire: plain strings. */
type Id<Kind extends string> = string & { readonly __kind: Kind };

export type SessionId = Id<"session">;
export type RunId = Id<"run">;
export type ToolCallId = Id<"tool call">;
export type CheckpointId = Id<"checkpoint">;

/** Place of an event in its session's log: 1, 2, 3 … without gaps, never used twice. */
export type Seq = number;

/** Without `node:crypto`, which costs 9 ms to load. */
const randomHex = (bytes: number): string => crypto.getRandomValues(new Uint8Array(bytes)).toHex();

/** What a caller may choose as an id: it stands unescaped in paths and file names. */
export const ID_PATTERN = "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,128}$";

export const newSessionId = (): SessionId => `sess_${randomHex(6)}` as SessionId;
/** Ascends with time, also within a millisecond. */
export const newRunId = (): RunId => `run_${Bun.randomUUIDv7("hex").replaceAll("-", "")}` as RunId;
export const newCheckpointId = (): CheckpointId => `ckpt_${randomHex(8)}` as CheckpointId;
export const newToolCallId = (): ToolCallId => `call_${randomHex(8)}` as ToolCallId;
