/** Lists and tables of a page, in one another as they come, whether they are closed or not. */
import type { PageWriter } from "./page-writer.ts";

/** Deeper ones count as those that they are in. */
export const DEPTH_MAX = 100;
const CELLS_MAX = 100;

type List = { ordered: boolean; items: number; inItem: boolean };

export class Lists {
  private readonly lists: List[] = [];

  constructor(private readonly page: PageWriter) {}

  open(ordered: boolean): void {
    this.page.break(this.lists.length === 0 ? 2 : 1);
    if (this.lists.length < DEPTH_MAX) this.lists.push({ ordered, items: 0, inItem: false });
  }

  close(): void {
    this.closeItem();
    this.lists.pop();
    this.page.break(this.lists.length === 0 ? 2 : 1);
  }

  openItem(): void {
    this.closeItem();
    const list = this.lists.at(-1);
    if (list) list.items += 1;
    const bullet = list?.ordered ? `${list.items}. ` : "- ";
    this.page.begin(bullet);
    if (!list) return;
    list.inItem = true;
    this.page.indent(" ".repeat(bullet.length));
  }

  closeItem(): void {
    this.page.break(1);
    const list = this.lists.at(-1);
    if (!list?.inItem) return;
    list.inItem = false;
    this.page.outdent();
  }
}

/** `rowFrom`: where the text of the present row began. */
type Table = { cells: number; heads: number; rowFrom: number; ruled: boolean };

/** A row is a line, unless its cells have lines of their own. */
export class Tables {
  private readonly tables: Table[] = [];

  constructor(
    private readonly page: PageWriter,
    private readonly isMarkdown: boolean,
  ) {}

  open(): void {
    this.page.break(2);
    if (this.tables.length === DEPTH_MAX) return;
    this.tables.push({ cells: 0, heads: 0, rowFrom: this.page.position, ruled: false });
  }

  close(): void {
    this.tables.pop();
    this.page.break(this.tables.length === 0 ? 2 : 1);
  }

  openRow(): void {
    const table = this.tables.at(-1);
    if (!table) return;
    if (this.page.position > table.rowFrom) this.page.endLine();
    table.cells = 0;
    table.heads = 0;
    table.rowFrom = this.page.position;
  }

  /** It begins in its row's line, and so does the next one where this one had several. */
  openCell(isHead: boolean): void {
    const table = this.tables.at(-1);
    if (!table) return;
    if (table.cells > 0) this.page.separate("|", this.page.position > table.rowFrom);
    table.cells += 1;
    if (isHead) table.heads += 1;
    this.page.hold();
  }

  /** A first row of headings is told from those below as Markdown has it. */
  closeRow(): void {
    const table = this.tables.at(-1);
    if (!table) return;
    this.page.endLine();
    const { cells, heads, ruled } = table;
    table.ruled = true;
    if (this.isMarkdown && !ruled && cells > 1 && heads === cells)
      this.page.line(new Array(Math.min(cells, CELLS_MAX)).fill("---").join(" | "));
  }
}
