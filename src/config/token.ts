/** The engine's token: made at every start, kept in a file for clients on this machine, compared. */
import { CachedFile } from "../lib/cached-file.ts";
import { writePrivateFile } from "../lib/private-file.ts";
import { randomBase64Url } from "../lib/random.ts";

const TOKEN_BYTES = 32;
const TOKEN_FILE_BYTES_MAX = 4096;

export const newToken = (): string => randomBase64Url(TOKEN_BYTES);

/** Only its owner can ever read it, and nobody sees half of it. */
export const writeToken = (path: string, token: string): void => writePrivateFile(path, token);

export type TokenCheck = { accepts(candidate: string): boolean };

/**
 * Accepts this process's token and the one in the file: a second engine on the same home overwrites
 * the file, and clients that read it then may still talk to the first.
 */
export function createTokenCheck(path: string, token: string): TokenCheck {
  const own = digest(token);
  const file = new CachedFile(path, TOKEN_FILE_BYTES_MAX, (text) => {
    const written = text?.trim() ?? "";
    return written === "" ? null : digest(written);
  });
  const ofFile = (): Uint8Array | null => {
    try {
      return file.read();
    } catch {
      // Unreadable or no text: nobody can have got a token from it.
      return null;
    }
  };
  return {
    accepts(candidate) {
      const offered = digest(candidate);
      if (crypto.timingSafeEqual(offered, own)) return true;
      const written = ofFile();
      return written !== null && crypto.timingSafeEqual(offered, written);
    },
  };
}

/** Digests have one length and tell nothing by the place of their first difference. */
const digest = (text: string): Uint8Array => new Bun.CryptoHasher("sha256").update(text).digest();
