/**
 * Where tools may go: paths are resolved to the end, symlinks included, and refused where they leave the
 * workspace. A path that passed is real; opening it safely is up to `regular-file.ts`.
 */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { errorCode } from "../lib/error-code.ts";
import { expandHome, isThere, isWithin } from "../lib/paths.ts";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";
import { readRegularFile } from "./regular-file.ts";

export type Area = {
  /** Absolute, symlinks resolved. */
  workspace: string;
  /** What `~` means. */
  home: string;
  /** Never reached, even inside the workspace: where the engine keeps keys and settings. */
  closed: readonly string[];
  /** Directories that are read wherever they are, closed ones included; never written. */
  readable: readonly string[];
};

export type AreaOf = (workspace: string, readable?: readonly string[]) => Area;

/** For every workspace: `closed` are directories of the engine besides its `.kollab` in `home`. */
export function areaOf({
  home,
  closed = [],
}: Partial<Pick<Area, "closed">> & Pick<Area, "home">): AreaOf {
  const everywhere = { home, closed: [join(home, ".kollab"), ...closed] };
  return (workspace, readable = []) => ({ ...everywhere, workspace, readable });
}

/** Folders whose files say what programs run and where keys go: hooks of Git, our own settings. */
const NEVER_WRITTEN = [".git", ".kollab"];

/** What looks like files there is the system itself, the engine's own environment included. */
const SYSTEM_DIRECTORIES = ["/proc", "/sys", "/dev"];

/** The real path of what `path` names, whether it exists or not. Throws ToolFailure where it is not allowed. */
export async function insideWorkspace(area: Area, path: string): Promise<string> {
  const real = await realPath(absolute(area, path));
  if (!(await isReadable(area, real))) await requireInside(area, real, path);
  return real;
}

/** As `insideWorkspace`, for what is about to be written. */
export async function writableInWorkspace(area: Area, path: string): Promise<string> {
  const real = await realPath(absolute(area, path));
  await requireInside(area, real, path);
  refuseFolders(area, real, path);
  return real;
}

/**
 * As `writableInWorkspace`, for what is taken away from its place: a link there is meant itself, not what
 * it points to.
 */
export async function placeInWorkspace(area: Area, path: string): Promise<string> {
  const written = absolute(area, path);
  const place = join(await realPath(dirname(written)), basename(written));
  if (place === area.workspace)
    throw new ToolFailure(`This is the workspace itself: ${quotedPath(path)}`);
  await requireInside(area, place, path);
  refuseFolders(area, place, path);
  return place;
}

/** A file that a message refers to. Throws where it is outside, missing, no regular file or too large. */
export async function readWorkspaceFile(
  area: Area,
  path: string,
  bytesMax: number,
): Promise<Buffer> {
  const { bytes } = await readRegularFile(await insideWorkspace(area, path), bytesMax);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function absolute({ workspace, home }: Area, path: string): string {
  if (path === "") throw new ToolFailure("The path is empty");
  if (path.includes("\0"))
    throw new ToolFailure(`The path contains a NUL byte: ${quotedPath(path)}`);
  if (path.split("/").includes(".."))
    throw new ToolFailure(`'..' is not allowed in a path: ${quotedPath(path)}`);
  return resolve(workspace, expandHome(path, home));
}

async function requireInside(area: Area, real: string, path: string): Promise<void> {
  if (!isWithin(area.workspace, real))
    throw new ToolFailure(`Outside the workspace: ${quotedPath(path)}`);
  if (await isClosed(area, real))
    throw new ToolFailure(`Access is not allowed: ${quotedPath(path)}`);
}

function refuseFolders(area: Area, real: string, path: string): void {
  const parts = relative(area.workspace, real).toLowerCase().split("/");
  const folder = NEVER_WRITTEN.find((name) => parts.includes(name));
  if (folder) throw new ToolFailure(`Files of ${folder} are not written to: ${quotedPath(path)}`);
}

/** Resolves the part that exists. A link to nothing is refused: what it points to could be created through it. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    if (await isThere(path))
      throw new ToolFailure(`A symbolic link to nothing: ${quotedPath(path)}`, { cause: error });
    return join(await realPath(dirname(path)), basename(path));
  }
}

/** Only what leads to such a directory may be a link: in its own place a link could lead anywhere. */
async function isReadable({ readable }: Area, real: string): Promise<boolean> {
  for (const directory of readable) {
    const there = join(await realPath(dirname(directory)), basename(directory));
    if (isWithin(there, real)) return true;
  }
  return false;
}

async function isClosed({ closed }: Area, real: string): Promise<boolean> {
  if (SYSTEM_DIRECTORIES.some((directory) => isWithin(directory, real))) return true;
  for (const directory of closed) {
    // Some file systems take two spellings for one name.
    const there = (await realPath(directory)).toLowerCase();
    if (isWithin(there, real.toLowerCase())) return true;
  }
  return false;
}
