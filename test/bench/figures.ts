/** Numbers out of many numbers. */

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);
export const p99 = (numbers: readonly number[]): number => quantile(numbers, 0.99);

/** Between two neighbours where it falls between them; NaN of nothing. */
function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export const mean = (numbers: readonly number[]): number =>
  numbers.reduce((total, each) => total + each, 0) / numbers.length;
