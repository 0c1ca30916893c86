/** What git does harm with: lost work, and the programs that its settings name. */
import { has, type ProgramCall } from "./program-call.ts";

/** Settings of git that name a program, or where it takes one from. */
const GIT_PROGRAMS =
  /^(?:-c|--config=|--config-env=)?(?:core\.(?:hookspath|sshcommand|pager|fsmonitor|editor|askpass|gitproxy|alternaterefscommand|worktree)|pager\..+|sequence\.editor|diff\.external|(?:diff|merge|filter|difftool|mergetool)\..*\.?(?:command|cmd|textconv|driver|clean|smudge|process|path|external)|gpg\..*program|credential\..*helper|credential\.helper|remote\..*\.(?:uploadpack|receivepack|vcs|proxy)|uploadpack\.packobjectshook|include\.path|includeif\..*|init\.templatedir|protocol\..*allow|web\.browser|browser\..*|man\..*|http\.proxy|http\.sslverify|interactive\.difffilter|submodule\..*\.update|url\..*insteadof|safe\.directory)(?:=|$)/i;

export function usingGit({ given }: ProgramCall): string | null {
  const verb = given.findIndex(
    (word, index) =>
      /^[a-z]/.test(word) && !/^(?:-C|-c|--git-dir|--work-tree)$/.test(given[index - 1] ?? ""),
  );
  const name = given[verb];
  const rest = given.slice(verb + 1);
  const before = verb === -1 ? given : given.slice(0, verb);
  if (has(before, GIT_PROGRAMS) || has(before, /^--(?:exec-path|config-env)=/))
    return "makes git run another program";
  if (
    has(given, /^(?:-c)?alias\.[^=]*=!/) ||
    has(given, /^ext::|^--(?:upload|receive)-pack|^-u[^ ]*sh\b/)
  )
    return "makes git run another program";
  if (name === "clean" && has(rest, /^-[A-Za-z]*f|^--f/)) return "removes untracked files";
  // Git takes the beginning of an option for the whole.
  if (name === "push" && has(rest, /^-[A-Za-z]*f|^--for|^--m|^\+/))
    return "overwrites a remote branch";
  if (name === "push" && has(rest, /^-[A-Za-z]*d|^--de|^--prun|^:./))
    return "removes a remote branch";
  if (name === "clone" && has(rest, GIT_PROGRAMS)) return "makes git run another program";
  if (name === "config") return configuringGit(rest);
  if (/^(?:filter-branch|filter-repo)$/.test(name ?? ""))
    return "rewrites the history of a repository";
  if ((name === "rebase" || name === "difftool") && has(rest, /^(?:-x|--exec|--extcmd)/))
    return null;
  return name === "grep" && has(rest, /^(?:-O|--open-files-in-pager)/)
    ? "makes git run another program"
    : null;
}

/** Reading one is harmless. */
function configuringGit(rest: readonly string[]): string | null {
  if (has(rest, /^(?:--get.*|-l|--list|--unset.*|get|list|unset)$/)) return null;
  const at = rest.findIndex((word) => GIT_PROGRAMS.test(word) || /^alias\./.test(word));
  if (at === -1 || at === rest.length - 1)
    return has(rest, /^(?:-e|--edit)$/) ? "makes git run another program" : null;
  const isAlias = /^alias\./.test(rest[at] ?? "");
  const value = rest[at + 1] ?? "";
  return isAlias && !/^[!\0]/.test(value) ? null : "makes git run another program";
}
