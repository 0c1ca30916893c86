/** The contract of a tool: built in, from the hub or from an MCP server. */
import type { Static, TObject } from "@sinclair/typebox";
import type { RiskLevel } from "./permission.ts";

/** What the model is told. `parameters` is a JSON schema of type object. */
export type ToolSpec = { name: string; description: string; parameters: Record<string, unknown> };

export type ToolContext = {
  /** Absolute, symlinks resolved. Nothing outside it may be touched. */
  workspace: string;
  signal: AbortSignal;
  /** Shows output while the tool still runs. */
  progress(chunk: string): void;
};

/**
 * A command that failed is a result, not an exception: the model reads it and goes on.
 * `output` is what the model and people read; `error` is one line, with `ok: false` only.
 */
export type ToolResult = {
  ok: boolean;
  output: string;
  error?: string;
  metadata?: Record<string, unknown>;
};

export type Tool = ToolSpec & {
  /** The wire's `tool_type`. */
  type: string;
  risk: RiskLevel;
  /** The input as the tool wants it, or what is wrong with it, for the model. */
  check(input: Record<string, unknown>): CheckedInput;
  /** Gets an input that `check` returned. */
  run(input: Record<string, unknown>, context: ToolContext): Promise<ToolResult>;
};

export type CheckedInput =
  | { ok: true; input: Record<string, unknown> }
  | { ok: false; error: string };

type Definition<Schema extends TObject> = Omit<Tool, "parameters" | "check" | "run"> & {
  parameters: Schema;
  run(input: Static<Schema>, context: ToolContext): Promise<ToolResult>;
};

/** A tool from a TypeBox schema of strings, numbers and booleans: `run` gets typed input. */
export function defineTool<Schema extends TObject>(definition: Definition<Schema>): Tool {
  const { parameters } = definition;
  return {
    ...definition,
    check: (input) => checkInput(parameters, input),
    run: (input, context) => definition.run(input as Static<Schema>, context),
  };
}

/** Models now and then send numbers and booleans as strings; those are taken for what they say. */
export function checkInput(schema: TObject, input: Record<string, unknown>): CheckedInput {
  const checked: Record<string, unknown> = {};
  const required = new Set(schema.required ?? []);
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = input[name];
    if (value === undefined || (value === null && !required.has(name))) {
      if (required.has(name)) return { ok: false, error: `Missing required parameter '${name}'` };
      continue;
    }
    const taken = coerce(property.type as string, value);
    if (taken === undefined)
      return { ok: false, error: `Parameter '${name}' must be of type ${property.type}` };
    checked[name] = taken;
  }
  return { ok: true, input: checked };
}

function coerce(type: string, value: unknown): unknown {
  if (type === "integer" || type === "number") {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
    return type === "integer" && !Number.isInteger(number) ? undefined : number;
  }
  if (type === "boolean") {
    if (value === "true") return true;
    return value === "false" ? false : is("boolean", value);
  }
  return is(type, value);
}

const is = (type: string, value: unknown): unknown => (typeof value === type ? value : undefined);
