/** Patterns that a shell may put a sensitive place for: `~/.s?h/id_*`. */
import { compileShellPattern } from "../../lib/wildcard.ts";
import { absolute, type Base } from "./sensitive-paths.ts";

/** Names that follow each other in a path; below the first, all are meant. */
const SENSITIVE = [
  [".ssh"],
  [".kollab"],
  [".gnupg"],
  [".password-store"],
  [".netrc"],
  [".git-credentials"],
  [".pgpass"],
  [".pypirc"],
  [".azure"],
  [".aws", "credentials"],
  [".aws", "config"],
  [".aws", "sso"],
  [".kube", "config"],
  [".docker", "config.json"],
  [".config", "gcloud"],
  [".config", "gh", "hosts.yml"],
  ["id_rsa"],
  ["id_dsa"],
  ["id_ecdsa"],
  ["id_ed25519"],
  ["etc", "shadow"],
  ["etc", "gshadow"],
  ["etc", "sudoers"],
  ["etc", "master.passwd"],
  ["proc", "self", "environ"],
  ["library", "keychains"],
];
/** Nobody writes longer ones. */
const PATH_CHARS_MAX = 4096;
const NAME_CHARS_MAX = 200;
const NAMES_MAX = 100;

/** Of a word with a pattern that is not quoted. */
export function mayBeSensitive(word: string, base: Base): boolean {
  if (word.length > PATH_CHARS_MAX) return true;
  const value = word.slice(word.indexOf("=") + 1);
  return isSensitive(word, base) || (value !== word && isSensitive(value, base));
}

function isSensitive(word: string, base: Base): boolean {
  const { path, isOwn } = seenFrom(word, base);
  const names = path
    .toLowerCase()
    .split("/")
    .slice(isOwn ? 0 : 1);
  if (names.length > NAMES_MAX) return true;
  if (names.some((name) => isPattern(name) && name.length > NAME_CHARS_MAX)) return true;
  const matchers = names.map(matcherOf);
  return SENSITIVE.some((wanted) =>
    names.some((_, at) => {
      if (!wanted.every((name, index) => matchers[at + index]?.(name))) return false;
      const found = names.slice(at, at + wanted.length);
      return found.some(isPattern) && (saysSo(found, wanted) || (!isOwn && mayMean(at, wanted)));
    }),
  );
}

/** `isOwn`: it lies below the folder that the command runs in, and the path is from there on. */
function seenFrom(word: string, base: Base): { path: string; isOwn: boolean } {
  const path = absolute(word, base);
  if (!path.startsWith("/")) return { path, isOwn: true };
  const { directory, home } = base;
  const isOwn = directory !== null && directory !== home && path.startsWith(`${directory}/`);
  return { path: isOwn ? path.slice(directory.length + 1) : path, isOwn };
}

/** Whether a letter of the names is in it. `.git*` means the files of git, `*` those of a project. */
function saysSo(found: readonly string[], [first = ""]: readonly string[]): boolean {
  if (found[0] === ".git*") return false;
  const said = found.join("").replace(BRACKETS, "").replace(/[*?.]/g, "").length;
  // A name that may lie anywhere has to be meant by more than a letter.
  return said >= (first.startsWith("id_") ? 3 : 1);
}

/** `~/.*` and `/*`: places of the system are at its root, others in any home directory. */
const mayMean = (at: number, [first = ""]: readonly string[]): boolean =>
  first.startsWith(".") || (at === 0 && !first.startsWith("id_"));

const isPattern = (name: string): boolean => /[*?[]/.test(name);

/** Stands for one character, whichever. */
const BRACKETS = /\[[!^]?\]?(?:\[[:.=][^\]]{0,20}\]|[^\]])*\]/g;

function matcherOf(name: string): (wanted: string) => boolean {
  if (!isPattern(name)) return (wanted) => wanted === name;
  const matches = compileShellPattern(name.replace(BRACKETS, "?"));
  // What is hidden is meant by its dot only.
  return (wanted) => (!wanted.startsWith(".") || name.startsWith(".")) && matches(wanted);
}
