/** An output that a test can read. */
import type { Output } from "../../src/cli/output.ts";

export type RecordedOutput = Output & { text: string };

export function recordedOutput(more: Partial<Output> = {}): RecordedOutput {
  return {
    isTerminal: false,
    hasColors: false,
    columns: 80,
    text: "",
    async write(text) {
      this.text += text;
    },
    ...more,
  };
}
