/** A client that believes the engine's own document, and holds every reply against it. */
import type { TestEngine } from "./engine.ts";
import { faultsOf, resolve, type Schema } from "./json-schema.ts";
import type { Json, SseEvent } from "./sse.ts";
import { type Followed, follow } from "./turns.ts";

export type Operation = {
  id: string;
  method: string;
  /** With its parameters in braces. */
  path: string;
  exposure: string;
  parameters: Json[];
  body: Schema | null;
  responses: Record<string, Json>;
};

export type DescribedApi = {
  document: Json;
  operations: Operation[];
  /** The statuses that came, checked, as `operation status`. */
  seen: Set<string>;
  /** The types of the events that came, checked. */
  eventsSeen: Set<string>;
  /** Sends a request and returns the body of its reply. Throws where it is not as described. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Json>;
  /** The same for one that answers with a stream, whose events are checked by `checkEvents`. */
  open(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Stream>;
  checkEvents(stream: Stream): void;
};
export type Stream = Followed & { schema: Schema };

export async function describedApi(e: TestEngine): Promise<DescribedApi> {
  // As text over the wire: nothing of what it was made from is left in it.
  const document: Json = await e.json("GET", "/openapi.json");
  const operations = operationsOf(document);
  const seen = new Set<string>();
  const eventsSeen = new Set<string>();

  async function call(method: string, path: string, body?: unknown, headers = {}) {
    const operation = operationFor(operations, method, path);
    const response = await e.call(method, path, body, headers);
    const place = `${operation.id} ${response.status}`;
    const described = responseOf(document, operation, response.status);
    if (response.ok && operation.body) demand(place, faultsOf(body, operation.body, document));
    const type = response.headers.get("content-type")?.split(";")[0] ?? "none";
    const schema: Schema | undefined = described.content[type]?.schema;
    if (!schema) throw new Error(`${place} is not described as ${type}`);
    for (const [name, header] of Object.entries<Json>(described.headers ?? {}))
      demand(`${place} ${name}`, faultsOf(response.headers.get(name), header.schema, document));
    seen.add(place);
    return { response, schema, place };
  }

  return {
    document,
    operations,
    seen,
    eventsSeen,
    async ask(method, path, body, headers) {
      const { response, schema, place } = await call(method, path, body, headers);
      const isJson = response.headers.get("content-type")?.startsWith("application/json");
      const answer = isJson ? await response.json() : await response.text();
      demand(place, faultsOf(answer, schema, document));
      return answer;
    },
    async open(method, path, body, headers) {
      const { response, schema } = await call(method, path, body, headers);
      return { ...follow(response), schema };
    },
    checkEvents({ events, schema }) {
      for (const { event } of events) {
        demand(event.type, faultsOf(event, schema, document));
        for (const name of variantsOf(event, schema, document)) eventsSeen.add(name);
      }
    },
  };
}

function operationsOf(document: Json): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      exposure: operation["x-exposure"],
      parameters: operation.parameters,
      body: operation.requestBody?.content["application/json"].schema ?? null,
      responses: operation.responses,
    })),
  );
}

export function responseOf(document: Json, { id, responses }: Operation, status: number): Json {
  const found = responses[status];
  if (!found) throw new Error(`${id} is not described as answering ${status}`);
  return found.$ref ? resolve(found.$ref, document) : found;
}

function operationFor(operations: Operation[], method: string, path: string): Operation {
  const parts = path.replace(/\?.*/, "").split("/");
  const found = operations.find((each) => {
    const own = each.path.split("/");
    const fits = own.every((part, at) => part.startsWith("{") || part === parts[at]);
    return each.method === method && own.length === parts.length && fits;
  });
  if (!found) throw new Error(`${method} ${path} is not described`);
  return found;
}

/** The names of the schemas of single events that it fits. */
function variantsOf(event: SseEvent["event"], schema: Schema, document: Json): string[] {
  if (Array.isArray(schema.anyOf))
    return schema.anyOf.flatMap((each: Schema) => variantsOf(event, each, document));
  if (typeof schema.$ref !== "string" || faultsOf(event, schema, document).length > 0) return [];
  const target = resolve(schema.$ref, document);
  if (target.anyOf) return variantsOf(event, target, document);
  return [schema.$ref.replace(/.*\//, "")];
}

function demand(place: string, faults: string[]): void {
  if (faults.length > 0) throw new Error(`${place}: ${faults.join("; ")}`);
}
