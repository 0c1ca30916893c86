/** The limit on the connection to a provider being made. */
import { connect } from "node:net";
import type { Endpoint } from "./endpoint.ts";
import { TIMER_MS_MAX } from "./watchdog.ts";

type Host = Pick<Endpoint, "baseUrl" | "loopback"> & { deadlines: { connectMs: number } };

/**
 * Calls `onUnreachable` when no connection to the host can be made within the limit; returns what
 * ends the watch. `fetch` does not tell a connection that is being made from an answer that is being
 * thought about. So after half the time without an answer a connection of our own is tried, for the
 * other half: a host that takes it is only slow. Refusals and other errors are left to `fetch`, and
 * so is a host behind a proxy.
 */
export function watchConnection(host: Host, onUnreachable: () => void): () => void {
  if (isProxied(host)) return () => {};
  const half = Math.min(host.deadlines.connectMs / 2, TIMER_MS_MAX);
  let stop = () => {};
  const waiting = setTimeout(() => {
    const socket = connect(addressOf(host.baseUrl));
    const trying = setTimeout(() => {
      stop();
      onUnreachable();
    }, half);
    stop = () => {
      clearTimeout(trying);
      socket.destroy();
    };
    socket.once("connect", stop).once("error", stop);
  }, half);
  stop = () => clearTimeout(waiting);
  return () => stop();
}

/** As the runtime decides for `fetch`, but for exceptions that the environment makes. */
const isProxied = ({ loopback }: Host): boolean =>
  !loopback && Boolean(process.env.HTTPS_PROXY || process.env.https_proxy);

function addressOf(baseUrl: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(baseUrl);
  const standard = protocol === "https:" ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || standard) };
}
