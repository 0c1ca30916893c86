/** Error → status and the body clients know: `detail` as the original had it, `code` beside it. */
import { EngineError, type ErrorCode, toEngineError } from "../domain/errors.ts";

export const STATUS: Record<ErrorCode, number> = {
  bad_request: 400,
  unauthorized: 401,
  bad_host: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  invalid_request: 422,
  config_invalid: 500,
  bad_gateway: 502,
  unavailable: 503,
  cancelled: 409,
  rate_limit: 429,
  auth_error: 502,
  context_exceeded: 400,
  timeout: 504,
  internal: 500,
  interrupted: 500,
  provider_cut: 502,
};

/** Sent with every reply: any page may ask, and only who has the token gets an answer. */
export const CORS_HEADERS = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "x-run-id, x-delivery, retry-after, allow",
} as const;

/** One thing that is wrong with a request: where, and what. */
export type Issue = { type: string; loc: (string | number)[]; msg: string; input?: unknown };

/** What is wrong with one field of a request. */
export const invalidRequest = (issue: Issue, cause?: unknown): EngineError =>
  new EngineError("invalid_request", issue.msg, { detail: [issue], cause });

export function errorResponse(caught: unknown, headers: Record<string, string> = {}): Response {
  const error = toEngineError(caught);
  return problem(error.code, error.detail ?? error.message, {
    ...(error.code === "internal" ? { type: causeName(error) } : {}),
    headers,
  });
}

export function problem(
  code: ErrorCode,
  detail: string | object,
  { headers, ...more }: { headers?: Record<string, string>; type?: string } = {},
): Response {
  return Response.json(
    { detail, code, ...more },
    { status: STATUS[code], headers: { ...CORS_HEADERS, ...headers } },
  );
}

const causeName = ({ cause }: EngineError): string =>
  cause instanceof Error ? cause.name : "EngineError";
