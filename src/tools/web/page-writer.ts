/**
 * The text of a page as it grows: what separates words, lines and paragraphs is written only once there
 * is more to come, and marks of emphasis and links only around something, within one line.
 */

/** Deeper lists and quotes are shown as deep as this: else each line could be as long as the page. */
const INDENTS_MAX = 8;
/** Open at once; more have no effect. */
const MARKS_MAX = 16;
/** What is longer is cut, a little behind. */
const TEXT_CHARS_MAX = 2_000_000;

type Mark = { name: string; open: string; close: string; written: boolean };

export class PageWriter {
  /** There is enough: what follows is not kept. */
  full = false;
  private readonly pieces: string[] = [];
  private length = 0;
  private newlines = 0;
  private space = false;
  private held = false;
  /** Written in place of the indents, in front of what comes next. */
  private lead: string | null = null;
  private marks: Mark[] = [];
  private readonly indents: string[] = [];

  /** How much there is, for `textSince`. */
  get position(): number {
    return this.pieces.length;
  }

  textSince(position: number): string {
    return this.pieces.slice(position).join("").trim();
  }

  /** Running text: any white space is one space, and none where a line begins. */
  flow(text: string): void {
    const words = text.replace(/\s+/g, " ");
    if (words.startsWith(" ")) this.space = true;
    const trimmed = words.trim();
    if (trimmed === "") return;
    this.put(trimmed);
    this.space = words.endsWith(" ");
  }

  /** Text whose white space is kept, as of code. */
  verbatim(text: string): void {
    for (const [index, line] of text.split("\n").entries()) {
      if (index > 0) this.newlines += 1;
      if (line !== "") this.put(line);
    }
  }

  /** A line of its own. */
  line(text: string): void {
    this.held = false;
    this.break(1);
    this.put(text);
    this.break(1);
  }

  /** `lines`: 1 begins a new line, 2 leaves one empty, 0 does nothing. */
  break(lines: number): void {
    if (lines === 0) return;
    this.endMarks(0);
    if (this.held) return;
    this.space = false;
    this.newlines = Math.max(this.newlines, lines);
  }

  /** Begins one more line, but leaves no more than one empty. */
  newline(): void {
    this.break(Math.min(2, this.newlines + 1));
  }

  /** What comes next stays in its line, whatever breaks are asked for until then. */
  hold(): void {
    this.held = true;
  }

  /** A break of one line, in place of all that were asked for or held. */
  endLine(): void {
    this.held = false;
    this.newlines = 0;
    this.break(1);
  }

  /** Goes on behind `separator`, in the line that was to be ended if `joins`. */
  separate(separator: string, joins: boolean): void {
    this.endMarks(0);
    if (joins) this.newlines = 0;
    this.flow(` ${separator} `);
  }

  /** What comes next begins with it. */
  begin(lead: string): void {
    this.lead = this.prefix() + lead;
  }

  mark(name: string, open: string, close: string): void {
    if (this.marks.length < MARKS_MAX) this.marks.push({ name, open, close, written: false });
  }

  /** Ends those inside it with it. */
  unmark(name: string): void {
    const at = this.marks.findLastIndex((mark) => mark.name === name);
    if (at === -1) return;
    this.endMarks(at);
    this.marks = this.marks.slice(0, at);
  }

  indent(prefix: string): void {
    this.indents.push(prefix);
  }

  outdent(): void {
    this.indents.pop();
  }

  /** Those that stand around nothing yet stay, for what follows. */
  private endMarks(from: number): void {
    for (const mark of this.marks.slice(from).toReversed())
      if (mark.written) this.append(mark.close);
    this.marks = this.marks.filter((mark, at) => at < from || !mark.written);
  }

  private prefix(): string {
    return this.indents.slice(0, INDENTS_MAX).join("");
  }

  private put(text: string): void {
    if (this.newlines > 0 || this.length === 0) {
      if (this.length > 0) this.append("\n".repeat(this.newlines));
      this.append(this.lead ?? this.prefix());
    } else if (this.space) this.append(" ");
    this.newlines = 0;
    this.space = false;
    this.held = false;
    this.lead = null;
    for (const mark of this.marks) {
      if (!mark.written) this.append(mark.open);
      mark.written = true;
    }
    this.append(text);
  }

  private append(text: string): void {
    if (text === "" || this.full) return;
    this.pieces.push(text);
    this.length += text.length;
    this.full = this.length > TEXT_CHARS_MAX;
  }
}
