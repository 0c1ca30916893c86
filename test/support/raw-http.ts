/** Requests that no client library sends: any `Host`, broken headers, bodies in chunks. */
import { connect } from "node:net";

export type RawReply = {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  text: string;
};

export type RawRequest = {
  port: number;
  method?: string;
  path: string;
  /** `null` leaves one out that is sent otherwise. */
  headers?: Record<string, string | null>;
  body?: string;
  /** Sent as chunks of this text, without a length. */
  chunks?: readonly string[];
  version?: "1.0" | "1.1";
};

/** Resolves when the server has closed the connection, which it is asked to do. */
export function rawRequest(request: RawRequest): Promise<RawReply> {
  const { port, method = "GET", path, headers = {}, body, chunks, version = "1.1" } = request;
  const all = {
    host: `127.0.0.1:${port}`,
    connection: "close",
    ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
    ...(chunks === undefined ? {} : { "transfer-encoding": "chunked" }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`],
  );
  const head = [`${method} ${path} HTTP/${version}`, ...lines, "\r\n"].join("\r\n");
  const framed = chunks?.map((text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (bytes) => {
      text += bytes;
    });
    // A server that refuses a long body need not read it to its end.
    socket.on("error", (error) => (text === "" ? reject(error) : resolve(parse(text))));
    socket.on("close", () => resolve(parse(text)));
    socket.write(head + (body ?? ""));
    for (const chunk of framed ?? []) socket.write(chunk);
    if (framed) socket.write("0\r\n\r\n");
  });
}

function parse(text: string): RawReply {
  const end = text.indexOf("\r\n\r\n");
  const [start = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(start.split(" ")[1]),
    headers: Object.fromEntries(headers),
    text: text.slice(end + 4),
  };
}
