/** Reading JSON that a provider sent, which may have any shape. */

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
export const countOf = (value: unknown): number => (typeof value === "number" ? value : 0);
export const listOf = <Item>(value: Item[] | null | undefined): Item[] =>
  Array.isArray(value) ? value : [];
