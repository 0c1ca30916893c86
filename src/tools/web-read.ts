/** Reads one page of the web for a tool. Loaded when it is first needed: what it needs takes long to load. */
import type { ToolResult } from "../domain/tool.ts";
import { isOwnNetwork, isPublicAddress } from "../lib/ip-address.ts";
import { CANCELLED, ToolFailure } from "./failure.ts";
import { type Resolve, systemResolve } from "./web/addresses.ts";
import { NotReached } from "./web/failure.ts";
import { htmlText } from "./web/html-text.ts";
import { fetchPage, type Network, type Page } from "./web/page.ts";
import type { RequestLimits } from "./web/request.ts";
import { visible } from "./web/untrusted.ts";
import { type Content, type Excerpt, report } from "./web-report.ts";

export type Format = "markdown" | "text" | "html";

export type WebLimits = RequestLimits & {
  /** For all of it: names, redirects, bytes and making them text. */
  totalMs: number;
};

const LIMITS: WebLimits = {
  totalMs: 20_000,
  firstByteMs: 10_000,
  connectMs: 4_000,
  bodyBytes: 5 * 2 ** 20,
};

export type WebOptions = {
  /** Of this program, which says who it is. */
  version: string;
  /** The engine's own environment: only whether it has a proxy. */
  env: Record<string, string | undefined>;
  /** What is below is for tests: nothing that anybody can set may lead here. */
  resolve?: Resolve;
  isAllowed?(address: string): boolean;
  certificates?: string[];
  limits?: Partial<WebLimits>;
};

export type Reading = { url: string; format: Format; excerpt: Excerpt };

/** Throws ToolFailure where there is nothing to be had. */
export async function readPage(
  { url, format, excerpt }: Reading,
  options: WebOptions,
  signal: AbortSignal,
): Promise<ToolResult> {
  const limits = { ...LIMITS, ...options.limits };
  const network: Network = {
    limits,
    userAgent: `kollab-engine/${options.version}`,
    certificates: options.certificates,
    resolve: options.resolve ?? systemResolve,
    isAllowed: options.isAllowed ?? isElsewhere,
  };
  const late = AbortSignal.timeout(limits.totalMs);
  const either = AbortSignal.any([signal, late]);
  try {
    const page = await fetchPage(url, network, either);
    return report(page, await contentOf(page, format, either), excerpt);
  } catch (error) {
    if (signal.aborted) return CANCELLED;
    const failure = late.aborted
      ? new NotReached(tooLong(limits.totalMs), { cause: error })
      : error;
    throw failure instanceof NotReached && hasProxy(options.env) ? withoutProxy(failure) : failure;
  }
}

/** A proxy looks names up by itself, and so where it connects to cannot be checked. */
const hasProxy = (env: WebOptions["env"]): boolean =>
  ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].some((name) =>
    Boolean(env[name] || env[name.toLowerCase()]),
  );

const tooLong = (ms: number): string => `The page was not there within ${ms / 1000} s`;

const withoutProxy = (failure: NotReached): ToolFailure =>
  new ToolFailure(`${failure.message} (web_fetch connects directly, never through the proxy)`, {
    cause: failure,
  });

/** Neither this machine nor one beside it, by whatever address. */
const isElsewhere = (address: string): boolean =>
  isPublicAddress(address) && !isOwnNetwork(address);

/** As it is shown, all of it. */
async function contentOf(page: Page, format: Format, signal: AbortSignal): Promise<Content> {
  if (page.kind !== "html" || format === "html")
    return { text: await visible(page.text, signal), whole: page.whole };
  const { title, text, whole } = await htmlText(page.text, format, page.url, signal);
  const titled = title === "" ? text : `Title: ${title}\n\n${text}`;
  return { text: await visible(titled, signal), whole: whole && page.whole };
}
