/** What a remembered approval covers. A key names a tool and, where it can, what it is used on. */
import type { RiskLevel } from "../domain/permission.ts";

type Call = {
  tool_name: string;
  tool_type: string;
  input: Record<string, unknown>;
  risk_level: RiskLevel;
};

/** The key that an approval of this call is remembered under. */
export function approvalKey({ tool_name, tool_type, input }: Call): string {
  if (tool_type === "terminal") return `terminal:${firstWord(input.command)}`;
  if (tool_type.startsWith("file_") && typeof input.file === "string")
    return `${tool_type}:${input.file}`;
  return `${tool_type}:${tool_name}`;
}

/**
 * Whether the key covers the call. A terminal key covers simple commands only: an approved `ls` is no
 * approval of `ls && rm -rf /`.
 */
export function approves(key: string, call: Call): boolean {
  if (call.risk_level === "high" || call.risk_level === "unknown") return false;
  if (call.tool_type === "terminal" && !isSimple(String(call.input.command ?? ""))) return false;
  if (key === approvalKey(call)) return true;
  return call.tool_type !== "terminal" && key === toolKey(call);
}

/** The key that covers every use of a tool. */
export const toolKey = ({ tool_type, tool_name }: Call): string => `${tool_type}:${tool_name}`;

const firstWord = (command: unknown): string =>
  String(command ?? "")
    .trim()
    .split(/\s+/, 1)[0] ?? "";

/** No chaining, no substitution, no redirection. */
const isSimple = (command: string): boolean => !/[;&|`<>\n\r]|\$\(/.test(command);
