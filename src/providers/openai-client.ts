/** The openai SDK as we use it: one client for each model, nothing from the environment. */
import OpenAI from "openai";
import type { Dialect } from "./call.ts";
import type { Endpoint } from "./endpoint.ts";
import { endpointFetch, SDK_TIMEOUT_MS } from "./transport.ts";

/** What every null and `off` here says is: do not look into the environment. */
export function openAiPost(endpoint: Endpoint, path: string): Dialect["post"] {
  const client = new OpenAI({
    // Never sent: the fetch below has the headers.
    apiKey: "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: endpoint.baseUrl,
    defaultQuery: endpoint.query,
    fetch: endpointFetch(endpoint),
    logLevel: "off",
    maxRetries: 0,
    timeout: SDK_TIMEOUT_MS,
  });
  return (body, signal) => client.post(path, { body, signal }).asResponse();
}
