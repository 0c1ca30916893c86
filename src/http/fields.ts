/** Fields of replies and events, each with a description that names its unit. */
import { Type } from "@sinclair/typebox";

export const text = (description: string) => Type.String({ description });
export const flag = (description: string) => Type.Boolean({ description });
export const count = (description: string) => Type.Integer({ minimum: 0, description });
export const seq = (description: string) => Type.Integer({ minimum: 0, description });
export const time = (description: string) =>
  Type.Integer({ minimum: 0, description: `${description}; milliseconds since the epoch` });

export const idOf = <Id extends string>(description: string) =>
  Type.Unsafe<Id>(Type.String({ description }));
export const choice = <const T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: "string", enum: values, description });
export const jsonObject = (description: string) =>
  Type.Unsafe<Record<string, unknown>>(
    Type.Object({}, { additionalProperties: true, description }),
  );
