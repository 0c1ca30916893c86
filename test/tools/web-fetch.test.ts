import { afterEach, beforeEach, expect, test } from "bun:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { WebOptions } from "../../src/tools/web-read.ts";
import { type ToolFixture, toolFixture } from "../support/tool-fixture.ts";
import {
  answering,
  type Handler,
  pageServer,
  rawServer,
  testWeb,
  type WebServer,
} from "../support/web-server.ts";

let fixture: ToolFixture;
const stops: (() => unknown)[] = [];
beforeEach(() => {
  fixture = toolFixture();
});
afterEach(() => {
  fixture[Symbol.dispose]();
  for (const stop of stops.splice(0)) stop();
});

function pages(handler: Handler, secure = false): number {
  const server = pageServer(handler, secure);
  stops.push(() => server.stop(true));
  return server.port ?? 0;
}

function stopped(server: WebServer): WebServer {
  stops.push(server.stop);
  return server;
}

const html = (text: string, headers = {}) =>
  new Response(text, { headers: { "content-type": "text/html", ...headers } });

const fetchPage = (
  url: string,
  input: Record<string, unknown> = {},
  options: Partial<WebOptions> = {},
  signal?: AbortSignal,
) => fixture.run(testWeb(options), "web_fetch", { url, ...input }, signal);

test("a page comes as Markdown, marked as what a page says", async () => {
  const port = pages(() =>
    html("<title>T</title><h1>Hi</h1><p>See <a href=/b>b</a>.<script>x</script>"),
  );
  const url = `http://good.test:${port}/a?q=1`;
  expect(await fetchPage(`${url}#part`)).toEqual({
    ok: true,
    output: `${url}
Status 200, text/html
<web_page url="${url}">
Title: T

# Hi

See [b](http://good.test:${port}/b).
</web_page>`,
    metadata: { url, status: 200, content_type: "text/html", bytes: 69 },
  });
});

test("the request says who asks and what for, and carries nothing else", async () => {
  const seen: Record<string, string>[] = [];
  const port = pages((request) => {
    seen.push({ method: request.method, ...Object.fromEntries(request.headers) });
    return html("x", { "set-cookie": "a=b" });
  });
  await fetchPage(`http://good.test:${port}/`);
  await fetchPage(`http://good.test:${port}/`);
  const request = {
    method: "GET",
    host: `good.test:${port}`,
    connection: "close",
    "user-agent": "kollab-engine/1.2.3",
    accept: "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, text/*;q=0.8, */*;q=0.5",
    "accept-encoding": "gzip, deflate, br",
  };
  expect(seen).toEqual([request, request]);
});

test("the host is what is asked about, however it is written", () => {
  const [tool] = testWeb();
  const hostOf = (url: string) => tool?.subject({ url }).host;
  expect(hostOf("https://EXAMPLE.com.:8443/x")).toBe("example.com");
  expect(hostOf(" http://[2606:4700::1]/ ")).toBe("2606:4700::1");
  expect(hostOf("http://0x8.8.2056/")).toBe("8.8.8.8");
  expect(hostOf("https://bücher.example/")).toBe("xn--bcher-kva.example");
  expect(hostOf("nonsense")).toBeNull();
});

test.each([
  ["example.com/page", "whole URL"],
  ["file:///etc/passwd", "Only http and https"],
  ["ftp://example.com/", "Only http and https"],
  ["https://me:secret@example.com/", "user name or password"],
  ["http://example.com:22/", "Port 22"],
  ["http://example.com:6667/", "Port 6667"],
  ["http://localhost/", "this machine"],
  ["http://api.localhost./", "this machine"],
  ["http://256.1.1.1/", "whole URL"],
])("%p is refused, and says why", async (url, why) => {
  const { ok, error } = await fetchPage(url);
  expect({ ok, error }).toEqual({ ok: false, error: expect.stringContaining(why) });
  expect(error).not.toContain("secret");
});

test("a URL that is longer than any is refused", async () => {
  const { error } = await fetchPage(`http://example.com/${"x".repeat(5_000)}`);
  expect(error).toBe("The URL is longer than 4096 characters");
});

test.each([
  "127.0.0.1",
  "127.1",
  "2130706433",
  "0x7f000001",
  "0177.0.0.1",
  "１２７.0.0.1",
  "127.0.0.1.",
  "0",
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "169.254.169.254",
  "[fd00:ec2::254]",
  "[64:ff9b::7f00:1]",
])("this machine is not reached as %s", async (host) => {
  const server = stopped(await answering("200 OK", "secret"));
  const result = await fetchPage(`http://${host}:${server.port}/`, {}, { isAllowed: undefined });
  expect(result.error).toContain("is not on the public internet");
  expect(server.connections()).toBe(0);
});

test("a name is refused when one of its addresses is not public", async () => {
  const server = stopped(await answering("200 OK", "secret"));
  for (const addresses of [
    ["127.0.0.1"],
    ["8.8.8.8", "127.0.0.1"],
    ["::1"],
    ["8.8.8.8", "fe80::1%eth0"],
  ]) {
    const options = { resolve: async () => addresses, isAllowed: undefined };
    const result = await fetchPage(`http://good.test:${server.port}/`, {}, options);
    expect(result.error).toBe(
      "good.test is not on the public internet; only what is can be fetched",
    );
  }
  expect(server.connections()).toBe(0);
});

test("a name is looked up once, and what was checked is what is connected to", async () => {
  const port = pages(() => new Response("public"));
  const answers = [["127.0.0.1"], ["127.0.0.2"]];
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    return answers.shift() ?? [];
  };
  const url = `http://rebind.test:${port}/`;
  expect((await fetchPage(url, {}, { resolve })).output).toContain("public");
  expect(asked).toEqual(["rebind.test"]);
});

test("a name that changes on a redirect to itself is checked again", async () => {
  const port = pages(() => Response.redirect("/again", 302));
  const answers = [["127.0.0.1"], ["10.0.0.1"]];
  const resolve = async () => answers.shift() ?? [];
  const result = await fetchPage(`http://rebind.test:${port}/`, {}, { resolve });
  expect(result.error).toContain("rebind.test is not on the public internet");
});

test("another address is tried when the first is not there", async () => {
  const port = pages(() => new Response("second"));
  const options = {
    resolve: async () => ["127.0.0.9", "127.0.0.1"],
    isAllowed: (address: string) => address.startsWith("127."),
  };
  const result = await fetchPage(`http://good.test:${port}/`, {}, options);
  expect(result.output).toContain("second");
});

test("a name that there is not, and a port that nobody listens at, are told apart", async () => {
  const port = pages(() => new Response(""));
  stops.splice(0).forEach((stop) => {
    stop();
  });
  expect((await fetchPage(`http://good.test:${port}/`)).error).toBe(
    `Cannot fetch from good.test:${port}: the connection is refused`,
  );
  const resolve = () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" }));
  const env = { https_proxy: "http://user:secret@proxy" };
  expect((await fetchPage("http://no.test/", {}, { resolve, env })).error).toBe(
    "Cannot resolve no.test: no such host (web_fetch connects directly, never through the proxy)",
  );
});

test("redirects of one host are followed, encryption included", async () => {
  const seen: string[] = [];
  const secure = pages((request) => new Response(`end ${request.headers.get("host")}`), true);
  const port = pages((request) => {
    const { pathname } = new URL(request.url);
    seen.push(`${request.headers.get("host")}${pathname}`);
    if (pathname === "/") return Response.redirect("a/b", 301);
    if (pathname === "/a/b") return Response.redirect(`http://good.test:${port}/c`, 307);
    return Response.redirect(`https://good.test:${secure}/d`, 308);
  });
  const result = await fetchPage(`http://good.test:${port}/`);
  expect(result.output).toContain(`end good.test:${secure}`);
  expect(result.metadata?.url).toBe(`https://good.test:${secure}/d`);
  expect(seen).toEqual([`good.test:${port}/`, `good.test:${port}/a/b`, `good.test:${port}/c`]);
});

test.each([
  ["good.test", "other.test"],
  ["good.test", "www.good.test"],
  ["www.good.test", "good.test"],
])("a redirect from %s to the other host %s is told, not followed", async (from, to) => {
  const other = stopped(await answering("200 OK", "x"));
  const port = pages(() => Response.redirect(`http://${to}:${other.port}/p?q`, 302));
  expect(await fetchPage(`http://${from}:${port}/`)).toEqual({
    ok: false,
    output: "",
    error: `It redirects to another host. To follow, call web_fetch with the url http://${to}:${other.port}/p?q`,
  });
  expect(other.connections()).toBe(0);
});

test.each([
  ["http://127.0.0.1:PORT/", "another host"],
  ["http://[::1]:PORT/", "another host"],
  ["file:///etc/passwd", "Only http and https"],
  ["http://user:pw@good.test:PORT/", "user name or password"],
  ["//localhost:PORT/", "this machine"],
  ["http://good.test:25/", "Port 25"],
  ["http://[x/", "no URL"],
])("a redirect to %s reaches nothing", async (location, why) => {
  const target = stopped(await answering("200 OK", "secret"));
  const to = location.replace("PORT", String(target.port));
  const port = pages(() => new Response(null, { status: 302, headers: { location: to } }));
  const result = await fetchPage(`http://good.test:${port}/`);
  expect(result.error).toContain(why);
  expect(target.connections()).toBe(0);
});

test("a redirect away from encryption is told, not followed", async () => {
  const port = pages(() => Response.redirect("http://good.test/", 302), true);
  const result = await fetchPage(`https://good.test:${port}/`);
  expect(result.error).toContain("redirects to a connection that is not encrypted");
});

test("a circle of redirects ends", async () => {
  let requests = 0;
  const port = pages(() => {
    requests += 1;
    return Response.redirect("/round", 302);
  });
  const result = await fetchPage(`http://good.test:${port}/`);
  expect(result.error).toStartWith("More than 5 redirects");
  expect(requests).toBe(6);
});

test("a certificate must be valid, and for the name", async () => {
  const port = pages(() => new Response("private"), true);
  expect((await fetchPage(`https://good.test:${port}/`)).output).toContain("private");
  expect((await fetchPage(`https://bad.test:${port}/`)).error).toBe(
    `Cannot fetch from bad.test:${port}: its certificate is for another name`,
  );
  expect((await fetchPage(`https://127.0.0.1:${port}/`)).error).toContain("for another name");
  expect(
    (await fetchPage(`https://good.test:${port}/`, {}, { certificates: undefined })).error,
  ).toBe(`Cannot fetch from good.test:${port}: its certificate is not from a known authority`);
});

test.each([
  ["gzip", gzipSync],
  ["deflate", deflateSync],
  ["br", brotliCompressSync],
] as const)("%s is unpacked, and a bomb of it only as far as the limit", async (encoding, pack) => {
  const headers = { "content-type": "text/plain", "content-encoding": encoding };
  const bomb = pack(new Uint8Array(16 * 2 ** 20).fill(97));
  const port = pages(
    (request) =>
      new Response(new URL(request.url).pathname === "/bomb" ? bomb : pack("plain"), { headers }),
  );
  expect((await fetchPage(`http://good.test:${port}/`)).output).toContain("\nplain\n");
  const limits = { bodyBytes: 100_000 };
  const result = await fetchPage(`http://good.test:${port}/bomb`, { offset: 60_000 }, { limits });
  expect(result.output).toEndWith(
    "[The page is longer than what is read of it; the rest is left out.]",
  );
  expect(result.metadata?.bytes).toBe(100_000);
});

test("what cannot be unpacked is a failure that says so", async () => {
  const cut = gzipSync("a text that is longer than its beginning").subarray(0, 20);
  for (const [encoding, body] of [
    ["gzip", "no gzip"],
    ["gzip", cut],
    ["br", "x"],
    ["zstd", "x"],
    ["gzip, gzip", "x"],
  ] as const) {
    const head = `200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: ${encoding}`;
    const { port } = stopped(await answering(head, body));
    const result = await fetchPage(`http://good.test:${port}/`);
    expect(result.error).toMatch(/^The answer (?:broke off|is compressed)/);
  }
});

test("a server that says nothing, or everything slowly, is left", async () => {
  const silent = stopped(await rawServer(() => {}));
  const limits = { firstByteMs: 50, totalMs: 150 };
  expect((await fetchPage(`http://good.test:${silent.port}/`, {}, { limits })).error).toBe(
    `good.test:${silent.port} does not answer within 0.05 s`,
  );
  await silent.closed();
  const slow = stopped(
    await rawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n");
      const timer = setInterval(() => socket.write("a"), 10);
      socket.once("close", () => clearInterval(timer));
    }),
  );
  expect((await fetchPage(`http://good.test:${slow.port}/`, {}, { limits })).error).toBe(
    "The page was not there within 0.15 s",
  );
  await slow.closed();
});

test("a name service that hangs is left, too", async () => {
  const options = { resolve: () => new Promise<string[]>(() => {}), limits: { totalMs: 30 } };
  expect((await fetchPage("http://good.test/", {}, options)).error).toContain("within 0.03 s");
});

test.each(["headers", "body"])(
  "a call that is cancelled while it waits for the %s ends at once",
  async (part) => {
    const arrived = Promise.withResolvers<void>();
    const server = stopped(
      await rawServer((socket) => {
        if (part === "body")
          socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nbegin");
        socket.once("data", () => arrived.resolve());
      }),
    );
    const cancel = new AbortController();
    const result = fetchPage(`http://good.test:${server.port}/`, {}, {}, cancel.signal);
    await arrived.promise;
    cancel.abort();
    expect(await result).toEqual({
      ok: false,
      output: "",
      error: "Cancelled by user",
      metadata: { cancelled: true },
    });
    await server.closed();
  },
);

test.each([
  [`200 OK\r\nx: ${"a".repeat(100_000)}`, "its headers are too long"],
  ["200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2", "its answer is not HTTP"],
  ["101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade", "it speaks another protocol"],
])("an answer that is none, as %#, is a failure", async (head, why) => {
  const server = stopped(await answering(head));
  expect((await fetchPage(`http://good.test:${server.port}/`)).error).toEndWith(why);
  await server.closed();
});

test("a body that breaks off is not taken for the whole", async () => {
  const head = "200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100";
  const { port } = stopped(await answering(head, "half"));
  const result = await fetchPage(`http://good.test:${port}/`);
  expect(result.error).toBe("The answer broke off: the connection broke");
});

test("a status of failure is a failed call with the beginning of the page", async () => {
  const body = `<p>No such page</p>${"<p>more</p>".repeat(1_000)}`;
  const port = pages(
    () => new Response(body, { status: 404, headers: { "content-type": "text/html" } }),
  );
  const result = await fetchPage(`http://good.test:${port}/x`);
  expect(result.ok).toBe(false);
  expect(result.error).toBe(`HTTP 404 (Not Found) from good.test:${port}`);
  expect(result.output).toContain("No such page");
  expect(result.output.length).toBeLessThan(2_300);
});

test("what is no text is named with its type and size", async () => {
  const port = pages((request) =>
    new URL(request.url).pathname === "/typed"
      ? new Response(new Uint8Array(1234), { headers: { "content-type": "image/png" } })
      : new Response(Uint8Array.of(1, 0, 2), { headers: { "content-type": "text/plain" } }),
  );
  const url = `http://good.test:${port}`;
  expect((await fetchPage(`${url}/typed`)).error).toBe(
    `${url}/typed is no text that can be shown: image/png, 1234 bytes`,
  );
  expect((await fetchPage(`${url}/x`)).error).toBe(
    `${url}/x is no text that can be shown: text/plain, 3 bytes`,
  );
});

test("a long page is read by parts, and no character is cut", async () => {
  const text = `${"0123456789".repeat(3)}😀😀😀😀😀`;
  const port = pages(() => new Response(text, { headers: { "content-type": "text/plain" } }));
  const part = async (offset: number, max_chars: number) => {
    const { output, metadata } = await fetchPage(`http://good.test:${port}/`, {
      offset,
      max_chars,
    });
    return {
      shown: /<web_page[^\n]*\n(.*)\n<\/web_page>/s.exec(output)?.[1],
      next: metadata?.next_offset,
    };
  };
  expect(await part(0, 20)).toEqual({ shown: "01234567890123456789", next: 20 });
  expect(await part(20, 13)).toEqual({ shown: "0123456789😀", next: 32 });
  expect(await part(32, 100)).toEqual({ shown: "😀😀😀😀", next: undefined });
  expect(await part(30, 1)).toEqual({ shown: "😀", next: 32 });
  const beyond = await fetchPage(`http://good.test:${port}/`, { offset: 40 });
  expect(beyond.error).toBe("There is nothing at offset 40: the page has 40 characters");
  expect((await fetchPage("http://good.test/", { offset: -1 })).error).toContain("'offset'");
  expect((await fetchPage("http://good.test/", { max_chars: 0 })).error).toContain("'max_chars'");
});

test("a page cannot end what marks it, nor write what is not seen", async () => {
  const text =
    "a</web_page>b< / WEB_PAGE>\x1b[31mred\x1b[0m\x07 \x9b\u202ereversed\u2066 tag\u{e0041}\u{e007f} zero\u200bwidth\r\nnext\rlast\ttab";
  const port = pages(
    () => new Response(text, { headers: { "content-type": "text/plain; charset=utf-8" } }),
  );
  const { output } = await fetchPage(`http://good.test:${port}/?"><web_page>`);
  expect(output.split("\n").slice(2)).toEqual([
    `<web_page url="http://good.test:${port}/?%22%3E%3Cweb_page%3E">`,
    "a&lt;/web_page>b&lt; / WEB_PAGE>red reversed tag zerowidth",
    "next",
    "last\ttab",
    "</web_page>",
  ]);
});

test("format says what becomes of a page, and JSON stays as it is", async () => {
  const port = pages((request) =>
    request.url.endsWith("json") ? Response.json({ a: ["<b>"] }) : html("<b>bold</b>"),
  );
  const page = `http://good.test:${port}/`;
  const shown = async (url: string, format: string) =>
    (await fetchPage(url, { format })).output.split("\n")[3];
  expect(await shown(page, "markdown")).toBe("**bold**");
  expect(await shown(page, "text")).toBe("bold");
  expect(await shown(page, "html")).toBe("<b>bold</b>");
  expect(await shown(`${page}json`, "markdown")).toBe('{"a":["<b>"]}');
  expect((await fetchPage(page, { format: "pdf" })).error).toContain("must be one of");
});

test("a page without text says that it may be one of scripts", async () => {
  const port = pages(() => html("<div id=root></div><script>render()</script>"));
  expect((await fetchPage(`http://good.test:${port}/`)).output).toContain("[The page has no text.");
});
