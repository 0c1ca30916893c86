/** Takes secrets out of text that people, logs or models will read. */

const MASK = "[redacted]";

/** What looks like a key even if nobody told us that it is one. */
const KEY_SHAPES = [/\bsk-[A-Za-z0-9_.*-]{4,}/g, /\b(Bearer|Basic)\s+[^\s"',;]+/gi];

/** A shorter secret is no secret, and taking it out would take words apart. */
const SECRET_CHARS_MIN = 4;

/** `text` without the given secrets, keys like `sk-…` and credentials like `Bearer …`. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  let masked = text;
  // The longest first, so that a secret that contains another leaves nothing of itself.
  for (const secret of [...secrets].sort((one, other) => other.length - one.length)) {
    if (secret.length < SECRET_CHARS_MIN) continue;
    for (const form of [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret.toWellFormed()),
    ])
      masked = masked.replaceAll(form, MASK);
  }
  for (const shape of KEY_SHAPES) masked = masked.replace(shape, MASK);
  return masked;
}
