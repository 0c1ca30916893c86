/** Whether a profile that a project brought along may have a key of the user's. */
import { dirname } from "node:path";

export type ProjectFile = {
  path: string;
  /** Whether the user said so, about what is in it now. */
  trusted: boolean;
};

/** What decides where its requests go. */
export type ProjectAddress = {
  /** As the project's file has it; empty: not from there. */
  baseUrl: string;
  extraHeaders: Record<string, string>;
  /** Of the user's own entry of the same name; empty: there is none. */
  homeBaseUrl: string;
};

/**
 * Null: it may. A clone of somebody's repository must not choose who gets the user's key, so that
 * goes to the vendor, to this machine, and where the user's own entry of that name sends it.
 */
export function whyWithheld(
  profile: string,
  address: ProjectAddress,
  file: ProjectFile,
): string | null {
  if (file.trusted) return null;
  const host = chosenHost(address);
  if (host === null) return null;
  return `Profile '${profile}' comes from ${file.path}, which would send your API key to ${host}. If you trust that file, run in ${dirname(dirname(file.path))}: kollab-engine doctor --trust-project`;
}

/** Null: none that the project alone chose. */
function chosenHost({ baseUrl, extraHeaders, homeBaseUrl }: ProjectAddress): string | null {
  // Servers that many share may look at the header alone.
  const header = Object.entries(extraHeaders).find(([name]) => name.toLowerCase() === "host");
  if (header !== undefined) return header[1];
  if (baseUrl === "") return null;
  const url = URL.parse(baseUrl);
  if (url === null || url.host === "") return "an unknown host";
  const known = isLoopback(url.hostname) || url.host === URL.parse(homeBaseUrl)?.host;
  return known ? null : url.host;
}

/** By the parsed host: `localhost.example.com` only looks local, `x.localhost` a name server may answer. */
const isLoopback = (hostname: string): boolean =>
  /^(localhost\.?|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(hostname);
