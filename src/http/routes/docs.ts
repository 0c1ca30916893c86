/** The API's description: as a document, and as a page that shows it. Made when it is first asked for. */
import { Elysia } from "elysia";
import { VERSION } from "../../version.ts";
import type { Route } from "../openapi.ts";

/** `routes`: all routes of the app, these included. */
export const docsRoutes = (routes: () => readonly Route[]) => {
  let document: string | null = null;
  return new Elysia({ tags: ["system"] })
    .get(
      "/openapi.json",
      async () => {
        const { writeOpenApi } = await import("../openapi.ts");
        document ??= writeOpenApi(routes(), VERSION);
        return new Response(document, { headers: { "content-type": "application/json" } });
      },
      { detail: { summary: "This document" } },
    )
    .get(
      "/docs",
      async () => {
        const { docsPage } = await import("../docs-page.ts");
        return docsPage();
      },
      { detail: { summary: "The same for people" } },
    );
};
