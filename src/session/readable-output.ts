/** A tool's output as the model gets it: a long one loses its middle, and the whole is kept in a file. */
import type { ToolCallId } from "../domain/ids.ts";
import { cutMiddle, TEXT_CHARS_MAX } from "../lib/captured-text.ts";
import { keepOutput } from "../tools/kept-output.ts";
import type { Session } from "./session.ts";

/** What a tool says beside a text that it has cut itself. */
const ROOM_CHARS = 2_000;

export async function readableOutput(
  session: Session,
  callId: ToolCallId,
  output: string,
): Promise<string> {
  if (output.length <= TEXT_CHARS_MAX + ROOM_CHARS) return output;
  try {
    const path = await keepOutput(session.forTools.outputs, callId, output);
    return `${cutMiddle(output)}\n[The whole output is in ${path}: read it by parts with file_read]`;
  } catch (error) {
    session.services.log.error("output not kept", { session: session.id, error });
    return cutMiddle(output);
  }
}
