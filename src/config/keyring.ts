/** API keys in the operating system's keyring, where programs of the family put them. */
import type { Log } from "../lib/log.ts";
import { type Environment, readVariable } from "./environment.ts";

export type Secrets = {
  /** Null: not there, or no answer in time; the log says which. Never throws. */
  get(account: string): Promise<string | null>;
};

/** One way to look; null: not there. Throws where it cannot look. */
export type Lookup = (account: string, signal: AbortSignal) => Promise<string | null>;

/** Time for a person to unlock the keyring; one that hangs must not hold up a session for longer. */
const LOOKUP_TIMEOUT_MS = 10_000;
const SECRET_BYTES_MAX = 64 * 1024;
const SERVICE = "kollab";

/**
 * Tries the lookups in turn. All who wait for one account share one look, so a keyring that hangs
 * hangs once, whoever has given up meanwhile.
 */
export function createKeyring(
  lookups: readonly Lookup[],
  log: Log,
  timeoutMs = LOOKUP_TIMEOUT_MS,
): Secrets {
  const looking = new Map<string, Promise<string | null>>();
  const look = (account: string): Promise<string | null> => {
    const started = tryAll(lookups, account, log, AbortSignal.timeout(timeoutMs)).finally(() =>
      looking.delete(account),
    );
    looking.set(account, started);
    return started;
  };
  return {
    async get(account) {
      const secret = await within(timeoutMs, looking.get(account) ?? look(account));
      if (secret !== LATE) return secret;
      log.warn("The keyring did not answer in time", { account, timeout_ms: timeoutMs });
      return null;
    },
  };
}

/**
 * The ways of this machine. The runtime's own finds on Linux only what the runtime stored, under
 * attributes of its own; what other programs stored there needs the desktop's tool.
 */
export const systemLookups = (env: Environment): Lookup[] => [
  (account) => Bun.secrets.get({ service: SERVICE, name: account }),
  (account, signal) => askSecretTool(account, env, signal),
];

async function tryAll(
  lookups: readonly Lookup[],
  account: string,
  log: Log,
  signal: AbortSignal,
): Promise<string | null> {
  for (const lookup of lookups) {
    try {
      const secret = await lookup(account, signal);
      if (secret) return secret;
    } catch (error) {
      log.warn("The keyring cannot be asked", { account, error });
    }
  }
  log.warn("The keyring has no such key", { account });
  return null;
}

/** What the tool needs to find the desktop's session, and no more. */
const TOOL_VARIABLES = ["PATH", "HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY"];

async function askSecretTool(
  account: string,
  env: Environment,
  signal: AbortSignal,
): Promise<string | null> {
  const tool = Bun.which("secret-tool", { PATH: env.PATH ?? "" });
  if (tool === null) return null;
  const child = Bun.spawn({
    cmd: [tool, "lookup", "service", SERVICE, "username", account],
    env: Object.fromEntries(TOOL_VARIABLES.map((name) => [name, readVariable(env, name) ?? ""])),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    maxBuffer: SECRET_BYTES_MAX,
    killSignal: "SIGKILL",
    signal,
  });
  const secret = await new Response(child.stdout).text();
  return (await child.exited) === 0 ? secret.trim() : null;
}

const LATE = Symbol("late");

async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | typeof LATE> {
  const late = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(() => late.resolve(LATE), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
