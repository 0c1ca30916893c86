/** The addresses of a host, all of them checked. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { errorCode } from "../../lib/error-code.ts";
import { quoted } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import { NotReached } from "./failure.ts";
import { hostOf } from "./target.ts";

/** More are not tried. */
const ADDRESSES_MAX = 4;

/** Every address that a name has. */
export type Resolve = (host: string) => Promise<string[]>;

export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/**
 * One that is not allowed is enough to refuse the host: nobody has it by accident. Whoever connects
 * takes one of these, since the name may have others the next time that it is looked up.
 */
export async function checkedAddresses(
  url: URL,
  resolve: Resolve,
  isAllowed: (address: string) => boolean,
  signal: AbortSignal,
): Promise<string[]> {
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolved(host, resolve, signal) : [host];
  if (addresses.length === 0) throw new ToolFailure(`The host ${quoted(host)} has no address`);
  if (!addresses.every(isAllowed))
    throw new ToolFailure(
      `${quoted(host)} is not on the public internet; only what is can be fetched`,
    );
  return addresses.slice(0, ADDRESSES_MAX);
}

async function resolved(host: string, resolve: Resolve, signal: AbortSignal): Promise<string[]> {
  try {
    return await orAborted(resolve(host), signal);
  } catch (error) {
    signal.throwIfAborted();
    const reason = UNKNOWN.has(errorCode(error)) ? "no such host" : "the name service fails";
    throw new NotReached(`Cannot resolve ${quoted(host)}: ${reason}`, { cause: error });
  }
}

const UNKNOWN = new Set(["ENOTFOUND", "ENODATA"]);

/** The system's look-up cannot be stopped, only left alone. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
