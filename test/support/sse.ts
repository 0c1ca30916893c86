/** Reads server-sent events as a client would. */
// biome-ignore lint/suspicious/noExplicitAny: replies are looked at field by field
export type Json = any;

/** `id` is null for what has no place in the log. */
export type SseEvent = { id: number | null; event: Json };

/** Breaking out of the loop hangs up. */
export async function* readSse(response: Response): AsyncGenerator<SseEvent> {
  if (!response.body) return;
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split("\r\n\r\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(
        block.split("\r\n").map((line) => line.split(/: (.*)/s) as [string, string]),
      );
      const data = fields.get("data");
      if (data === undefined) continue;
      const id = fields.get("id");
      yield { id: id === undefined ? null : Number(id), event: JSON.parse(data) };
    }
  }
}

/** Reads until an event of this type has come, that one included, and hangs up. */
export async function readUntil(response: Response, type: string): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  for await (const each of readSse(response)) {
    events.push(each);
    if (each.event.type === type) break;
  }
  return events;
}

export const typesOf = (events: SseEvent[]): string[] => events.map(({ event }) => event.type);
export const textOf = (events: SseEvent[]): string =>
  events.map(({ event }) => (event.type === "token" ? event.text : "")).join("");
