/** Checks values against the part of JSON schema that the engine's document uses; throws at any other. */
import { isObject } from "../../src/lib/json-object.ts";

export type Schema = { [keyword: string]: unknown };

/** What is wrong with the value, each with its place; empty where nothing is. */
export function faultsOf(value: unknown, schema: Schema, root: object, at = "$"): string[] {
  const fail = (what: string) => [`${at}: ${what}, not ${JSON.stringify(value)?.slice(0, 200)}`];
  const under = (own: unknown, inner: unknown, place: string) =>
    faultsOf(own, inner as Schema, root, `${at}.${place}`);
  const passes = (each: unknown) => faultsOf(value, each as Schema, root, at).length === 0;
  const fields = isObject(value) ? value : {};
  const items = Array.isArray(value) ? value : [];

  return Object.entries(schema).flatMap(([keyword, wanted]): string[] => {
    switch (keyword) {
      case "$ref":
        return faultsOf(value, resolve(wanted as string, root), root, at);
      case "type":
        return isOfType(value, wanted as string) ? [] : fail(`should be ${wanted}`);
      case "const":
        return value === wanted ? [] : fail(`should be ${JSON.stringify(wanted)}`);
      case "enum":
        return (wanted as unknown[]).includes(value) ? [] : fail(`should be one of ${wanted}`);
      case "anyOf":
        return (wanted as unknown[]).some(passes) ? [] : fail(`fits none of ${names(wanted)}`);
      case "not":
        return passes(wanted) ? fail("should not fit") : [];
      case "minimum":
        return typeof value !== "number" || value >= (wanted as number) ? [] : fail("too small");
      case "maximum":
        return typeof value !== "number" || value <= (wanted as number) ? [] : fail("too large");
      case "pattern":
        return typeof value !== "string" || new RegExp(wanted as string).test(value)
          ? []
          : fail(`should match ${wanted}`);
      case "minLength":
        return typeof value !== "string" || value.length >= (wanted as number) ? [] : fail("short");
      case "maxLength":
        return typeof value !== "string" || value.length <= (wanted as number) ? [] : fail("long");
      case "minItems":
        return items.length >= (wanted as number) || !Array.isArray(value) ? [] : fail("few");
      case "maxItems":
        return items.length <= (wanted as number) ? [] : fail("many");
      case "required":
        return (wanted as string[])
          .filter((name) => isObject(value) && !(name in value))
          .flatMap((name) => fail(`lacks ${name}`));
      case "properties":
        return Object.entries(wanted as object).flatMap(([name, inner]) =>
          name in fields ? under(fields[name], inner, name) : [],
        );
      case "patternProperties":
        return Object.entries(wanted as object).flatMap(([pattern, inner]) =>
          Object.entries(fields)
            .filter(([name]) => new RegExp(pattern).test(name))
            .flatMap(([name, own]) => under(own, inner, name)),
        );
      case "additionalProperties":
        if (wanted === true) return [];
        return Object.entries(fields)
          .filter(([name]) => !(name in ((schema.properties ?? {}) as object)))
          .flatMap(([name, own]) => under(own, wanted, name));
      case "items":
        return items.flatMap((item, index) => under(item, wanted, String(index)));
      case "description":
      case "discriminator":
        return [];
      default:
        throw new Error(`${at}: the checker does not know '${keyword}'`);
    }
  });
}

/** What `#/a/b` points to. */
export function resolve(ref: string, root: object): Schema {
  const steps = ref.split("/");
  if (steps.shift() !== "#") throw new Error(`${ref} leads elsewhere`);
  const found = steps.reduce<unknown>((at, step) => (isObject(at) ? at[step] : undefined), root);
  if (!isObject(found)) throw new Error(`${ref} leads nowhere`);
  return found;
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    case "string":
    case "number":
    case "boolean":
      return typeof value === type;
    default:
      throw new Error(`The checker does not know the type '${type}'`);
  }
}

const names = (schemas: unknown): string =>
  (schemas as Schema[]).map(({ $ref, type }) => $ref ?? type).join(", ");
