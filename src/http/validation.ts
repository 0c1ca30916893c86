/** What is wrong with a request's fields, in the shape that clients of the original know. */
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import type { ValidationError } from "elysia";
import type { Issue } from "./errors.ts";

const ISSUES_MAX = 20;
const SHOWN_CHARS_MAX = 100;
const SECRET_FIELD = /key|token|secret|password|credential/i;

type Checked = { Errors(value: unknown): Iterable<ValueError> };

/** One issue for each field, the first that was found. */
export function issuesOf({ type, validator, value }: ValidationError): Issue[] {
  const issues = new Map<string, Issue>();
  for (const error of leaves((validator as Checked).Errors(value))) {
    if (issues.size === ISSUES_MAX) break;
    if (!issues.has(error.path)) issues.set(error.path, issueOf(type, error));
  }
  return [...issues.values()];
}

/**
 * Of a value that fits none of several shapes: what is wrong inside it, where only one of them can have
 * been meant; else the value itself.
 */
function* leaves(errors: Iterable<ValueError>): Generator<ValueError> {
  for (const error of errors) {
    const meant = error.errors
      .map((branch) => [...branch])
      .filter((branch) => branch.every(({ path }) => path.length > error.path.length));
    const [only] = meant;
    if (error.type === ValueErrorType.Union && only && meant.length === 1) yield* leaves(only);
    else yield error;
  }
}

function issueOf(place: string, { path, value, message, schema, type }: ValueError): Issue {
  const loc = [
    place === "params" ? "path" : place,
    ...path.split("/").filter(Boolean).map(asIndex),
  ];
  if (value === undefined || type === ValueErrorType.ObjectRequiredProperty)
    return { type: "missing", loc, msg: "Field required" };
  const msg = Array.isArray(schema.enum) ? `Expected one of ${schema.enum.join(", ")}` : message;
  const shown = isShown(path, value) ? { input: value } : {};
  return { type: "value_error", loc, msg, ...shown };
}

const asIndex = (part: string): string | number => (/^\d+$/.test(part) ? Number(part) : part);

/** What a client sent goes back to it only where it is short and no secret. */
function isShown(path: string, value: unknown): boolean {
  if (SECRET_FIELD.test(path)) return false;
  if (typeof value === "string") return value.length <= SHOWN_CHARS_MAX;
  return typeof value === "number" || typeof value === "boolean";
}
