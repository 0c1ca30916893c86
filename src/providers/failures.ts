/** What a provider answered, an SDK threw or a connection did → EngineError, and whether to try again. */
import { EngineError, type EngineErrorOptions, type TurnFault } from "../domain/errors.ts";
import { maskSecrets } from "../lib/mask.ts";
import { isRecord, textOf } from "./wire.ts";

/** Who failed, for the message, and what the message must not show. */
export type Failing = { provider: string; secrets: readonly string[] };

const MESSAGE_CHARS_MAX = 500;
const CAUSE_CHARS_MAX = 4_000;
/** A provider that asks for a longer pause gets this one. */
const RETRY_AFTER_MS_MAX = 86_400_000;

/** An error object as providers send it, in whichever shape, and what came around it. */
type Answer = {
  status: number | null;
  /** The provider's own words for what is wrong. */
  kinds: string[];
  message: string;
  retryAfterMs: number | null;
};

/** What an SDK threw before there was a reply. */
export function requestFailure(caught: unknown, failing: Failing): EngineError {
  const error = errorOf(caught);
  const status = fieldOf(error, "status");
  return typeof status === "number"
    ? answerFailure(answerOf(error, status), failing, error)
    : connectionFailure(error, failing);
}

/** What the runtime threw while it read a reply's bytes. */
export function readingFailure(caught: unknown, failing: Failing): EngineError {
  const error = errorOf(caught);
  const root = rootOf(error);
  return cutFailure(`broke off its reply: ${codeOf(root) || root.message}`, failing, error);
}

/** A reply that ended, or broke, before its provider said that it was whole. */
export const cutFailure = (how: string, failing: Failing, cause?: Error): EngineError =>
  engineError("provider_cut", how, failing, { cause, retryable: true });

/** An error that came inside a reply instead of the rest of it. */
export function replyFailure(body: unknown, failing: Failing): EngineError {
  return answerFailure(
    { status: null, retryAfterMs: null, ...wordsOf(body) },
    failing,
    new Error(messageIn(body)),
  );
}

/** The provider sent something that its protocol does not know, or too much of it. */
export const protocolFailure = (what: string, failing: Failing, cause?: Error): EngineError =>
  engineError("internal", what, failing, { cause });

/** The provider was silent for too long. */
export const timeoutFailure = (what: string, failing: Failing): EngineError =>
  engineError("timeout", what, failing, { retryable: true });

function answerOf(error: Error, status: number): Answer {
  const headers = fieldOf(error, "headers");
  const words = wordsOf(fieldOf(error, "error"));
  return {
    status,
    kinds: words.kinds,
    message: words.message || error.message.replace(/^\d{3} /, ""),
    retryAfterMs: headers instanceof Headers ? retryAfter(headers) : null,
  };
}

function answerFailure(answer: Answer, failing: Failing, cause: Error): EngineError {
  const verdict = verdictOf(answer);
  const said = answer.message || "no reason given";
  const words = answer.status === null ? `failed: ${said}` : `answered ${answer.status}: ${said}`;
  return engineError(verdict.fault, words, failing, {
    cause,
    retryable: verdict.retryable,
    retryAfterMs: answer.retryAfterMs ?? undefined,
  });
}

type Verdict = { fault: TurnFault; retryable: boolean };

/** By the provider's own words where it has them, else by the status. */
function verdictOf({ status, kinds, message }: Answer): Verdict {
  const says = (...words: string[]) => kinds.some((kind) => words.includes(kind));
  if (says("insufficient_quota", "billing_error", "billing_hard_limit_reached"))
    return {
      fault: status === 429 || status === null ? "rate_limit" : "internal",
      retryable: false,
    };
  if (says(...CONTEXT_KINDS) || CONTEXT_MESSAGE.test(message))
    return { fault: "context_exceeded", retryable: false };
  if (status !== null) return verdictOfStatus(status);
  if (says("rate_limit_error", "rate_limit_exceeded", "429"))
    return { fault: "rate_limit", retryable: true };
  if (says("authentication_error", "permission_error", "invalid_api_key", "401", "403"))
    return { fault: "auth_error", retryable: false };
  if (says("timeout_error", "408", "504")) return { fault: "timeout", retryable: true };
  return { fault: "internal", retryable: !says(...REFUSALS) };
}

function verdictOfStatus(status: number): Verdict {
  if (status === 401 || status === 403) return { fault: "auth_error", retryable: false };
  if (status === 429) return { fault: "rate_limit", retryable: true };
  if (status === 408) return { fault: "timeout", retryable: true };
  if (status === 413) return { fault: "context_exceeded", retryable: false };
  return { fault: "internal", retryable: status >= 500 || status === 409 };
}

/** The conversation does not fit, in the words of OpenAI, llama.cpp and Anthropic's request limit. */
const CONTEXT_KINDS = [
  "context_length_exceeded",
  "exceed_context_size_error",
  "request_too_large",
  "model_context_window_exceeded",
];
/** Anthropic, Gemini, vLLM, OpenRouter and xAI say it in the message only; so theirs begin. */
const CONTEXT_MESSAGE =
  /^(prompt is too long|input length and `?max_tokens`? exceed|the input token count|this (model|endpoint)'s maximum (context|prompt) length)/i;

/** Inside a reply these say that the request was wrong; anything else may pass. */
const REFUSALS = [
  "invalid_request_error",
  "not_found_error",
  "invalid_prompt",
  "invalid_image",
  "content_filter",
  "400",
  "404",
];

/** Not a matter of time: the same certificate or address fails again. */
const LASTING = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_INVALID_URL|ALTNAME/;

function connectionFailure(error: Error, failing: Failing): EngineError {
  const root = rootOf(error);
  const code = codeOf(root);
  if (error.name === "TimeoutError" || /timed? ?out/i.test(error.message) || code === "ETIMEDOUT")
    return engineError("timeout", "did not answer in time", failing, {
      cause: error,
      retryable: true,
    });
  return engineError("internal", `cannot be reached: ${code || root.message}`, failing, {
    cause: error,
    retryable: !LASTING.test(code),
  });
}

const errorOf = (caught: unknown): Error =>
  caught instanceof Error ? caught : new Error(String(caught));

/** What an SDK wrapped, at its bottom. */
function rootOf(error: Error): Error {
  let root = error;
  while (root.cause instanceof Error && root.cause !== root) root = root.cause;
  return root;
}

/** `{error: {...}}`, the error itself, a list of one, or plain text. */
function wordsOf(body: unknown): Pick<Answer, "kinds" | "message"> {
  const error = errorIn(body);
  const kinds = ["code", "type", "status"]
    .map((field) => (isRecord(error) ? error[field] : undefined))
    .filter((kind) => typeof kind === "string" || typeof kind === "number")
    .map(String);
  return { kinds, message: messageIn(body) };
}

function errorIn(body: unknown): unknown {
  const first = Array.isArray(body) ? body[0] : body;
  return isRecord(first) && (isRecord(first.error) || typeof first.error === "string")
    ? first.error
    : first;
}

function messageIn(body: unknown): string {
  const error = errorIn(body);
  if (typeof error === "string") return error;
  if (!isRecord(error)) return "";
  return textOf(error.message) || textOf(error.detail);
}

function retryAfter(headers: Headers): number | null {
  const milliseconds = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (milliseconds >= 0) return Math.min(milliseconds, RETRY_AFTER_MS_MAX);
  const header = headers.get("retry-after");
  if (header === null) return null;
  const seconds = Number(header);
  const wait = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), RETRY_AFTER_MS_MAX);
}

function engineError(
  fault: TurnFault,
  words: string,
  { provider, secrets }: Failing,
  options: Omit<EngineErrorOptions, "cause"> & { cause?: Error },
): EngineError {
  const { cause, ...rest } = options;
  const message = maskSecrets(
    `${provider} ${words}`.replaceAll(/[\s\p{C}]+/gu, " ").trim(),
    secrets,
  );
  return new EngineError(fault, cut(message, MESSAGE_CHARS_MAX), {
    ...rest,
    cause: cause && maskedCause(cause, secrets),
  });
}

/** The SDK's own error holds request and reply with their headers: only its masked words are kept. */
function maskedCause(error: Error, secrets: readonly string[]): Error {
  const masked = new Error(cut(maskSecrets(error.message, secrets), CAUSE_CHARS_MAX));
  masked.name = error.name;
  masked.stack = cut(maskSecrets(error.stack ?? "", secrets), CAUSE_CHARS_MAX);
  return masked;
}

const cut = (text: string, charsMax: number): string =>
  text.length > charsMax ? `${text.slice(0, charsMax - 1)}…` : text;

const codeOf = (error: Error): string => textOf(fieldOf(error, "code"));

const fieldOf = (error: Error, field: string): unknown =>
  isRecord(error) ? error[field] : undefined;
