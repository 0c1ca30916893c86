import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { isInNetwork, isOwnNetwork, isPublicAddress } from "../../src/lib/ip-address.ts";

const PUBLIC = `1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
  168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255
  192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
  2606:4700:4700::1111 2a00:1450:4001:81b::200e 2001:200::1 2001:4860:4860::8888 2003::1 3ffe::1
  ::ffff:8.8.8.8 ::ffff:808:808 64:ff9b::8.8.8.8 2002:808:808::1`;

const NOT_PUBLIC = `0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255
  127.0.0.1 127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2
  172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.2 192.88.99.1 192.168.0.1 192.168.255.255
  198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1
  255.255.255.255
  :: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1
  ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a00:1 64:ff9b::169.254.169.254
  64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1
  2001:db8::1 2002:7f00:1::1 2002:a00:1::1 2002:c0a8:101::1 2002:a9fe:a9fe::1 3fff::1 3fff:fff::1
  4000::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 febf::1 fec0::1 ff02::1
  ff0e::1 e000::1`;

const list = (text: string) => text.split(/\s+/);

test.each(list(PUBLIC))("%s is public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each(list(NOT_PUBLIC))("%s is not public", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(
  [
    ["", "localhost", "example.com", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "0x7f.0.0.1"],
    ["[2606::1]", "2606::1%eth0", "2606::1::2", "2606:", "8.8.8.8 ", "8.8.8.8/32"],
  ].flat(),
)("what is no address, as %p, is not public", (text) => {
  expect(isPublicAddress(text)).toBe(false);
});

test("an address is in the networks that it begins like", () => {
  expect(isInNetwork("203.0.113.77", "203.0.113.64/26")).toBe(true);
  expect(isInNetwork("203.0.113.1", "203.0.113.64/26")).toBe(false);
  expect(isInNetwork("2a01:4f8:1::9", "2a01:4f8:1::2/64")).toBe(true);
  expect(isInNetwork("2a01:4f8:2::9", "2a01:4f8:1::2/64")).toBe(false);
  expect(isInNetwork("::102:304", "1.2.3.4/0")).toBe(false);
  for (const none of ["1.2.3.4", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/x", "/8"])
    expect(isInNetwork("1.2.3.4", none)).toBe(false);
});

test("what this machine has for addresses is its own network, whatever they are", () => {
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  for (const { address } of own.filter(({ cidr }) => cidr !== null))
    expect(isOwnNetwork(address)).toBe(true);
  expect(isOwnNetwork("8.8.8.8")).toBe(false);
});
