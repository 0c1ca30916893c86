/** Places where a command does harm that is seen late: what others start from, and what nobody should read. */
import { posix } from "node:path";
import { UNKNOWN } from "./braces.ts";

export type Base = {
  home: string;
  /** Absolute; `null`: only known when it runs. */
  directory: string | null;
};

/** Directories of the system; what is below them as well. */
const SYSTEM = new Set(
  "etc usr bin sbin lib lib32 lib64 boot dev proc sys root library system private/etc var/spool/cron".split(
    " ",
  ),
);
const SYSTEM_DEEP =
  /^\/(?:private\/etc|var\/(?:spool\/(?:cron|at)|lib\/systemd)|run\/systemd|opt\/homebrew\/bin)(?:\/|$)/;
const HARMLESS_DEVICE =
  /^\/dev\/(?:null|zero|full|random|urandom|tty|std(?:in|out|err)|fd\/\d+|shm\/.*|ptmx)$/;

/** Below the home directory, whose programs read them when they start. */
const OF_HOME =
  /^\.(?:ssh|kollab|gnupg|aws|azure|kube|docker|config|local\/bin|local\/share\/(?:systemd|applications|autostart)|npmrc|yarnrc|netrc|pypirc|pgpass|git-credentials|gitconfig|gitignore|inputrc|vim|vimrc|viminfo|emacs|emacs\.d|tmux\.conf|screenrc|xinitrc|xsession|xprofile|pam_environment|cargo\/config|cargo\/env|m2\/settings|gem\/credentials|password-store)|^(?:bin|library\/(?:launchagents|launchdaemons|application support))(?:\/|$)/;

/** Start-up files, wherever they lie. */
const START_FILE =
  /(?:^|\/)\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin|zlogout|kshrc|cshrc|tcshrc|login|gitconfig)$/;
const KEYS = /(?:^|\/)\.(?:ssh|kollab|gnupg)(?:\/|$)/;
const GIT_SETTINGS =
  /(?:^|\/)\.git(?:\/(?:hooks|config|info|modules|worktrees|objects|refs|index|head))?(?:\/|$)/;
const GIT_RUN_FROM =
  /(?:^|\/)\.git\/(?:.*\/)?(?:hooks|config(?:\.worktree)?|info\/attributes)(?:\/|$)/;

/** Why nothing should be written there; `null`: no reason known. `removes`: whatever is there is lost. */
export function harmOfWriting(path: string, base: Base): string | null {
  const place = absolute(path, base);
  const lower = place.toLowerCase();
  if (KEYS.test(lower)) return "touches keys or settings in .ssh or .kollab";
  if (GIT_RUN_FROM.test(lower)) return "changes what git runs";
  if (START_FILE.test(lower)) return "changes a start-up file";
  const inHome = below(place, base.home)?.toLowerCase();
  if (inHome !== undefined && OF_HOME.test(inHome)) return "changes settings in the home directory";
  if (inHome !== undefined && startsLikeHidden(inHome))
    return "may change settings in the home directory";
  // The home directory may itself be below one of them, as that of root is.
  if (inHome !== undefined || HARMLESS_DEVICE.test(lower)) return null;
  if (lower === "/") return "writes to a directory of the system";
  const top = lower.split("/", 2)[1] ?? "";
  const isPattern = /[*?[]/.test(top) && lower.startsWith("/");
  if (isPattern || (lower.startsWith("/") && SYSTEM.has(top)) || SYSTEM_DEEP.test(lower))
    return "writes to a directory of the system";
  return null;
}

/** A pattern that takes in hidden files. */
const startsLikeHidden = (path: string): boolean => /^\.[^/]{0,40}[*?[]/.test(path);

/** Taking the whole of it away, or its rights. */
export function harmOfLosing(path: string, base: Base): string | null {
  const place = absolute(path, base);
  const names =
    /^(?:\/?\.{0,2}|.*\/\.\.?)\/?\**$/.test(path) || /^(?:~|\*+|\.\*)\/?\**$/.test(path);
  if (names || place === base.home || place === "/" || place === "/home" || place === "/users")
    return "removes a whole directory";
  if (GIT_SETTINGS.test(place.toLowerCase())) return "removes the history of a repository";
  return harmOfWriting(path, base);
}

const SECRETS =
  /(?:^|[/=:@,~"'\s])(?:\.(?:ssh|kollab|gnupg|password-store)(?:\/|$)|\.aws\/(?:credentials|config|sso)|\.(?:netrc|git-credentials|pgpass|pypirc)$|\.kube\/config|\.docker\/config\.json|\.config\/(?:gh\/hosts|gcloud|op\b)|\.azure\/|id_(?:rsa|dsa|ecdsa|ed25519)(?:$|[^.\w]))|\/etc\/(?:g?shadow|sudoers|master\.passwd|security\/)|\/proc\/[^/]{1,20}\/(?:environ|mem|maps|root|cwd)|\/library\/keychains/;

/** Why nobody should read it; `null`: no reason known. Also of a word that has the path in it. */
export function harmOfReading(word: string): string | null {
  const lower = word.toLowerCase().slice(0, WORD_CHARS_MAX);
  if (KEYS.test(lower)) return "touches keys or settings in .ssh or .kollab";
  if (/\/dev\/(?:tcp|udp)\//.test(lower)) return "opens a network connection";
  if (SECRETS.test(posix.normalize(lower)) || SECRETS.test(lower)) return "reads keys or passwords";
  return null;
}

const WORD_CHARS_MAX = 4096;

/** As absolute as it can be told. */
export function absolute(path: string, { home, directory }: Base): string {
  if (path === "~" || path.startsWith("~/")) return posix.join(home, path.slice(1));
  if (path.startsWith("/") || directory === null || path.startsWith(UNKNOWN))
    return posix.normalize(path.replaceAll(/\/{2,}/g, "/"));
  return posix.join(directory, path);
}

function below(place: string, directory: string): string | undefined {
  return place.startsWith(`${directory}/`) ? place.slice(directory.length + 1) : undefined;
}
