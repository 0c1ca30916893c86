import { expect, test } from "bun:test";
import { htmlText } from "../../../src/tools/web/html-text.ts";
import type { PageStyle } from "../../../src/tools/web/page-reader.ts";

const PAGE = new URL("https://good.test/docs/page?q=1");

const read = (html: string, style: PageStyle = "markdown") =>
  htmlText(html, style, PAGE, new AbortController().signal);
const markdown = async (html: string) => (await read(html)).text;
const plain = async (html: string) => (await read(html, "text")).text;

test("headings, paragraphs and emphasis", async () => {
  const html = "<h2>A <i>b</i></h2>\n<p>one\n two <b> three </b>four<p>five<br>six<hr>seven<b></b>";
  expect(await markdown(html)).toBe(
    "## A *b*\n\none two **three** four\n\nfive\nsix\n\n---\n\nseven",
  );
  expect(await plain(html)).toBe("A b\n\none two three four\n\nfive\nsix\n\nseven");
});

test("links are absolute, and those that lead nowhere are their text", async () => {
  const html = `<a href="/a b(1)">x</a> <a href=../up>y</a> <a href="#top">top</a> <a href="javascript:z()">z</a>
    <a href="data:text/plain,x">d</a> <a>n</a> <a href=q></a> <a href=1>one<a href=2>two`;
  expect(await markdown(html)).toBe(
    "[x](https://good.test/a%20b%281%29) [y](https://good.test/up) top z d n " +
      "[one](https://good.test/docs/1)[two](https://good.test/docs/2)",
  );
  expect(await markdown('<base href="https://cdn.test/x/"><a href=y>y</a>')).toBe(
    "[y](https://cdn.test/x/y)",
  );
});

test("a link around blocks is one of its first line", async () => {
  expect(await markdown("<a href=/c><div><h3>Card</h3><p>text</p></div></a>end")).toBe(
    "### [Card](https://good.test/c)\n\ntext\n\nend",
  );
});

test("lists in lists, closed or not", async () => {
  const html = "<ul><li>one<li>two<ol><li>a<li>b</ol><li><p>three</p><p>more</p></ul>end";
  expect(await markdown(html)).toBe("- one\n- two\n  1. a\n  2. b\n\n- three\n\n  more\n\nend");
});

test("code keeps its lines and what looks like a mark", async () => {
  const html = `Call <code>f( a )</code><pre><code class="language-ts">\nif (a &lt; 2) {\n\n  <b>go</b>()\n}\n</code></pre>end`;
  expect(await markdown(html)).toBe("Call `f( a )`\n\n```\nif (a < 2) {\n\n  go()\n}\n```\n\nend");
  expect(await markdown('<pre class="lang-sh">ls</pre>')).toBe("```sh\nls\n```");
});

test("quotes", async () => {
  expect(await markdown("<blockquote><p>a<p>b</blockquote>c")).toBe("> a\n\n> b\n\nc");
});

test("a table of data has a row in a line, and its headings apart", async () => {
  const html = `<table><thead><tr><th>Name<th>Size</tr></thead><tr><td>a</td><td><p>1</p></td></tr>
    <tr><td></td><td>b</td></tr></table>end`;
  expect(await markdown(html)).toBe("Name | Size\n--- | ---\na | 1\n| b\n\nend");
});

test("images are what they say of themselves", async () => {
  expect(await markdown("<img src=i.png alt=' a pic '><img src=x><img src='data:x' alt=in>")).toBe(
    "![a pic](https://good.test/docs/i.png)in",
  );
});

test("what is not read is left out: scripts, navigation, controls, what is hidden", async () => {
  const html = `<script>if (a<b) "</p>"</script><style>p{}</style><nav>menu<nav>sub</nav>x</nav><p>yes
    <svg><title>s</title></svg><button>Go</button><span aria-hidden=true>no</span><i style="DISPLAY : none">no</i>
    <p hidden>no<p>more<template><p>no</template><!-- no --><noscript>ok</noscript><footer>no</footer>`;
  expect(await markdown(html)).toBe("yes\n\nmoreok");
});

test("the main part is the page, where there is one worth the name", async () => {
  const long = "word ".repeat(60).trim();
  expect(await markdown(`<div>side</div><main><p>${long}</p></main><div>side</div>`)).toBe(long);
  expect(await markdown("<div>side</div><main></main>")).toBe("side");
  expect(await markdown(`<nav>never closed<main><p>${long}</p>`)).toBe(long);
});

test("the title is the first one, in one line", async () => {
  const { title } = await read("<head><title>\n A &amp;\n<b> </title><svg><title>x</title></svg>");
  expect(title).toBe("A & <b>");
});

test("references become their characters, and what is none stays", async () => {
  expect(
    await markdown(
      "&lt;&AMP;&eacute;&Eacute;&nbsp;&mdash;&#8364;&#x20AC;&#128;&alpha;&Sigma;&sigmaf;&rarr;",
    ),
  ).toBe("<&éÉ —€€€αΣς→");
  expect(await markdown("a && b &unknown; &#0; &#xD800; &#99999999; &constructor;")).toBe(
    "a && b &unknown; \ufffd \ufffd \ufffd &constructor;",
  );
});

test("markup that is broken is text, or nothing, but never the end of the page", async () => {
  expect(
    await markdown("1 < 2 <3 > <> </> <?php x?><!DOCTYPE html>a</b></div></ul></table>b"),
  ).toBe("1 < 2 <3 > <> a\n\nb");
  expect(await markdown(`<p title='a > b' x="<i>" =y>ok`)).toBe("ok");
  expect(await markdown("<b>x</i>y<p>z")).toBe("**xy**\n\nz");
  expect(await markdown("a<!--> b <!-- c -- > d --> e<!-- f")).toBe("a b e");
  expect(await markdown("a<script>never closed <p>x")).toBe("a");
  expect(await markdown("a<p class='never closed>x")).toBe("a");
});

test("long text in one piece keeps its words and references", async () => {
  const text = "caf&eacute; ".repeat(20_000);
  expect(await markdown(text)).toBe("café ".repeat(20_000).trim());
});

const MANY = 40_000;
test.each([
  ["deep elements", "<div>".repeat(MANY), ""],
  ["deep lists", "<ul><li>x".repeat(MANY), null],
  ["deep quotes", "<blockquote>x".repeat(MANY), null],
  ["deep tables", "<table><tr><td>".repeat(MANY), ""],
  ["deep emphasis", "<b><i><u>".repeat(MANY) + "<p>x".repeat(MANY), null],
  ["elements that close nothing", "<div>".repeat(MANY) + "</p>".repeat(MANY), ""],
  ["a wide row", `<table><tr>${"<th>x".repeat(MANY)}`, null],
  ["one element of attributes", `<a ${"x=y ".repeat(MANY)}>`, ""],
  ["quotes that never end", "<a b='".repeat(MANY), ""],
  ["comments that never end", "<!--".repeat(MANY), ""],
  ["scripts that never end", "<script><".repeat(MANY), ""],
  ["titles", "<title>x</title>".repeat(MANY), ""],
  ["a name that is long", `<${"a".repeat(MANY)}`, ""],
  ["brackets", "<".repeat(MANY), "<".repeat(MANY)],
  ["spaces", `a${" ".repeat(10 * MANY)}b`, "a b"],
  ["lines of code", `<pre>${"\n".repeat(10 * MANY)}</pre>`, "```\n```"],
  [
    "links far from their base",
    `<base href=/${"a".repeat(1_800)}/>${"<a href=x>y</a>".repeat(MANY)}`,
    null,
  ],
])("a hostile page, %s, takes no more time than its size", async (_what, html, expected) => {
  const text = await markdown(html);
  if (expected !== null) expect(text).toBe(expected);
  expect(text.length).toBeLessThan(2_100_000);
});

test("a page that is read ends when it is told to", async () => {
  const cancel = new AbortController();
  const reading = htmlText("<p>x".repeat(500_000), "markdown", PAGE, cancel.signal);
  cancel.abort(new Error("enough"));
  await expect(reading).rejects.toThrow("enough");
});
