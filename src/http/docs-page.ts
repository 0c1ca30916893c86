/** The page over /openapi.json: one file, which may run nothing but itself and ask nobody but the engine. */
import bundle from "./docs-page.html" with { type: "text" };

// The compiler goes by the file's ending, the runtime by the attribute.
const PAGE = bundle as unknown as string;

export const docsPage = (): Response =>
  new Response(PAGE, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": [
        "default-src 'none'",
        `script-src ${hashOf("script")}`,
        `style-src ${hashOf("style")}`,
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join("; "),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    },
  });

/** What the page carries between these tags, as a policy names it. */
function hashOf(tag: "script" | "style"): string {
  const [, content = ""] = new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(PAGE) ?? [];
  return `'sha256-${new Bun.CryptoHasher("sha256").update(content).digest("base64")}'`;
}
