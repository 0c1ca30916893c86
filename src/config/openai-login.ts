/** The login at OpenAI that another program of the family keeps in a file; read, not renewed here. */
import { CachedFile } from "../lib/cached-file.ts";
import { isObject } from "../lib/json-object.ts";
import type { Log } from "../lib/log.ts";
import { EMPTY_ENTRY, type ProfileEntry } from "./profile-entry.ts";

export const LOGIN_PROFILE = "openai-oauth";

const LOGIN_BYTES_MAX = 256 * 1024;
export type Login = {
  accessToken: string;
  accountId: string;
  renewable: boolean;
  /** Milliseconds since the epoch. */
  expiresAt: number;
};

/** A login that cannot be read is none; the log says so. */
export function openLoginFile(path: string, log: Log): { read(): Login | null } {
  const file = new CachedFile(path, LOGIN_BYTES_MAX, (text) => {
    if (text === null) return null;
    const login = parseLogin(text);
    if (login === null) log.warn("Ignored the OpenAI login: not in the form we know", { path });
    return login;
  });
  return {
    read() {
      try {
        return file.read();
      } catch (error) {
        log.warn("Ignored the OpenAI login: its file cannot be read", { path, error });
        return null;
      }
    },
  };
}

export const isCurrent = (login: Login, now: number): boolean =>
  login.renewable || login.expiresAt > now;

/** One that is saved keeps its settings, but for the key and where the key is sent. */
export const loginEntry = (login: Login, saved: ProfileEntry = EMPTY_ENTRY): ProfileEntry => ({
  ...saved,
  provider: "openai_responses",
  model: saved.model || "gpt-5.4",
  baseUrl: "https://chatgpt.com/backend-api/codex",
  apiKey: login.accessToken,
  authType: "oauth",
  extraHeaders: {
    ...saved.extraHeaders,
    originator: "kollabor",
    ...(login.accountId === "" ? {} : { "ChatGPT-Account-Id": login.accountId }),
  },
});

function parseLogin(text: string): Login | null {
  const stored = parseJson(text);
  if (!isObject(stored) || !isHeaderValue(stored.access_token)) return null;
  const { access_token, account_id, expires_at, refresh_token } = stored;
  return {
    accessToken: access_token,
    accountId: isHeaderValue(account_id) ? account_id : "",
    renewable: typeof refresh_token === "string" && refresh_token !== "",
    // In the file: seconds.
    expiresAt: typeof expires_at === "number" ? expires_at * 1000 : Number.POSITIVE_INFINITY,
  };
}

const isHeaderValue = (value: unknown): value is string =>
  typeof value === "string" && /^[\x21-\x7e]+$/.test(value);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Half-written or broken: the caller says so, without quoting it.
    return null;
  }
}
