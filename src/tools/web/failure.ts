/** Why there is no page, in one line for the model. */

export class WebFailure extends Error {
  override readonly name: string = "WebFailure";
}

/** Nobody answered, though somebody may be there. */
export class NotReached extends WebFailure {
  override readonly name = "NotReached";
}

/** The system's name for what went wrong, as `ECONNREFUSED`; empty for anything else. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" ? code : "";
}
