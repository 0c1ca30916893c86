/** Images by their first bytes: names and labels may be wrong, and providers check. */

export const IMAGE_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;
export type ImageType = (typeof IMAGE_TYPES)[number];

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG = [0xff, 0xd8, 0xff];
/** Where JPEG may keep its size: a marker after that belongs to a broken or hostile file. */
const JPEG_SEGMENTS_MAX = 1_000;

/** null: none of the types that models are shown. */
export function typeOfImage(bytes: Uint8Array): ImageType | null {
  if (startsWith(bytes, PNG)) return "image/png";
  if (startsWith(bytes, JPEG)) return "image/jpeg";
  if (ascii(bytes, 0, 4) === "GIF8") return "image/gif";
  return ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 12) === "WEBP" ? "image/webp" : null;
}

/** In pixels, as the file says; null: it does not say where it should. */
export function sizeOfImage(
  bytes: Uint8Array,
  type: ImageType,
): { width: number; height: number } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const [width, height] = SIZES[type](view, bytes);
    return width > 0 && height > 0 ? { width, height } : null;
  } catch (error) {
    // The file ends before its size.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

type Size = [width: number, height: number];

const SIZES: Record<ImageType, (view: DataView, bytes: Uint8Array) => Size> = {
  "image/png": (view) => [view.getUint32(16), view.getUint32(20)],
  "image/gif": (view) => [view.getUint16(6, true), view.getUint16(8, true)],
  "image/jpeg": jpegSize,
  "image/webp": webpSize,
};

function jpegSize(view: DataView): Size {
  let at = 2;
  for (let segment = 0; segment < JPEG_SEGMENTS_MAX; segment += 1) {
    if (view.getUint8(at) !== 0xff) break;
    const marker = view.getUint8(at + 1);
    if (isFrame(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += 2 + view.getUint16(at + 2);
  }
  return [0, 0];
}

/** Start of a frame; C4, C8 and CC are tables. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function webpSize(view: DataView, bytes: Uint8Array): Size {
  switch (ascii(bytes, 12, 16)) {
    case "VP8X":
      return [1 + uint24(view, 24), 1 + uint24(view, 27)];
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
    }
    case "VP8 ":
      return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
    default:
      return [0, 0];
  }
}

const uint24 = (view: DataView, at: number): number =>
  view.getUint16(at, true) | (view.getUint8(at + 2) << 16);

const startsWith = (bytes: Uint8Array, start: readonly number[]): boolean =>
  start.every((byte, index) => bytes[index] === byte);

const ascii = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, end));
