/** What went wrong, by the name that the system has for it. */

/** As `ENOENT`; empty for anything else. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" ? code : "";
}
