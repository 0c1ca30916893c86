/** Schemas with a name of their own: written where they are used, collected when they are published. */
import { type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { isObject } from "../lib/json-object.ts";

const PLACE = "#/components/schemas/";

export const refTo = (name: string): string => PLACE + name;

/** An object that the document has once, under this name. */
export const named = <Fields extends TProperties>(
  name: string,
  description: string,
  fields: Fields,
) => Type.Object(fields, { $id: name, description });

/** `known` are told apart by their `type`; `more` allows what later versions add. */
export const eventUnion = <Known extends TSchema[]>(
  name: string,
  description: string,
  known: [...Known],
  more: TSchema[],
) =>
  Type.Unsafe<Known[number]["static"]>(
    Type.Union([...known, ...more], {
      $id: name,
      description,
      discriminator: { propertyName: "type", mapping: Object.fromEntries(known.map(mapped)) },
    }),
  );

const mapped = ({ $id = "", properties }: TSchema): [string, string] => [
  properties.type.const,
  refTo($id),
];

/** A plain copy in which named schemas are references, and those schemas, by name. */
export function collect(root: unknown): { plain: unknown; schemas: Record<string, unknown> } {
  const schemas = new Map<string, unknown>();
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy);
    if (!isObject(value)) return value;
    const { $id: name, ...rest } = value;
    const copied = Object.fromEntries(Object.entries(rest).map(([key, own]) => [key, copy(own)]));
    if (typeof name !== "string") return copied;
    schemas.set(name, copied);
    return { $ref: refTo(name) };
  };
  const plain = copy(root);
  const sorted = [...schemas].sort(([one], [other]) => (one < other ? -1 : 1));
  return { plain, schemas: Object.fromEntries(sorted) };
}
