/** The contract of a tool: built in, from the hub or from an MCP server. */
import type { Static, TObject, TSchema } from "@sinclair/typebox";
import type { FileChange } from "./file-change.ts";
import type { SessionId, ToolCallId } from "./ids.ts";
import type { Image } from "./messages.ts";
import type { RiskLevel } from "./permission.ts";
import type { TodoItem } from "./todo.ts";

/** What the model is told. `parameters` is a JSON schema of type object. */
export type ToolSpec = { name: string; description: string; parameters: Record<string, unknown> };

export type ToolContext = {
  callId: ToolCallId;
  /** Absolute, symlinks resolved. Nothing outside it may be touched. */
  workspace: string;
  /**
   * Patterns, as in the paths of rules, of what a tool that looks through folders passes over: a rule denies
   * it, or would have a person asked who was not.
   */
  closedPaths: readonly string[];
  signal: AbortSignal;
  /** Shows output while the tool still runs. */
  progress(chunk: string): void;
  /** Whether the model can be shown images. */
  sees: boolean;
  session: ToolSession;
};

/** What a session lends to its tools. */
export type ToolSession = {
  id: SessionId;
  /**
   * Absolute path of a private folder, there once `keepOutput` or the like has made it: whatever is in it
   * may be read by the tools that read files, and by no other session.
   */
  outputs: string;
  todo(): readonly TodoItem[];
  setTodo(items: readonly TodoItem[]): void;
  scratchpad(): string;
  setScratchpad(text: string): void;
  /** Hands the task to a child session and resolves with what it answered. */
  runSubagent(task: SubagentTask, context: ToolContext): Promise<ToolResult>;
  /** To be awaited before the changes are made: keeps what is there now, so that the turn can be undone. */
  changing(changes: readonly FileChange[]): Promise<void>;
};

export type SubagentTask = { description: string; prompt: string };

/**
 * A command that failed is a result, not an exception: the model reads it and goes on.
 * `output` is what the model and people read; `error` is one line, with `ok: false` only.
 */
export type ToolResult = {
  ok: boolean;
  output: string;
  error?: string;
  metadata?: Record<string, unknown>;
  /** Shown to the model beside the output; only where `ToolContext.sees`. */
  images?: Image[];
};

export const failedResult = (error: string): ToolResult => ({ ok: false, output: "", error });

/** What a call is about, as far as its input says so: for rules, approvals and people. */
export type ToolSubject = {
  /** Paths as the model wrote them. */
  paths: string[];
  /** Where it would connect to: a host name in lower case, without port; null: nowhere. */
  host: string | null;
};

/** A change that is worked out and not made yet. */
export type Plan = {
  /** Unified diff of what would change, for people; bounded. */
  diff: string;
  /** Absolute paths of what would change. */
  paths: string[];
  /**
   * Makes exactly these changes, all or none. `null`: something that it builds on has changed since;
   * nothing was done.
   */
  apply(context: ToolContext): Promise<ToolResult | null>;
};

export type Planned = { ok: true; plan: Plan } | { ok: false; result: ToolResult };

export type Tool = ToolSpec & {
  /** The wire's `tool_type`. */
  type: string;
  risk: RiskLevel;
  /** The input as the tool wants it, or what is wrong with it, for the model. */
  check(input: Record<string, unknown>): CheckedInput;
  /** What the call is about; of an input that `check` returned. */
  subject(input: Record<string, unknown>): ToolSubject;
  /**
   * Of tools that change files: what the call would do, before anybody is asked. Never throws for what
   * the model did wrong.
   */
  plan?(input: Record<string, unknown>, context: ToolContext): Promise<Planned>;
  /** Gets an input that `check` returned. With `plan`: plans and applies. */
  run(input: Record<string, unknown>, context: ToolContext): Promise<ToolResult>;
};

export type CheckedInput =
  | { ok: true; input: Record<string, unknown> }
  | { ok: false; error: string };

type Definition<Schema extends TObject> = Pick<Tool, "name" | "type" | "risk" | "description"> & {
  parameters: Schema;
  subject?(input: Static<Schema>): Partial<ToolSubject>;
};
type Running<Schema extends TObject> = Definition<Schema> & {
  run(input: Static<Schema>, context: ToolContext): Promise<ToolResult>;
};
type Planning<Schema extends TObject> = Definition<Schema> & {
  plan(input: Static<Schema>, context: ToolContext): Promise<Planned>;
};

/** A tool from a TypeBox schema: `run` or `plan` gets typed input. */
export function defineTool<Schema extends TObject>(
  definition: Running<Schema> | Planning<Schema>,
): Tool {
  const { name, type, risk, description, parameters, subject } = definition;
  const common = {
    name,
    type,
    risk,
    description,
    parameters,
    check: (input: Record<string, unknown>) => checkInput(parameters, input),
    subject: (input: Record<string, unknown>) => ({
      paths: [],
      host: null,
      ...subject?.(input as Static<Schema>),
    }),
  };
  if ("run" in definition)
    return { ...common, run: (input, context) => definition.run(input as Static<Schema>, context) };
  const plan = (input: Record<string, unknown>, context: ToolContext) =>
    definition.plan(input as Static<Schema>, context);
  return { ...common, plan, run: (input, context) => planAndApply(plan, input, context) };
}

/** How often a change is worked out anew because somebody else was faster. */
const PLANS_MAX = 3;

async function planAndApply(
  plan: NonNullable<Tool["plan"]>,
  input: Record<string, unknown>,
  context: ToolContext,
): Promise<ToolResult> {
  for (let attempt = 1; attempt <= PLANS_MAX; attempt++) {
    const planned = await plan(input, context);
    if (!planned.ok) return planned.result;
    const result = await planned.plan.apply(context);
    if (result !== null) return result;
  }
  return failedResult("The files keep changing while they are edited");
}

/** Models now and then send numbers and booleans as strings; those are taken for what they say. */
function checkInput(schema: TObject, input: Record<string, unknown>): CheckedInput {
  const checked: Record<string, unknown> = {};
  const required = new Set(schema.required ?? []);
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = input[name];
    if (value === undefined || (value === null && !required.has(name))) {
      if (required.has(name)) return { ok: false, error: missing(name, schema, input) };
      continue;
    }
    const taken = take(`Parameter '${name}'`, property, value);
    if ("problem" in taken) return { ok: false, error: taken.problem };
    checked[name] = taken.value;
  }
  return { ok: true, input: checked };
}

const NAMES_SHOWN_MAX = 5;

/** Says which names were given instead: a model that has learned other ones sees its mistake. */
function missing(name: string, schema: TObject, input: Record<string, unknown>): string {
  const unknown = Object.keys(input).filter(
    (each) => !Object.hasOwn(schema.properties, each) && /^\w{1,40}$/.test(each),
  );
  const given = unknown.slice(0, NAMES_SHOWN_MAX).join(", ");
  return `Missing required parameter '${name}'${given === "" ? "" : ` (there is no ${given})`}`;
}

type Taken = { value: unknown } | { problem: string };

/** `where`: how an error names the value. */
function take(where: string, schema: TSchema, value: unknown): Taken {
  if (schema.type === "array") return takeArray(where, schema, value);
  if (schema.type === "object") return takeObject(where, schema as TObject, value);
  const taken = coerce(schema.type as string, value);
  if (taken === undefined) return { problem: `${where} must be of type ${schema.type}` };
  if (Array.isArray(schema.enum) && !schema.enum.includes(taken))
    return { problem: `${where} must be one of ${schema.enum.join(", ")}` };
  return { value: taken };
}

function takeArray(where: string, schema: TSchema, value: unknown): Taken {
  const items = typeof value === "string" ? parsedArray(value) : value;
  if (!Array.isArray(items)) return { problem: `${where} must be of type array` };
  const taken: unknown[] = [];
  for (const [index, item] of items.entries()) {
    const each = take(`${where}, item ${index + 1}`, schema.items as TSchema, item);
    if ("problem" in each) return each;
    taken.push(each.value);
  }
  return { value: taken };
}

function takeObject(where: string, schema: TObject, value: unknown): Taken {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { problem: `${where} must be of type object` };
  const checked = checkInput(schema, value as Record<string, unknown>);
  return checked.ok ? { value: checked.input } : { problem: `${where}: ${checked.error}` };
}

/** Some models write a list as the JSON text of it. */
function parsedArray(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Then it is the text that it looks like, and no list.
    return text;
  }
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
