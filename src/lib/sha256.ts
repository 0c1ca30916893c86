/** What tells contents apart: as hexadecimal digits in lower case. */
export const sha256 = (content: string | Uint8Array): string =>
  new Bun.CryptoHasher("sha256").update(content).digest("hex");
