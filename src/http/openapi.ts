/** The routes and what is known of them, as an OpenAPI document. Built when it is first asked for. */
import { type TObject, type TSchema, TypeGuard } from "@sinclair/typebox";
import { TURN_FAULTS } from "../domain/errors.ts";
import { type Exposure, exposureOf } from "./auth.ts";
import { collect } from "./components.ts";
import { STATUS } from "./errors.ts";
import { OPERATIONS, type Operation } from "./operations.ts";
import { ERROR } from "./reply-schemas.ts";

/** What of the router's routes the document is made from. */
export type Route = { method: string; path: string; hooks: RouteHooks };
type RouteHooks = {
  detail?: { summary?: string; tags?: string[] };
  params?: TObject;
  query?: TObject;
  body?: TSchema;
};

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const ABOUT = `Runs AI agents on this machine. Every session has an event log: a turn writes to it, \
and whoever follows the session reads it, each at its own place.

Routes are for anyone (public), for anyone on this machine (local), for who has the token of the \
file \`~/.kollab/engine.token\` (client), or change what all sessions depend on (admin). Where the \
engine listens to more than this machine, only \`GET /health\` does without the token.

Fields and events that a client does not know are to be ignored: later versions add some.`;

const TAGS = {
  system: "The engine itself",
  sessions: "Conversations and their settings",
  messages: "Sending messages and following what happens",
  runs: "Messages apart from their events, and the queue",
  permissions: "Answering for tool calls, and rules about them",
  checkpoints: "What turns changed, and undoing it",
  tools: "What a session's tools keep and run",
  profiles: "Models and how to reach them",
};

const FAILURES: Record<number, string> = {
  400: "What is asked for cannot be done",
  401: "The token is missing or wrong",
  403: "The engine does not answer to the name in `Host`",
  404: "There is no such thing",
  409: "Something else is under way, has this name, or has this session",
  413: "The body is too long",
  415: "The body is not JSON",
  422: "The request is invalid",
  500: "The config file is broken, or the engine has a defect",
  503: "The engine stops, or too much waits already; later it may succeed",
};
const EXPOSURES: Record<Exposure, string> = {
  public: "Needs no token.",
  local: "Needs no token on this machine.",
  client: "Needs the token.",
  admin: "Needs the token, and changes what all sessions depend on.",
};

/** The document as text. Throws where a route is not described. */
export function writeOpenApi(routes: readonly Route[], version: string): string {
  const shown = routes.filter(({ method }) => METHODS.includes(method));
  const { plain, schemas } = collect({
    openapi: "3.1.0",
    info: { title: "kollab-engine", version, description: ABOUT },
    servers: [{ url: "/" }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ bearer: [] }],
    paths: pathsOf(shown),
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      responses: Object.fromEntries(Object.entries(FAILURES).map(failure)),
    },
  });
  const document = plain as { components: object };
  return JSON.stringify({ ...document, components: { ...document.components, schemas } });
}

function pathsOf(routes: readonly Route[]) {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return paths;
}

function operationOf({ method, path, hooks }: Route) {
  const described = OPERATIONS[`${method} ${path}`];
  if (!described) throw new Error(`${method} ${path} is not described`);
  const exposure = described.exposure ?? exposureOf(path);
  return {
    operationId: described.id,
    ...hooks.detail,
    description: EXPOSURES[exposure],
    "x-exposure": exposure,
    ...securityOf(exposure),
    parameters: [
      ...parametersIn("path", hooks.params),
      ...parametersIn("query", hooks.query),
      ...(described.headers ?? []).map(({ name, schema }) => ({
        in: "header",
        name,
        ...withDescription(schema),
      })),
    ],
    ...(hooks.body ? { requestBody: bodyOf(hooks.body) } : {}),
    responses: responsesOf(described, errorsOf(path, hooks)),
  };
}

function securityOf(exposure: Exposure) {
  if (exposure === "public") return { security: [{}] };
  return exposure === "local" ? { security: [{}, { bearer: [] }] } : {};
}

const parametersIn = (place: "path" | "query", schema: TObject | undefined) =>
  Object.entries(schema?.properties ?? {}).map(([name, own]) => ({
    in: place,
    name,
    required: place === "path" || (schema?.required ?? []).includes(name),
    ...withDescription(own),
  }));

/** A parameter has its description beside its schema. */
const withDescription = ({ description, ...schema }: TSchema) => ({ description, schema });

const bodyOf = (schema: TSchema) => ({
  required: !TypeGuard.IsOptional(schema),
  content: { "application/json": { schema } },
});

function responsesOf({ reply, errors = [] }: Operation, common: readonly number[]) {
  const { status, description, type, schema, headers = {} } = reply;
  const failures = [...new Set([...common, ...errors])].sort((one, other) => one - other);
  const named = Object.entries(headers).map(([name, own]) => [name, { schema: own }]);
  return {
    [status]: {
      description,
      ...(named.length > 0 ? { headers: Object.fromEntries(named) } : {}),
      content: { [type]: { schema } },
    },
    ...Object.fromEntries(
      failures.map((each) => [each, { $ref: `#/components/responses/Error${each}` }]),
    ),
  };
}

/** What a route can fail with by what it is and takes. */
const errorsOf = (path: string, { params, query, body }: RouteHooks): number[] => [
  ...(path === "/health" ? [] : [401]),
  403,
  ...(body ? [413, 415] : []),
  ...(params || query || body ? [422] : []),
  500,
];

function failure([status, description]: [string, string]): [string, object] {
  const codes = Object.entries(STATUS).flatMap(([code, own]) =>
    own === Number(status) && !ENDS_TURNS.has(code) ? [code] : [],
  );
  return [
    `Error${status}`,
    {
      description: `${description}. Codes: ${codes.join(", ")}.`,
      content: { "application/json": { schema: ERROR } },
    },
  ];
}

/** Codes that streams have in their `error` events, and replies do not. */
const ENDS_TURNS = new Set<string>(TURN_FAULTS.filter((fault) => fault !== "internal"));
