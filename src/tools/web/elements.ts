/** What kind of element has which effect on a page's text. */
import type { Attributes } from "./html-tokens.ts";

const names = (text: string): ReadonlySet<string> => new Set(text.split(" "));

/** Nothing that is read. */
const SILENT = names(
  "script style template svg math iframe object embed canvas video audio map noembed noframes xmp " +
    "nav footer button select textarea datalist dialog",
);
/** Without content, and so without an end. */
const VOID = names("area base br col embed hr img input link meta source track wbr");
/** The next one of its kind ends it. */
const OPEN_ENDED = names("p li dt dd tr td th option");
/** Lines of their own, with an empty one before and behind. */
const PARAGRAPHS = names(
  "p article section main header aside address figure fieldset form details hgroup dl " +
    "h1 h2 h3 h4 h5 h6",
);
/** Lines of their own. */
const LINES = names("div dt dd summary legend caption figcaption body center");

/** What must be between its text and that before and behind: 2: an empty line, 1: a line break. */
export function breaksAround(name: string): 0 | 1 | 2 {
  if (PARAGRAPHS.has(name)) return 2;
  return LINES.has(name) ? 1 : 0;
}

/** Follows what is left out of the page, until it ends. */
export class LeftOut {
  /** How deep in others of its name. */
  private outermost: { name: string; depth: number } | null = null;

  get now(): boolean {
    return this.outermost !== null;
  }

  /** Whether this one, with all that is in it, is left out. */
  open(name: string, attributes: Attributes): boolean {
    if (this.outermost !== null && !this.goesOn(name, this.outermost)) return true;
    if (!SILENT.has(name) && !isHidden(attributes)) return false;
    if (!VOID.has(name)) this.outermost = { name, depth: 1 };
    return true;
  }

  close(name: string): void {
    if (this.outermost === null) return;
    if (name === this.outermost.name) this.outermost.depth -= 1;
    if (this.outermost.depth === 0 || name === "body" || name === "html") this.outermost = null;
  }

  /** Not everything has an end tag, and the main part of a page is in nothing that is left out. */
  private goesOn(name: string, outermost: { name: string; depth: number }): boolean {
    if (name === "main" || (name === outermost.name && OPEN_ENDED.has(name))) {
      this.outermost = null;
      return true;
    }
    if (name === outermost.name) outermost.depth += 1;
    return false;
  }
}

/** What people do not see is no text of the page either. */
const isHidden = (attributes: Attributes): boolean =>
  attributes.has("hidden") ||
  attributes.get("aria-hidden") === "true" ||
  attributes.get("role") === "navigation" ||
  /\bdisplay\s{0,4}:\s{0,4}none\b/i.test(attributes.get("style") ?? "");
