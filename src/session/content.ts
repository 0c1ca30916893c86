/** What a client sends as a message: text, or parts, whose files come from the workspace. */
import { EngineError } from "../domain/errors.ts";
import type { Image, UserMessage } from "../domain/messages.ts";
import { typeOfImage } from "../lib/image-type.ts";
import { type Area, readWorkspaceFile } from "../tools/workspace.ts";

/** An image, and a file that is quoted in a message. */
const IMAGE_BYTES_MAX = 5 * 1024 * 1024;
const FILE_BYTES_MAX = 512 * 1024;
/** All parts of a message together: small requests can name large files. */
const CONTENT_BYTES_MAX = 8 * 1024 * 1024;

export type ContentPart =
  | { type: "text"; text: string }
  /** Base64 in `data`, or a file of the workspace in `path`. */
  | { type: "image"; media_type?: string; data?: string; path?: string }
  | { type: "file"; path: string };

/** Throws `invalid_request` with the place of the part that cannot be read. */
export async function readContent(
  content: string | readonly ContentPart[],
  area: Area,
): Promise<UserMessage> {
  if (typeof content === "string") return { role: "user", text: content, images: [] };
  const texts: string[] = [];
  const images: Image[] = [];
  let size = 0;
  for (const [index, part] of content.entries()) {
    try {
      if (part.type === "text") texts.push(part.text);
      else if (part.type === "image") images.push(await readImage(part, area));
      else texts.push(await quoteFile(part.path, area));
      size += part.type === "image" ? sizeOf(images.at(-1)) : (texts.at(-1)?.length ?? 0);
      if (size > CONTENT_BYTES_MAX)
        throw new Error(`All parts together may have ${CONTENT_BYTES_MAX} bytes at most`);
    } catch (cause) {
      throw invalidPart(index, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }
  return { role: "user", text: texts.join("\n\n"), images };
}

const sizeOf = (image: Image | undefined): number => ((image?.base64.length ?? 0) * 3) / 4;

async function readImage(
  part: Extract<ContentPart, { type: "image" }>,
  area: Area,
): Promise<Image> {
  const bytes =
    part.path !== undefined
      ? await readWorkspaceFile(area, part.path, IMAGE_BYTES_MAX)
      : decodeBase64(part.data ?? "");
  if (bytes.length > IMAGE_BYTES_MAX)
    throw new Error(`An image may have ${IMAGE_BYTES_MAX} bytes at most`);
  const mediaType = typeOfImage(bytes);
  if (mediaType === null) throw new Error("This is no PNG, JPEG, GIF or WebP image");
  return { mediaType, base64: bytes.toString("base64") };
}

function decodeBase64(data: string): Buffer {
  if (data === "") throw new Error("An image needs 'data' (base64) or 'path'");
  if (!/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(data)) throw new Error("'data' is no base64");
  return Buffer.from(data, "base64");
}

async function quoteFile(path: string, area: Area): Promise<string> {
  const bytes = await readWorkspaceFile(area, path, FILE_BYTES_MAX);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  return `<file path=${JSON.stringify(path)}>\n${text}\n</file>`;
}

const invalidPart = (index: number, msg: string, cause: unknown) =>
  new EngineError("invalid_request", msg, {
    cause,
    detail: [{ type: "value_error", loc: ["body", "content", index], msg }],
  });
