/** The files of a tree in the order of their names, without what is ignored, hidden, closed or ruled out. */
import { type Dirent, lstatSync, type Stats } from "node:fs";
import { dirname, join, relative } from "node:path";
import { compilePathRule } from "../../lib/path-rule.ts";
import { quotedPath, shown } from "../../lib/shown.ts";
import { ToolFailure } from "../failure.ts";
import { type HeldDirectory, holdDirectory, holdResolved } from "../held-directory.ts";
import { entriesOf } from "./held-files.ts";
import { type IgnoreLevel, isIgnored, readIgnoreLevel } from "./ignore-rules.ts";
import type { Place } from "./job.ts";
import { similarName } from "./similar-name.ts";
import type { Tally } from "./tally.ts";

export type Entry = {
  name: string;
  /** From the place's base on. */
  segments: readonly string[];
  kind: "file" | "directory" | "link" | "other";
  /** Where to open it, while its folder is open. */
  at: string;
};

export type Tree = {
  place: Place;
  /** There whether it is ignored or not: somebody asked for it. */
  root: Omit<Entry, "at">;
  tally: Tally;
  /** Whether a name that begins with a dot is wanted. */
  hidden(name: string): boolean;
  /** Whether what is ignored is wanted all the same. */
  ignored: boolean;
  /** Whether a rule keeps it out: of an absolute path. */
  isRuledOut(path: string): boolean;
};

export type Folder = {
  entries: readonly Entry[];
  /** What holds for the entries, from the top down. */
  levels: readonly IgnoreLevel[];
  close(): void;
};

/** Repositories' own data and the engine's settings: never entered, whatever a glob says. */
const NEVER_ENTERED = new Set([".git", ".kollab"]);
/** Every level holds a directory open. */
const LEVELS_MAX = 200;

/** Throws ToolFailure where the root is not there. */
export function openTree(place: Place, wanted: Pick<Tree, "hidden" | "ignored" | "tally">): Tree {
  const below = relative(place.base, place.root);
  const segments = below === "" ? [] : below.split("/");
  const isRuledOut = rulesOf(place);
  const status = lstatSync(place.root, { throwIfNoEntry: false });
  if (!status)
    throw new ToolFailure(
      `No such path: ${quotedPath(place.asked)}${similarName(place.root, isRuledOut)}`,
    );
  const root = { name: segments.at(-1) ?? "", segments, kind: kindOf(status) };
  return { ...wanted, place, root, isRuledOut };
}

/** A rule that means the root itself has let it pass: a person was asked. */
function rulesOf({ root, ruledOut }: Place): Tree["isRuledOut"] {
  const rules = ruledOut.patterns
    .map((pattern) => compilePathRule(pattern, { ...ruledOut, strict: true }))
    .filter((rule) => !rule.covers(root));
  return (path) => rules.some((rule) => rule.means(path));
}

/** As any tool takes it, unless its name has something in it that no line of text can show. */
export const shownPath = ({ prefix }: Place, { segments }: Pick<Entry, "segments">): string =>
  shown(prefix + segments.join("/")) || ".";

/** Ends at the deadline, and says so in the tally. An entry can be opened until the next one is asked for. */
export function* walkFiles(tree: Tree): Generator<Entry> {
  if (tree.root.kind === "file") yield* rootFile(tree);
  if (tree.root.kind !== "directory") return;
  const open = [{ folder: openRoot(tree), next: 0 }];
  try {
    for (let at = open.at(-1); at; at = open.at(-1)) {
      const entry = at.folder.entries[at.next];
      at.next += 1;
      if (!entry) {
        open.pop();
        at.folder.close();
        continue;
      }
      if (Date.now() > tree.place.deadline) {
        tree.tally.stoppedAt = shownPath(tree.place, entry);
        return;
      }
      if (entry.kind === "file") yield entry;
      if (entry.kind !== "directory") continue;
      const folder = open.length < LEVELS_MAX ? openFolder(tree, entry, at.folder.levels) : null;
      if (folder) open.push({ folder, next: 0 });
      else tree.tally.unreadable += 1;
    }
  } finally {
    for (const { folder } of open) folder.close();
  }
}

function* rootFile({ root, place }: Tree): Generator<Entry> {
  const held = holdResolved(dirname(place.root));
  try {
    yield { ...root, at: held.at(root.name) };
  } finally {
    held.release();
  }
}

/** What is in the root. What the directories above it ignore counts as well. */
export function openRoot(tree: Tree): Folder {
  const { place, root } = tree;
  const levels: IgnoreLevel[] = [];
  for (let depth = 0; depth < root.segments.length; depth++) {
    const held = holdResolved(join(place.base, ...root.segments.slice(0, depth)));
    try {
      const names = new Set([".ignore", ".gitignore", ...(hasGit(held) ? [".git"] : [])]);
      const level = readIgnoreLevel(held, names, depth);
      if (level) levels.push(level);
    } finally {
      held.release();
    }
  }
  const held = holdResolved(place.root);
  try {
    return readFolder(tree, root, held, levels);
  } catch (error) {
    held.release();
    throw error;
  }
}

/** null: it cannot be read, for this user or any more. `above`: what holds in the directory it is in. */
export function openFolder(tree: Tree, entry: Entry, above: readonly IgnoreLevel[]): Folder | null {
  let held: HeldDirectory | null = null;
  try {
    held = holdDirectory(entry.at);
    return readFolder(tree, entry, held, above);
  } catch {
    // One directory of many, which is counted by who asked.
    held?.release();
    return null;
  }
}

function readFolder(
  tree: Tree,
  of: Pick<Entry, "segments">,
  held: HeldDirectory,
  above: readonly IgnoreLevel[],
): Folder {
  const found = entriesOf(held);
  const names = new Set(found.map(({ name }) => name));
  const level = readIgnoreLevel(held, names, of.segments.length);
  const levels = level ? [...above, level] : above;
  const entries = found.map((each) => entryOf(of, each, held));
  return {
    entries: entries.filter((entry) => isWanted(tree, entry, levels)),
    levels,
    close: held.release,
  };
}

function isWanted(tree: Tree, entry: Entry, levels: readonly IgnoreLevel[]): boolean {
  const { place, tally } = tree;
  const { name, segments } = entry;
  const isDirectory = entry.kind === "directory";
  const path = join(place.base, ...segments);
  // Some file systems take two spellings for one name.
  if (NEVER_ENTERED.has(name.toLowerCase())) return false;
  if (isDirectory && place.closed.includes(path.toLowerCase())) return false;
  if (tree.isRuledOut(path)) {
    tally.ruledOut += 1;
    return false;
  }
  if (name.startsWith(".") && !tree.hidden(name)) {
    tally.hidden += 1;
    return false;
  }
  if (tree.ignored || !isIgnored(levels, segments, isDirectory)) return true;
  tally.ignored += 1;
  return false;
}

function entryOf({ segments }: Pick<Entry, "segments">, found: Dirent, held: HeldDirectory): Entry {
  const { name } = found;
  return { name, segments: [...segments, name], kind: kindOf(found), at: held.at(name) };
}

function kindOf(found: Dirent | Stats): Entry["kind"] {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "directory";
  return found.isSymbolicLink() ? "link" : "other";
}

const hasGit = (held: HeldDirectory): boolean =>
  lstatSync(held.at(".git"), { throwIfNoEntry: false }) !== undefined;
