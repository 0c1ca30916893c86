/**
 * A model provider on loopback that answers from a script, in chat completions, responses and
 * messages, streamed and whole. Real sockets, so that replies can be cut, broken and stalled.
 */
import { createServer, type Server, type Socket } from "node:net";
import {
  errorBody,
  errorFrame,
  type FakeFault,
  type FakeProtocol,
  type FakeReply,
  type FakeStep,
  type Frame,
  streamedFrames,
  wholeBody,
} from "./fake-replies.ts";
import { faultOf } from "./strict-history.ts";

export type { FakeFault, FakeProtocol, FakeReply, FakeStep };

export type FakeRequest = {
  protocol: FakeProtocol;
  path: string;
  query: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they need.
  body: any;
  /** Who ended the connection first. */
  ended: Promise<"client" | "server">;
};

export type FakeProvider = {
  /** `http://127.0.0.1:<port>`: the base URL of messages. */
  url: string;
  /** With the `/v1` that the base URLs of chat and responses have. */
  baseUrl(protocol: FakeProtocol): string;
  requests: FakeRequest[];
  /** The next replies, in order; a text stands for a reply that says it. */
  reply(...replies: (FakeReply | string)[]): void;
  /** What is answered when no reply is left; a function sees the request. */
  fallback: FakeReply | ((request: FakeRequest) => FakeReply);
  /** Resolves when the next request has been read. */
  nextRequest(): Promise<FakeRequest>;
  /** Connections that are open now. */
  readonly connections: number;
  stop(): Promise<void>;
};

/** Not strict: a conversation that real providers refuse is answered all the same. */
export async function startFakeProvider({ strict = true } = {}): Promise<FakeProvider> {
  const sockets = new Set<Socket>();
  const queue: FakeReply[] = [];
  const waiting: ((request: FakeRequest) => void)[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A client that leaves is what some tests are about.
    socket.on("error", () => {});
    void serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${portOf(server)}`;

  async function serve(socket: Socket): Promise<void> {
    const ended = Promise.withResolvers<"client" | "server">();
    for (const event of ["end", "error", "close"]) socket.on(event, () => ended.resolve("client"));
    const read = await readRequest(socket);
    if (read === null) return;
    const request = { ...read, ended: ended.promise };
    const connection = { socket, request, ending: () => ended.resolve("server") };
    fake.requests.push(request);
    for (const resolve of waiting.splice(0)) resolve(request);
    const wrong = strict ? faultOf(request.protocol, request.body, request.headers) : null;
    const body = wrong && errorBody(request.protocol, "invalid_request_error", wrong);
    const next = () =>
      queue.shift() ??
      (typeof fake.fallback === "function" ? fake.fallback(request) : fake.fallback);
    await answer(connection, body ? { fault: { kind: "status", status: 400, body } } : next());
  }

  const fake: FakeProvider = {
    url,
    baseUrl: (protocol) => (protocol === "messages" ? url : `${url}/v1`),
    requests: [],
    reply: (...replies) => {
      queue.push(
        ...replies.map((reply) =>
          typeof reply === "string" ? { steps: [{ text: reply }] } : reply,
        ),
      );
    },
    fallback: {},
    nextRequest: () => new Promise((resolve) => waiting.push(resolve)),
    get connections() {
      return sockets.size;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return fake;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return address.port;
}

/** A request being answered; `ending` is said before the server ends the connection. */
type Connection = { socket: Socket; request: FakeRequest; ending: () => void };

/** Null: the client left before its request was whole, or asked for something else than a reply. */
function readRequest(socket: Socket): Promise<Omit<FakeRequest, "ended"> | null> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    socket.on("close", () => resolve(null));
    socket.on("data", (piece) => {
      bytes = Buffer.concat([bytes, Buffer.from(piece)]);
      const headEnd = bytes.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const [start = "", ...lines] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
      const headers = Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(":")).toLowerCase(),
          line.slice(line.indexOf(":") + 1).trim(),
        ]),
      );
      const body = bytes.subarray(headEnd + 4);
      if (body.length < Number(headers["content-length"] ?? 0)) return;
      const [path = "", query = ""] = (start.split(" ")[1] ?? "").split("?");
      const protocol = protocolOf(path);
      if (protocol === null || body.length === 0) {
        socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return;
      }
      resolve({
        protocol,
        path,
        query,
        headers,
        body: JSON.parse(body.toString()),
      });
    });
  });
}

function protocolOf(path: string): FakeProtocol | null {
  if (path.endsWith("/chat/completions")) return "chat";
  if (path.endsWith("/responses")) return "responses";
  return path.endsWith("/v1/messages") ? "messages" : null;
}

async function answer(connection: Connection, reply: FakeReply): Promise<void> {
  const { socket, request, ending } = connection;
  const { fault } = reply;
  if (fault?.kind === "stall" && fault.after === null) return;
  if (fault?.kind === "status") {
    const body = fault.body ?? errorBody(request.protocol, "api_error", `status ${fault.status}`);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const type = typeof body === "string" ? "text/plain" : "application/json";
    ending();
    socket.end(head(fault.status, { "content-type": type, ...fault.headers }, text) + text);
    return;
  }
  if (request.body.stream === true) {
    socket.write(
      head(200, { "content-type": "text/event-stream", "transfer-encoding": "chunked" }),
    );
    await streamFrames(connection, reply);
    return;
  }
  for (const step of reply.steps ?? []) if ("wait" in step) await step.wait;
  const text = JSON.stringify(wholeBody(request.protocol, reply));
  const headers = head(200, { "content-type": "application/json" }, text);
  if (fault?.kind !== "stall") ending();
  if (fault === undefined) {
    socket.end(headers + text);
    return;
  }
  socket.write(headers + text.slice(0, text.length >> 1));
  if (fault.kind === "reset") socket.resetAndDestroy();
  else if (fault.kind !== "stall") socket.end();
}

const head = (status: number, headers: Record<string, string>, body?: string): string =>
  [
    `HTTP/1.1 ${status} Fake`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
    "connection: close",
    "\r\n",
  ].join("\r\n");

async function streamFrames(connection: Connection, reply: FakeReply): Promise<void> {
  const { socket, request, ending } = connection;
  const { fault, pieceBytes } = reply;
  const usage = request.body.stream_options?.include_usage === true;
  const frames = streamedFrames(request.protocol, reply, usage);
  const after = fault && "after" in fault ? (fault.after ?? 0) : Number.POSITIVE_INFINITY;
  let sent = 0;
  for (const frame of frames) {
    if (sent >= after) break;
    if (typeof frame !== "string") {
      await frame;
      continue;
    }
    writeChunk(socket, frame, pieceBytes);
    sent++;
  }
  if (fault?.kind === "stall" && sent >= after) return;
  ending();
  if (fault && sent >= after) await breakDown(socket, request, fault);
  else endBody(socket);
}

/** The other faults are done with before the first frame, or instead of the next. */
async function breakDown(socket: Socket, request: FakeRequest, fault: FakeFault): Promise<void> {
  switch (fault.kind) {
    case "end":
      endBody(socket);
      break;
    case "fin":
      await fault.when;
      socket.end("ff\r\ndata: {");
      break;
    case "reset":
      await fault.when;
      socket.resetAndDestroy();
      break;
    case "garbage":
      writeChunk(socket, 'data: {"broken\n\n');
      endBody(socket);
      break;
    case "error":
      writeChunk(socket, errorFrame(request.protocol, fault.error));
      endBody(socket);
      break;
    case "status":
    case "stall":
      break;
  }
}

function writeChunk(socket: Socket, frame: Frame & string, pieceBytes?: number): void {
  const bytes = Buffer.from(frame);
  const size = pieceBytes ?? bytes.length;
  for (let from = 0; from < bytes.length; from += size) {
    const piece = bytes.subarray(from, from + size);
    socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    socket.write("\r\n");
  }
}

const endBody = (socket: Socket): void => {
  socket.end("0\r\n\r\n");
};
