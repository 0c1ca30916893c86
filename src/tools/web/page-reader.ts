/** What the elements of a page mean for its text. */
import { breaksAround, LeftOut } from "./elements.ts";
import type { Attributes, HtmlToken } from "./html-tokens.ts";
import { DEPTH_MAX, Lists, Tables } from "./page-blocks.ts";
import { PageWriter } from "./page-writer.ts";

export type PageStyle = "markdown" | "text";
/** `whole`: there was no more text than anybody reads. */
export type PageText = { title: string; text: string; whole: boolean };

const URL_CHARS_MAX = 2_000;
const TITLE_CHARS_MAX = 300;
/** A main part with less text than this is none. */
const MAIN_CHARS_MIN = 200;

type Handler = (attributes: Attributes) => void;

/** Where the reader of a page is in it, as far as that matters for what comes next. */
export class PageReader {
  private readonly page = new PageWriter();
  private readonly isMarkdown: boolean;
  private readonly leftOut = new LeftOut();
  private readonly lists: Lists;
  private readonly tables: Tables;
  private title = "";
  /** The first title is the page's; others are left out. */
  private inTitle: "before" | "first" | "behind" | "other" = "before";
  private quotes = 0;
  private code: "none" | "begins" | "inside" = "none";
  private main: { from: number; text: string | null } | null = null;

  constructor(
    style: PageStyle,
    private base: URL,
  ) {
    this.isMarkdown = style === "markdown";
    this.lists = new Lists(this.page);
    this.tables = new Tables(this.page, this.isMarkdown);
  }

  /** There is more text than anybody reads. */
  get full(): boolean {
    return this.page.full;
  }

  take(token: HtmlToken): void {
    switch (token.type) {
      case "text":
        this.text(token.text);
        break;
      case "open":
        if (this.leftOut.open(token.name, token.attributes)) break;
        this.page.break(breaksAround(token.name));
        this.openers.get(token.name)?.(token.attributes);
        break;
      case "close":
        if (this.leftOut.now) this.leftOut.close(token.name);
        else this.close(token.name);
        break;
      default:
        token satisfies never;
    }
  }

  /** The main part alone, where the page says which it is. */
  end(): PageText {
    this.page.break(1);
    const title = this.title.replace(/\s+/g, " ").trim().slice(0, TITLE_CHARS_MAX);
    const main = this.main && (this.main.text ?? this.page.textSince(this.main.from));
    const text = main && main.length >= MAIN_CHARS_MIN ? main : this.page.textSince(0);
    return { title: title.toWellFormed(), text, whole: !this.page.full };
  }

  private readonly openers = new Map<string, Handler>([
    ...[1, 2, 3, 4, 5, 6].map((level): [string, Handler] => [
      `h${level}`,
      () => this.isMarkdown && this.page.begin(`${"#".repeat(level)} `),
    ]),
    ...Object.entries({ b: "**", strong: "**", i: "*", em: "*", code: "`" }).map(
      ([name, sign]): [string, Handler] => [name, () => this.mark(name, sign, sign)],
    ),
    ["a", (attributes) => this.openLink(attributes.get("href"))],
    ["img", (attributes) => this.image(attributes)],
    ["br", () => this.lineBreak()],
    ["hr", () => this.rule()],
    ["ul", () => this.lists.open(false)],
    ["ol", () => this.lists.open(true)],
    ["li", () => this.lists.openItem()],
    ["blockquote", () => this.openQuote()],
    ["pre", (attributes) => this.openCode(attributes)],
    ["table", () => this.tables.open()],
    ["tr", () => this.tables.openRow()],
    ["td", () => this.tables.openCell(false)],
    ["th", () => this.tables.openCell(true)],
    ["title", () => this.openTitle()],
    ["main", () => this.openMain()],
    ["base", (attributes) => this.moveBase(attributes.get("href"))],
  ]);

  private readonly closers = new Map<string, () => void>([
    ["ul", () => this.lists.close()],
    ["ol", () => this.lists.close()],
    ["li", () => this.lists.closeItem()],
    ["blockquote", () => this.closeQuote()],
    ["pre", () => this.closeCode()],
    ["table", () => this.tables.close()],
    ["tr", () => this.tables.closeRow()],
    ["title", () => this.closeTitle()],
    ["main", () => this.closeMain()],
  ]);

  private close(name: string): void {
    this.page.unmark(name);
    this.page.break(breaksAround(name));
    this.closers.get(name)?.();
  }

  private text(text: string): void {
    if (this.leftOut.now) return;
    if (this.inTitle === "first") this.title += text;
    else if (this.inTitle === "other") return;
    else if (this.code === "none") this.page.flow(text);
    else {
      // The first line break behind `<pre>` is none.
      this.page.verbatim(this.code === "begins" ? text.replace(/^\r?\n/, "") : text);
      this.code = "inside";
    }
  }

  private mark(name: string, open: string, close: string): void {
    if (this.isMarkdown && this.code === "none") this.page.mark(name, open, close);
  }

  /** Links within the page lead nowhere from its text. */
  private openLink(href: string | undefined): void {
    this.page.unmark("a");
    if (href === undefined || href.startsWith("#")) return;
    const url = this.absolute(href);
    if (url !== null) this.mark("a", "[", `](${url})`);
  }

  private image(attributes: Attributes): void {
    const alternative = (attributes.get("alt") ?? "").trim();
    if (alternative === "") return;
    const url = this.isMarkdown ? this.absolute(attributes.get("src") ?? "") : null;
    this.page.flow(url === null ? alternative : `![${alternative}](${url})`);
  }

  private absolute(reference: string): string | null {
    const url = URL.parse(reference, this.base.href);
    if (url === null || !/^(?:https?|mailto):$/.test(url.protocol)) return null;
    // Brackets would end the link's place in the text.
    const href = url.href.replaceAll("(", "%28").replaceAll(")", "%29");
    return href.length > URL_CHARS_MAX ? null : href;
  }

  private moveBase(href: string | undefined): void {
    const base = href === undefined ? null : this.absolute(href);
    if (base !== null) this.base = new URL(base);
  }

  private lineBreak(): void {
    if (this.code === "none") this.page.newline();
    else this.page.verbatim("\n");
  }

  private rule(): void {
    this.page.break(2);
    if (this.isMarkdown) this.page.line("---");
    this.page.break(2);
  }

  private openQuote(): void {
    this.page.break(2);
    if (this.quotes === DEPTH_MAX) return;
    this.quotes += 1;
    this.page.indent("> ");
  }

  private closeQuote(): void {
    this.page.break(2);
    if (this.quotes === 0) return;
    this.quotes -= 1;
    this.page.outdent();
  }

  private openCode(attributes: Attributes): void {
    this.page.break(2);
    const language = /\blang(?:uage)?-([\w+#-]{1,20})/.exec(attributes.get("class") ?? "")?.[1];
    if (this.isMarkdown && this.code === "none") this.page.line(`\`\`\`${language ?? ""}`);
    this.code = "begins";
  }

  private closeCode(): void {
    this.page.endLine();
    if (this.isMarkdown && this.code !== "none") this.page.line("```");
    this.page.break(2);
    this.code = "none";
  }

  private openTitle(): void {
    this.inTitle = this.inTitle === "before" ? "first" : "other";
  }

  private closeTitle(): void {
    if (this.inTitle !== "before") this.inTitle = "behind";
  }

  private openMain(): void {
    this.main ??= { from: this.page.position, text: null };
  }

  private closeMain(): void {
    if (this.main) this.main.text ??= this.page.textSince(this.main.from);
  }
}
