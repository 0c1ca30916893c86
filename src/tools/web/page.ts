/** A page from the web: its URL, its redirects, its bytes as text. */

import { quoted } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import { checkedAddresses, type Resolve } from "./addresses.ts";
import { decodeText, type Kind, kindOfBytes, kindOfType, typeOf } from "./decode.ts";
import { type Answer, get, type RequestOptions } from "./request.ts";
import { judgeRedirect, parseTarget } from "./target.ts";

const REDIRECTS_MAX = 5;
const REDIRECTIONS = new Set([301, 302, 303, 307, 308]);

export type Network = RequestOptions & {
  resolve: Resolve;
  isAllowed(address: string): boolean;
};

export type Page = {
  /** Behind all redirects. */
  url: URL;
  status: number;
  /** Without its parameters; empty: the server does not say. */
  type: string;
  kind: Exclude<Kind, "binary">;
  text: string;
  bytes: number;
  /** The body was read to its end. */
  whole: boolean;
};

export async function fetchPage(
  text: string,
  network: Network,
  signal: AbortSignal,
): Promise<Page> {
  let url = parseTarget(text);
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const answer = await askFor(url, network, signal);
    try {
      const location = REDIRECTIONS.has(answer.status) ? answer.header("location") : "";
      if (location === "") return await readPage(url, answer);
      url = followed(url, location);
    } finally {
      answer.close();
    }
  }
  throw new ToolFailure(
    `More than ${REDIRECTS_MAX} redirects, the last one to ${quoted(url.href)}`,
  );
}

async function askFor(url: URL, network: Network, signal: AbortSignal): Promise<Answer> {
  const { resolve, isAllowed } = network;
  const addresses = await checkedAddresses(url, resolve, isAllowed, signal);
  return get(url, addresses, network, signal);
}

function followed(from: URL, location: string): URL {
  const redirect = judgeRedirect(from, location);
  if (redirect.follow) return redirect.url;
  throw new ToolFailure(
    `It redirects to ${redirect.reason}. To follow, call web_fetch with the url ${redirect.url.href}`,
  );
}

async function readPage(url: URL, answer: Answer): Promise<Page> {
  const contentType = answer.header("content-type");
  const type = typeOf(contentType);
  const said = kindOfType(contentType);
  if (said === "binary") throw notText(url, type, Number(answer.header("content-length")));
  const { bytes, whole } = await answer.read();
  const found = kindOfBytes(bytes);
  if (found === "binary") throw notText(url, type, bytes.length);
  return {
    url,
    status: answer.status,
    type,
    kind: said ?? found,
    text: decodeText(bytes, contentType),
    bytes: bytes.length,
    whole,
  };
}

/** `bytes`: 0, or NaN, where nobody says. */
function notText(url: URL, type: string, bytes: number): ToolFailure {
  const size = bytes > 0 ? `, ${bytes} bytes` : "";
  return new ToolFailure(
    `${quoted(url.href)} is no text that can be shown: ${quoted(type || "binary")}${size}`,
  );
}
