/** The one error the engine throws on purpose, and its closed lists of codes. */

/** What can end a turn; `error` events carry no other code. The last two are additions of ours. */
export const TURN_FAULTS = [
  "cancelled",
  "rate_limit",
  "auth_error",
  "context_exceeded",
  "timeout",
  "internal",
  "interrupted",
  "provider_cut",
] as const;
export type TurnFault = (typeof TURN_FAULTS)[number];

/** What can be wrong with a request. */
export type RequestFault =
  | "bad_request"
  | "invalid_request"
  | "unauthorized"
  | "bad_host"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "too_large"
  | "unsupported_media_type"
  | "config_invalid"
  | "bad_gateway"
  | "unavailable";

/** A new code does not compile until `http/errors.ts` gives it a status. */
export type ErrorCode = TurnFault | RequestFault;

/** What a turn that a person cancelled says; others that were stopped say who stopped them. */
export const CANCELLED_BY_USER = "Turn cancelled by user";

export type EngineErrorOptions = {
  cause?: unknown;
  /** Whether the same request may succeed later. */
  retryable?: boolean;
  /** How long a provider asked us to wait. */
  retryAfterMs?: number;
  /** What an HTTP body says in `detail`, where clients expect more than the message. */
  detail?: object;
};

/** Whatever escapes and is no EngineError is a bug and shows as `internal`. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  readonly detail: object | null;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: EngineErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.detail = options.detail ?? null;
  }
}

/** What was caught, as an EngineError; the original stays in `cause`. */
export function toEngineError(caught: unknown): EngineError {
  if (caught instanceof EngineError) return caught;
  const error = caught instanceof Error ? caught : new Error(String(caught));
  const code = error.name === "TimeoutError" ? "timeout" : "internal";
  return new EngineError(code, error.message, { cause: error });
}

/** The code as an `error` event may carry it. */
export const turnFault = (error: EngineError): TurnFault =>
  TURN_FAULTS.find((fault) => fault === error.code) ?? "internal";
