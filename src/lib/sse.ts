/** Server-sent events: what goes over the wire. */

/** One event: `id` where a client may resume after it, and one line of JSON. */
export const sseFrame = (json: string, id?: number): string =>
  id === undefined ? `data: ${json}\r\n\r\n` : `id: ${id}\r\ndata: ${json}\r\n\r\n`;

/** Nothing for the client, but proxies and clients see that the stream lives. */
export const SSE_PING = ": ping\r\n\r\n";
export const SSE_OPEN = ": open\r\n\r\n";

export const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
} as const;
