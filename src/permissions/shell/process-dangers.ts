/** Stopping more processes than one. */
import { words } from "./options.ts";
import { has, type ProgramCall } from "./program-call.ts";

export function killing({ given }: ProgramCall): string | null {
  // The first word may be a signal: `-1` is one as well as it is every process.
  const [first = "", ...rest] = given;
  const processes = first.startsWith("-") ? rest : given;
  return processes.includes("-1") || processes.includes("1") ? "stops every process" : null;
}

const BROAD = words(
  "bash zsh sh fish ssh sshd systemd init launchd dbus-daemon xorg gnome-shell tmux screen login dockerd containerd finder windowserver loginwindow node nodejs python python3 java bun deno ruby code kollab kollab-engine",
);

export function killingByName({ given }: ProgramCall): string | null {
  if (
    has(given, /^-[a-zA-Z]*[uUgGPt]$|^--(?:user|euid|uid|group|pgroup|terminal|inverse)/) ||
    has(given, /^-v/)
  )
    return "stops many processes";
  const names = given.filter((word) => !word.startsWith("-"));
  const broad = names.some(
    (name) => BROAD.has(name.toLowerCase()) || /^[\W_]*\w?[\W_]*$/.test(name),
  );
  return broad ? "stops many processes" : null;
}
