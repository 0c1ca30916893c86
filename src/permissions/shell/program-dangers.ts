/** What single programs do harm with. */
import { usingContainers } from "./container-dangers.ts";
import { usingGit } from "./git-dangers.ts";
import { killing, killingByName } from "./process-dangers.ts";
import { has, type ProgramCall } from "./program-call.ts";
import { type Base, harmOfLosing } from "./sensitive-paths.ts";
import { operandsOf } from "./write-targets.ts";

type Judge = (call: ProgramCall, base: Base) => string | null;

export function dangerOfProgram(call: ProgramCall, base: Base): string | null {
  const { program } = call;
  const always = Object.hasOwn(ALWAYS, program) ? ALWAYS[program] : undefined;
  if (always) return always;
  if (/^mkfs/.test(program)) return "makes a file system";
  const judge = Object.hasOwn(JUDGES, program) ? JUDGES[program] : undefined;
  return judge?.(call, base) ?? null;
}

/** The same danger for each of the programs. */
const named = (names: string, danger: string): [string, string][] =>
  names.split(" ").map((name) => [name, danger]);

const ALWAYS: Record<string, string> = Object.fromEntries([
  ...named("shred wipefs srm wipe blkdiscard badblocks hdparm nwipe scrub", "erases data"),
  ...named("mkswap fdisk sfdisk cfdisk gdisk sgdisk parted partprobe", "changes disks"),
  ...named("cryptsetup lvremove vgremove pvremove zpool diskutil mdadm losetup", "changes disks"),
  ...named("reboot shutdown halt poweroff init telinit kexec", "stops the computer"),
  ...named("iptables ip6tables nft ufw firewall-cmd pfctl ipfw", "changes the firewall"),
  ...named("mount umount swapoff swapon insmod modprobe rmmod", "changes the system"),
  ...named("useradd usermod userdel adduser deluser passwd chpasswd", "changes users"),
  ...named("groupadd groupmod groupdel visudo vipw chsh chfn gpasswd", "changes users"),
  ...named("chroot nsenter unshare systemd-run setcap chattr", "changes rights of programs"),
  ...named("at batch atd anacron update-rc.d chkconfig rc-update", "runs something later"),
  ...named("csrutil nvram spctl tccutil dscl visudo", "changes the system"),
]);

const JUDGES: Record<string, Judge> = {
  rm: removing,
  grm: removing,
  rmdir: ({ given }, base) => losing("rmdir", given, base),
  mv: moving,
  terraform: destroying,
  tofu: destroying,
  terragrunt: destroying,
  unlink: ({ given }, base) => losing("unlink", given, base),
  find: ({ given }) =>
    has(given, /^-delete$|^-f(?:printf?|ls|print0)$/)
      ? "removes or overwrites what it finds"
      : null,
  git: usingGit,
  hub: usingGit,
  chmod: changingModes,
  chown: owning,
  chgrp: owning,
  kill: killing,
  pkill: killingByName,
  killall: killingByName,
  killall5: () => "stops every process",
  crontab: ({ given }) =>
    has(given, /^-l$/) && !has(given, /^-[er]$/) ? null : "runs something later",
  systemctl: ({ given }) =>
    given.length === 0 ||
    has(given.filter((word) => !word.startsWith("-")).slice(0, 1), READING_UNITS)
      ? null
      : "changes services of the system",
  service: ({ given }) =>
    has(given, /^(?:status|--status-all)$/) ? null : "changes services of the system",
  launchctl: ({ given }) =>
    has(given.slice(0, 1), /^(?:list|print|print-disabled|blame|help|version)$/)
      ? null
      : "runs something later",
  sysctl: ({ given }) => (has(given, /^-w|^--write|=|^-p/) ? "changes the system" : null),
  nc: listening,
  ncat: listening,
  netcat: listening,
  socat: ({ given }) =>
    has(given, /(?:^|,)(?:exec|system|shell):?/i) ? "gives a shell to the network" : null,
  docker: usingContainers,
  podman: usingContainers,
  nerdctl: usingContainers,
  "docker-compose": usingContainers,
  dd: ({ given }) => (has(given, /^of=\/dev\//) ? "writes to a device" : null),
  tar: ({ given }) =>
    has(
      given,
      /^(?:--checkpoint-action=exec|--to-command|--rsh-command|--info-script|--new-volume-script)/,
    )
      ? "runs a command for what it packs"
      : null,
  zip: ({ given }) =>
    has(given, /^(?:-TT|--unzip-command)/) ? "runs a command for what it packs" : null,
  ssh: connecting,
  scp: connecting,
  sftp: connecting,
  rsync: ({ given }) =>
    has(given, /^--(?:del|remove-s)/) ? "removes recursively or by force" : null,
  vim: editing,
  vi: editing,
  nvim: editing,
  ex: editing,
  ed: editing,
  emacs: ({ given }) =>
    has(given, /^--?(?:eval|execute|l|load|funcall|f)\b/) ? "runs commands of an editor" : null,
  gdb: ({ given }) =>
    has(given, /^-{1,2}(?:ex|eval-command|x|command)\b/) ? "runs commands of a debugger" : null,
  security: ({ given }) => (has(given, /password|export|dump/) ? "reads keys or passwords" : null),
  gpg: ({ given }) =>
    has(given, /^--(?:export-secret|delete-secret)/) ? "reads keys or passwords" : null,
  "secret-tool": () => "reads keys or passwords",
  enable: ({ given }) => (has(given, /^-f/) ? "loads code into the shell" : null),
  hash: ({ given }) => (has(given, /^-p/) ? "puts another program in the place of one" : null),
  bind: ({ given }) => (has(given, /^-x/) ? "runs something later" : null),
  shopt: ({ given }) =>
    has(given, /^expand_aliases$/) ? "puts another program in the place of one" : null,
  source: sourcing,
  ".": sourcing,
  xargs: ({ given }) => (has(given, /^(?:.*\/)?rm$/) ? "removes what it is given" : null),
  bash: startingShell,
  zsh: startingShell,
};

function removing({ program, given, repeated }: ProgramCall, base: Base): string | null {
  if (has(given, /^-[A-Za-z]*[rRf]|^--[rf]|^--no-p/)) return "removes recursively or by force";
  if (repeated) return "removes what it is given";
  return losing(program, given, base);
}

function moving({ given }: ProgramCall, base: Base): string | null {
  if (given.at(-1) === "/dev/null") return "removes what it moves";
  return losing("mv", given.slice(0, -1), base);
}

function destroying({ given }: ProgramCall): string | null {
  return has(given, /^(?:--?)?destroy$/) ? "destroys what it manages" : null;
}

function losing(program: string, given: readonly string[], base: Base): string | null {
  for (const path of operandsOf(program, given)) {
    const harm = path === "" ? null : harmOfLosing(path, base);
    if (harm !== null) return harm;
  }
  return null;
}

function changingModes({ given }: ProgramCall): string | null {
  if (has(given, /^[ugo]*[ao][ugo]*[+=][rwxXst]*w|^0?[0-7]?[0-7]{2}[2367]$/))
    return "lets everybody write";
  return has(given, /^[ugoa]*[+=][rwxX]*s|^0?[4-7][0-7]{3}$/)
    ? "gives a program another user's rights"
    : null;
}

function owning({ given }: ProgramCall): string | null {
  const everything = /^(?:\/|~|\.|\*|\.\.|\/\*|~\/\*?)\/?$/;
  return has(given, /^-[A-Za-z]*R|^--recursive/) && has(given, everything)
    ? "changes the owner of everything"
    : null;
}

const READING_UNITS = /^(?:status|show|list-.*|is-.*|cat|help|get-default)$/;

function listening({ given }: ProgramCall): string | null {
  return has(given, /^-[a-zA-Z]*[ec]$|^--(?:exec|sh-exec|lua-exec)/)
    ? "gives a shell to the network"
    : null;
}

function connecting({ given }: ProgramCall): string | null {
  return has(given, /proxycommand|localcommand|knownhostscommand|pkcs11provider|^-S./i)
    ? "runs another program to connect"
    : null;
}

function editing({ given }: ProgramCall): string | null {
  const commands = given.filter((_, index) => /^(?:-c|--cmd)$/.test(given[index - 1] ?? ""));
  return has(given, /^\+.*!|^-c!|system\s*\(/) || has(commands, /!|system|py|lua|ruby|perl/)
    ? "runs commands of an editor"
    : null;
}

function sourcing({ given }: ProgramCall): string | null {
  return has(given.slice(0, 1), /^\/(?:dev|proc|tmp|var\/tmp)\//)
    ? "runs a file that anybody may have put there"
    : null;
}

function startingShell({ given }: ProgramCall): string | null {
  return has(given, /^--(?:rcfile|init-file)/) ? "runs a start-up file" : null;
}
