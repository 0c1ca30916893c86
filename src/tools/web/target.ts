/** Where a request may go, as far as its URL says so. */
import { quoted } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";

const URL_CHARS_MAX = 4_096;

/** Ports of other protocols, which a request that is made up well could speak. As browsers have them. */
const OTHER_PORTS = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
  103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
  512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
  995, 1719, 1720, 1723, 2049, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566,
  6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211, 27017,
]);

/** The URL as it is requested; without its fragment, which is the reader's. */
export function parseTarget(text: string): URL {
  if (text.length > URL_CHARS_MAX)
    throw new ToolFailure(`The URL is longer than ${URL_CHARS_MAX} characters`);
  const url = URL.parse(text.trim());
  if (url === null)
    throw new ToolFailure("Parameter 'url' must be a whole URL, such as https://example.com/page");
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new ToolFailure("Only http and https URLs can be fetched");
  if (url.username !== "" || url.password !== "")
    throw new ToolFailure("URLs with a user name or password are not fetched; leave it out");
  if (OTHER_PORTS.has(Number(url.port)))
    throw new ToolFailure(`Port ${url.port} is not one of web servers`);
  url.hash = "";
  // The dot that may end a name makes it no other host.
  url.hostname = url.hostname.replace(/\.+$/, "");
  const host = hostOf(url);
  if (host === "localhost" || host.endsWith(".localhost"))
    throw new ToolFailure(`${quoted(host)} is this machine, which is not fetched from`);
  return url;
}

/** In lower case, without port and brackets. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

export type Redirect = { follow: true; url: URL } | { follow: false; url: URL; reason: string };

/**
 * Whoever allowed a host did not allow another one, also not one that only begins with `www.`. What was to
 * be secret on its way stays so.
 */
export function judgeRedirect(from: URL, location: string): Redirect {
  const to = URL.parse(location, from.href);
  if (to === null) throw new ToolFailure(`${quoted(from.host)} redirects to what is no URL`);
  const url = parseTarget(to.href);
  if (hostOf(url) !== hostOf(from)) return { follow: false, url, reason: "another host" };
  if (from.protocol === "https:" && url.protocol === "http:")
    return { follow: false, url, reason: "a connection that is not encrypted" };
  return { follow: true, url };
}
