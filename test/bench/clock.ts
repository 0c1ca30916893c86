/** The time that the bench and its provider share, though they are processes of their own. */

/** Milliseconds since the epoch, as fine as the machine's clock is. */
export const now = (): number => performance.timeOrigin + performance.now();
