/** Where a reader of events stands. */
import type { Seq } from "../domain/ids.ts";
import { invalidRequest } from "./errors.ts";

/**
 * `Last-Event-ID`, which browsers send when they come back by themselves, wins over `?after=`.
 * Null when the reader says neither.
 */
export function readCursor(request: Request, query: { after?: string }): Seq | null {
  const header = request.headers.get("last-event-id");
  if (header === null || header === "")
    return query.after === undefined ? null : Number(query.after);
  if (/^[0-9]{1,15}$/.test(header)) return Number(header);
  const msg = "Last-Event-ID is the id of an event: a whole number";
  throw invalidRequest({
    type: "int_parsing",
    loc: ["header", "last-event-id"],
    msg,
    input: header,
  });
}
