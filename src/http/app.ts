/** The engine over HTTP: who may ask, the routes, what errors look like. */
import { Elysia, NotFoundError, ParseError, ValidationError } from "elysia";
import { EngineError } from "../domain/errors.ts";
import type { Engine } from "../engine.ts";
import { SSE_HEADERS } from "../lib/sse.ts";
import { type Access, requireAccess, requireSameRoute } from "./auth.ts";
import { readJsonBody, refuseLongBody } from "./body.ts";
import { CORS_HEADERS, errorResponse, problem } from "./errors.ts";
import type { Route } from "./openapi.ts";
import { checkpointRoutes } from "./routes/checkpoints.ts";
import { docsRoutes } from "./routes/docs.ts";
import { messageRoutes } from "./routes/messages.ts";
import { permissionRoutes } from "./routes/permissions.ts";
import { profileRoutes } from "./routes/profiles.ts";
import { ruleRoutes } from "./routes/rules.ts";
import { runRoutes } from "./routes/runs.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { systemRoutes } from "./routes/system.ts";
import { toolRoutes } from "./routes/tools.ts";
import { issuesOf } from "./validation.ts";

const METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const PREFLIGHT_SECONDS = 600;

export function createApp(engine: Engine, access: Access) {
  const app = new Elysia({
    // Fields that a client sends and we do not know are ignored, not an error.
    normalize: false,
    // The default router takes hosts of fewer than four letters for no host at all.
    handler: { standardHostname: false },
  })
    .onRequest(({ request, set }) => {
      Object.assign(set.headers, CORS_HEADERS);
      const pathname = pathOf(request);
      try {
        requireAccess(request, pathname, access);
        if (request.method === "OPTIONS") return preflight(request);
        refuseLongBody(request);
        if (pathname.length > 1 && pathname.endsWith("/")) return withoutSlash(request);
        // The router would read a stream to its end to tell its length.
        if (request.method === "HEAD" && pathname.endsWith("/events"))
          return new Response(null, { headers: { ...SSE_HEADERS, ...CORS_HEADERS } });
        return undefined;
      } catch (error) {
        return errorResponse(error);
      }
    })
    .onBeforeHandle({ as: "global" }, ({ request, route }) =>
      requireSameRoute(request, pathOf(request), route, access),
    )
    .onParse(({ request }) => readJsonBody(request))
    .onError(({ error, request }) => {
      if (error instanceof NotFoundError) return unknownRoute(app.routes, request);
      if (error instanceof ValidationError) return problem("invalid_request", issuesOf(error));
      const thrown = error instanceof ParseError ? (error.cause ?? error) : error;
      if (!(thrown instanceof EngineError))
        engine.options.log.error("request failed", { path: request.url, error: thrown });
      return errorResponse(thrown);
    })
    .use(systemRoutes(engine, access.token))
    .use(sessionRoutes(engine))
    .use(messageRoutes(engine))
    .use(runRoutes(engine))
    .use(permissionRoutes(engine))
    .use(ruleRoutes(engine))
    .use(toolRoutes(engine))
    .use(checkpointRoutes(engine))
    .use(profileRoutes(engine))
    .use(docsRoutes((): readonly Route[] => app.routes));
  return app;
}

/** Without parsing the URL, whose host may be anything a client made up. */
function pathOf({ url }: Request): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("?", start);
  return start < 0 ? "/" : url.slice(start, end < 0 ? undefined : end);
}

function preflight(request: Request): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...CORS_HEADERS,
      "access-control-allow-methods": METHODS,
      "access-control-allow-headers":
        request.headers.get("access-control-request-headers") ?? "authorization, content-type",
      "access-control-max-age": String(PREFLIGHT_SECONDS),
    },
  });
}

/** The path alone: a redirect that names the host would follow whatever the client called us. */
function withoutSlash(request: Request): Response {
  const { search } = new URL(request.url);
  const location = `/${pathOf(request).replace(/^\/+|\/+$/g, "")}${search}`;
  return new Response(null, { status: 307, headers: { ...CORS_HEADERS, location } });
}

/** The router knows no 405: the path may exist under another method. */
function unknownRoute(routes: { method: string; path: string }[], request: Request): Response {
  const parts = pathOf(request).split("/");
  const allowed = routes.filter(({ path }) => {
    const own = path.split("/");
    return own.length === parts.length && own.every((p, i) => p.startsWith(":") || p === parts[i]);
  });
  if (allowed.length === 0) return problem("not_found", "Not Found");
  const allow = [...new Set(allowed.map(({ method }) => method))].join(", ");
  return problem("method_not_allowed", "Method Not Allowed", { headers: { allow } });
}
