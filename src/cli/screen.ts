/** What a person sees of a turn: the reply on standard output, all else on standard error. */
import { type Output, printable } from "./output.ts";

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof STYLES;
export type Part = string | { style: Style; text: string };

export const styled = (style: Style, text: string): Part => ({ style, text });

/** Keeps the two apart where they meet on one terminal: what begins a line ends the other's. */
export class Screen {
  /** The one whose last line has no end yet. */
  private unfinished: Output | null = null;

  constructor(
    private readonly out: Output,
    private readonly err: Output,
  ) {}

  /** How long a line of `line` may be. */
  get columns(): number {
    return this.err.columns;
  }

  /** A piece of the reply. */
  reply(text: string): Promise<void> {
    return this.running(this.out, [text]);
  }

  /** A piece of what goes along with it. */
  aside(style: Style, text: string): Promise<void> {
    return this.running(this.err, [styled(style, text)]);
  }

  /** Whole lines of their own. */
  async line(...parts: Part[]): Promise<void> {
    await this.endLine();
    await this.err.write(`${render(this.err, parts)}\n`);
  }

  /** A question, whose answer ends its line. */
  async question(...parts: Part[]): Promise<void> {
    await this.endLine();
    await this.err.write(render(this.err, parts));
  }

  async endLine(): Promise<void> {
    const { unfinished } = this;
    this.unfinished = null;
    await unfinished?.write("\n");
  }

  private async running(output: Output, parts: Part[]): Promise<void> {
    if (this.unfinished !== output) await this.endLine();
    const last = parts.at(-1) ?? "";
    const text = typeof last === "string" ? last : last.text;
    if (text !== "") this.unfinished = text.endsWith("\n") ? null : output;
    await output.write(render(output, parts));
  }
}

function render(output: Output, parts: Part[]): string {
  return parts
    .map((part) => {
      const { style, text } = typeof part === "string" ? { style: null, text: part } : part;
      const safe = output.isTerminal ? printable(text) : text;
      return style && output.hasColors ? `\u001b[${STYLES[style]}m${safe}\u001b[0m` : safe;
    })
    .join("");
}
