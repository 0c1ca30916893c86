/** IP addresses: which of them are on the public internet, and which are near. */
import { isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

type Family = 4 | 6;
type Address = { family: Family; bits: bigint };
type Network = { family: Family; first: bigint; hostBits: bigint };

const LENGTH = { 4: 32n, 6: 128n } as const;

/**
 * Whether everybody on the internet would reach the same machine by it: no loopback, private,
 * link-local, shared, multicast, documentation or reserved address. IPv6 that carries an IPv4
 * address is what that is. False of anything that is no address.
 */
export function isPublicAddress(text: string): boolean {
  const address = parseAddress(text);
  return address !== null && isPublic(address);
}

/**
 * Whether this machine or one beside it has it. A machine's own address may be a public one, and what
 * listens on all of its addresses listens there, too.
 */
export const isOwnNetwork = (text: string): boolean =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some(({ cidr }) => cidr !== null && isInNetwork(text, cidr));

/** `network`: an address, a slash and the length of its prefix; false of anything that is none. */
export function isInNetwork(text: string, network: string): boolean {
  const address = parseAddress(text);
  const parsed = parseNetwork(network);
  return address !== null && parsed !== null && contains(parsed, address);
}

function isPublic(address: Address): boolean {
  const carrier = CARRIERS.find(({ network }) => contains(network, address));
  if (carrier) {
    const carried = (address.bits >> carrier.shift) & 0xffff_ffffn;
    return isPublic({ family: 4, bits: carried });
  }
  if (address.family === 6 && !contains(GLOBAL_UNICAST, address)) return false;
  return !SPECIAL.some((network) => contains(network, address));
}

const contains = (network: Network, { family, bits }: Address): boolean =>
  network.family === family && bits >> network.hostBits === network.first >> network.hostBits;

/** As the system and `URL` write them; without brackets and without a zone. */
function parseAddress(text: string): Address | null {
  if (isIPv4(text)) return { family: 4, bits: fromIPv4(text) };
  if (text.includes("%") || !isIPv6(text)) return null;
  return { family: 6, bits: fromIPv6(text) };
}

const fromIPv4 = (text: string): bigint =>
  text.split(".").reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);

function fromIPv6(text: string): bigint {
  const [head = "", tail] = text.split("::");
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = new Array<bigint>(8 - before.length - after.length).fill(0n);
  return [...before, ...zeros, ...after].reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** The last one may be written as an IPv4 address, which is two. */
const groupsOf = (text: string): bigint[] =>
  text.split(":").flatMap((group) => {
    if (group === "") return [];
    if (!group.includes(".")) return [BigInt(`0x${group}`)];
    const bits = fromIPv4(group);
    return [bits >> 16n, bits & 0xffffn];
  });

function parseNetwork(text: string): Network | null {
  const [start = "", prefix = ""] = text.split("/");
  const address = parseAddress(start);
  if (address === null || !/^\d{1,3}$/.test(prefix)) return null;
  const hostBits = LENGTH[address.family] - BigInt(prefix);
  return hostBits < 0n ? null : { family: address.family, first: address.bits, hostBits };
}

const networks = (...texts: string[]): Network[] =>
  texts.flatMap((text) => parseNetwork(text) ?? []);

const GLOBAL_UNICAST: Network = { family: 6, first: 0x2n << 124n, hostBits: 125n };

/** Not for the public internet, by the registries of special-purpose addresses. */
const SPECIAL = networks(
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared by the customers of a provider; metadata of a cloud
  "127.0.0.0/8", // loopback
  "168.63.129.16/32", // the host of a cloud's virtual machines
  "169.254.0.0/16", // link-local; metadata of clouds
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments; metadata of a cloud
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // relays to IPv6
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved; broadcast
  "2001::/23", // protocol assignments: Teredo, benchmarks, ORCHID
  "2001:db8::/32", // documentation
  "3fff::/20", // documentation
);

/** IPv6 that leads to an IPv4 address, which begins `shift` bits from the end. */
const CARRIERS = [
  { prefix: "::ffff:0:0/96", shift: 0n },
  { prefix: "64:ff9b::/96", shift: 0n },
  { prefix: "2002::/16", shift: 80n },
].flatMap(({ prefix, shift }) => networks(prefix).map((network) => ({ network, shift })));
