/** A tree with sizes, directories first. */
import { lstatSync, readlinkSync } from "node:fs";
import { quotedPath, shown } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import type { Answer, ListJob, Place } from "./job.ts";
import { newTally, type Tally, warnings } from "./tally.ts";
import {
  type Entry,
  type Folder,
  openFolder,
  openRoot,
  openTree,
  shownPath,
  type Tree,
} from "./tree.ts";

const LINES_MAX = 500;
/** One directory of very many files shall not be all that is seen. */
const ENTRIES_MAX = 100;
const NAME_CHARS_MAX = 200;
const INDENT = "  ";

type Listing = { tree: Tree; lines: string[]; depth: number };

/** Throws ToolFailure with what is wrong with the job. */
export function listTree(job: Place & ListJob): Answer {
  // Less of every directory is worth more than much of the first one.
  for (let depth = job.depth; ; depth--) {
    const { tree, lines } = list(job, depth);
    const isCut = lines.length > LINES_MAX;
    if (isCut && depth > 1) continue;
    const { tally } = tree;
    const notes = [
      lines.length === 1 ? "nothing else is there" : "",
      depth < job.depth ? `too much for depth ${job.depth}, so only depth ${depth}` : "",
      isCut ? `cut after ${LINES_MAX} lines` : "",
      leftOutNote(tally),
      ...warnings(tally),
    ].filter((note) => note !== "");
    const footer = notes.length === 0 ? [] : ["", `[${notes.join("; ")}]`];
    const truncated = isCut || depth < job.depth || tally.stoppedAt !== null;
    const text = [...lines.slice(0, LINES_MAX), ...footer].join("\n");
    return { ok: true, text, metadata: { truncated } };
  }
}

function list(job: Place & ListJob, depth: number): Listing {
  const tree = openTree(job, { tally: newTally(), ignored: job.all, hidden: () => job.all });
  if (tree.root.kind !== "directory")
    throw new ToolFailure(
      `Not a directory: ${quotedPath(job.asked)}; use file_read to read a file`,
    );
  const listing = { tree, lines: [`${shownPath(job, tree.root)}/`], depth };
  addFolder(openRoot(tree), 1, listing);
  return listing;
}

/** Closes the folder. */
function addFolder(folder: Folder, level: number, listing: Listing): void {
  const { tree, lines } = listing;
  const directories = folder.entries.filter(({ kind }) => kind === "directory");
  const others = folder.entries.filter(({ kind }) => kind !== "directory");
  const entries = [...directories, ...others];
  const indent = INDENT.repeat(level);
  for (const entry of entries.slice(0, ENTRIES_MAX)) {
    if (Date.now() > tree.place.deadline) tree.tally.stoppedAt ??= shownPath(tree.place, entry);
    if (lines.length > LINES_MAX || tree.tally.stoppedAt !== null) break;
    lines.push(`${indent}${describe(entry)}`);
    if (entry.kind !== "directory" || level === listing.depth) continue;
    const inside = openFolder(tree, entry, folder.levels);
    if (inside) addFolder(inside, level + 1, listing);
    else tree.tally.unreadable += 1;
  }
  const more = entries.length - ENTRIES_MAX;
  if (more > 0) lines.push(`${indent}… ${more} more`);
  folder.close();
}

function describe({ at, name: own, kind }: Entry): string {
  const name = shortened(own);
  if (kind === "directory") return `${name}/`;
  if (kind === "link") return `${name} -> ${targetOf(at)}`;
  if (kind === "other") return `${name} (no regular file)`;
  const size = lstatSync(at, { throwIfNoEntry: false })?.size;
  return size === undefined ? name : `${name} (${sizeText(size)})`;
}

function targetOf(path: string): string {
  try {
    return shortened(readlinkSync(path));
  } catch {
    // Gone meanwhile, or not for this user.
    return "?";
  }
}

function shortened(name: string): string {
  const text = shown(name);
  return text.length > NAME_CHARS_MAX ? `${text.slice(0, NAME_CHARS_MAX).toWellFormed()}…` : text;
}

const UNITS = ["KB", "MB", "GB", "TB"];

/** As `512 B`, `1.4 KB`. */
function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

function leftOutNote({ hidden, ignored }: Tally): string {
  const parts = [
    hidden > 0 ? `${hidden} hidden` : "",
    ignored > 0 ? `${ignored} ignored` : "",
  ].filter((part) => part !== "");
  const entries = hidden + ignored === 1 ? "entry" : "entries";
  return parts.length === 0 ? "" : `${parts.join(" and ")} ${entries} left out: all shows them`;
}
