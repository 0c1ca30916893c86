/** Random bytes as text. The platform's own generator: `node:crypto` costs 9 ms to load. */

/** Two characters for each byte, 0-9 and a-f. */
export const randomHex = (bytes: number): string =>
  crypto.getRandomValues(new Uint8Array(bytes)).toHex();

/** URL-safe base64 without padding. */
export const randomBase64Url = (bytes: number): string =>
  crypto
    .getRandomValues(new Uint8Array(bytes))
    .toBase64({ alphabet: "base64url", omitPadding: true });
