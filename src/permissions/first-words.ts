/**
 * How many words of a command say what it does: `git status`, `npm run test`, `ls`. An approval of those
 * covers them with any arguments, so programs whose arguments say what else is run, or what is
 * overwritten, have none.
 */
import { programName, type Words } from "./command-words.ts";

/** The words, the program first; null: the command says what it does only as a whole. */
export function firstWords(words: Words): string[] | null {
  const program = words[0];
  if (typeof program !== "string" || !PROGRAM.test(program)) return null;
  const name = nameOf(program);
  if (OPEN_ENDED.has(name)) return null;
  if (READERS.has(name) || CHECKERS.has(name)) return saysMore(words, 1) ? null : [program];
  if (name === "python") return pythonModule(program, words);
  const known = COMMANDS.get(name) ?? { deeper: {}, open: NOTHING };
  const depth = depthOf(known, words[1]);
  const first: string[] = [program];
  for (const word of words.slice(1, depth)) {
    if (word === null || !WORD.test(word)) return null;
    first.push(word);
    if (known.open.has(first.slice(1).join(" "))) return null;
  }
  if (first.length < depth || saysMore(words, depth)) return null;
  return first;
}

/** Whether it does the same in every folder: whatever lies there tells it nothing. */
export const isSameAnywhere = (program: string): boolean => READERS.has(nameOf(program));

/** No quotes, variables and patterns, whose program only the shell knows. */
const PROGRAM = /^(?:\.{0,2}\/)?[\w@][\w@./+-]*$/;
/** The name of a subcommand or a script; no option and no path. */
const WORD = /^[A-Za-z0-9_@][\w@:.+-]*$/;

/** Without its folder and its version. */
const nameOf = (program: string): string =>
  programName(program).replace(/(?<=[a-z])-?\d[\d.]*$/, "");

const setOf = (...lines: string[]): ReadonlySet<string> =>
  new Set(lines.flatMap((line) => line.split(" ")));
const NOTHING = setOf();

/** Their arguments say what else is run, what is fetched, or what is overwritten. */
const OPEN_ENDED = setOf(
  // Run the command that follows them, or the text.
  "builtin chroot command coproc doas entr env eval exec flock ionice nice nohup noglob not and or if",
  "while parallel pkexec script setsid source . ssh stdbuf strace su sudo time timeout watch xargs busybox",
  // Change what later commands mean.
  "alias bind complete declare enable export getopts hash let local mapfile read readarray readonly set",
  "shopt test trap typeset ulimit umask unalias unset wait",
  // Shells and interpreters.
  "ash bash csh dash fish ksh nu pwsh sh tcsh zsh",
  "lua node nodejs osascript perl php pypy r rscript ruby tclsh ts-node tsx",
  // Have programs in their arguments, or run what they are shown.
  "awk gawk mawk nawk sed gsed find fd tar rsync ed ex vi vim nvim emacs nano less more man expect gdb",
  // Run what they fetch.
  "npx pnpx bunx uvx pipx",
  // Fetch from anywhere, send to anywhere.
  "curl wget nc ncat socat ftp sftp scp telnet aws az gcloud doctl heroku fly vercel netlify",
  // Overwrite, remove, or change who may.
  "cp mv ln rm rmdir dd tee install truncate shred chmod chown chgrp unzip patch split",
  // Change the machine.
  "apt apt-get brew dnf yum pacman snap port systemctl launchctl service crontab at kill pkill killall",
  "mount umount reboot shutdown halt iptables sysctl defaults open xdg-open",
);

/** Harmless whatever their arguments are, and wherever they run. */
const READERS = setOf(
  "ls cat head tail wc grep egrep fgrep rg echo printf pwd which whereis file stat du df date uname whoami",
  "id hostname tree diff cmp comm sort cut tr paste column jq yq basename dirname realpath readlink true",
  "false sleep seq nl od xxd hexdump md5sum sha1sum sha256sum shasum cksum ps uptime nproc free mkdir",
);

/** As harmless, but for what the settings of the folder tell them to do. */
const CHECKERS = setOf(
  "tsc eslint prettier biome jest vitest pytest mypy black flake8 pylint isort gofmt rustfmt shellcheck",
);

type Subcommands = {
  /** How many words, where it is not two, by the second word. */
  deeper: Readonly<Record<string, number>>;
  /** What is open-ended, from the second word on. */
  open: ReadonlySet<string>;
};

const PACKAGES = setOf(
  "add ci config create dlx edit exec explore i init install link node patch publish rebuild remove rm",
  "set-script uninstall up update upgrade version x",
);

const COMMANDS: ReadonlyMap<string, Subcommands> = new Map(
  Object.entries<Subcommands>({
    git: {
      deeper: { remote: 3, stash: 3, worktree: 3 },
      open: setOf(
        "archive bisect bundle clone config daemon difftool filter-branch format-patch init ls-remote mergetool rebase",
        "send-email submodule subtree",
      ),
    },
    npm: { deeper: { run: 3, "run-script": 3 }, open: PACKAGES },
    pnpm: { deeper: { run: 3 }, open: PACKAGES },
    yarn: { deeper: { run: 3, workspace: 4 }, open: PACKAGES },
    bun: { deeper: { run: 3 }, open: PACKAGES },
    deno: { deeper: { task: 3 }, open: setOf("add eval install repl run serve x") },
    cargo: { deeper: {}, open: setOf("add install login owner publish yank") },
    go: { deeper: { mod: 3, work: 3 }, open: setOf("env generate get install run tool") },
    docker: {
      deeper: { compose: 3, image: 3, network: 3, system: 3, volume: 3 },
      open: setOf("buildx container cp exec login plugin run").union(
        new Set(["compose exec", "compose run", "compose cp"]),
      ),
    },
    podman: { deeper: {}, open: setOf("container cp exec login machine run unshare") },
    kubectl: {
      deeper: { config: 3, rollout: 3 },
      open: setOf("attach cp debug edit exec plugin port-forward proxy run"),
    },
    helm: { deeper: {}, open: setOf("install plugin repo upgrade") },
    gh: {
      deeper: each(3, "gist issue label pr release repo run secret workflow"),
      open: setOf("alias api auth extension codespace"),
    },
    pip: { deeper: {}, open: setOf("config download install uninstall wheel") },
    uv: { deeper: {}, open: setOf("add init pip publish remove run tool") },
    poetry: { deeper: {}, open: setOf("add config install publish remove run self shell update") },
    bundle: { deeper: {}, open: setOf("add config console exec install plugin update") },
    composer: { deeper: {}, open: setOf("config exec global install require run-script update") },
    dotnet: { deeper: {}, open: setOf("add exec new nuget run tool") },
    terraform: { deeper: {}, open: setOf("console init login") },
  }),
);

function each(depth: number, words: string): Record<string, number> {
  return Object.fromEntries(words.split(" ").map((word) => [word, depth]));
}

/** Of a program that nobody knows, two words as well: the second is often what it does. */
function depthOf({ deeper }: Subcommands, second: string | null | undefined): number {
  return second != null && Object.hasOwn(deeper, second) ? (deeper[second] ?? 2) : 2;
}

/** Modules that only look at the project. */
const PYTHON_MODULES = setOf("black flake8 isort mypy pylint pytest ruff unittest");

function pythonModule(program: string, words: Words): string[] | null {
  const [, option, name] = words;
  if (option !== "-m" || typeof name !== "string" || !PYTHON_MODULES.has(name)) return null;
  return saysMore([name, ...words.slice(3)], 1) ? null : [program, option, name];
}

/** Whether an argument from there on says what else is run or written, as far as that is known of the program. */
export function saysMore(words: Words, from: number): boolean {
  const program = words[0];
  const telling = program == null ? undefined : TELLING.get(nameOf(program));
  if (telling === undefined) return false;
  const rest = words.slice(from);
  const end = rest.indexOf("--");
  // After `--` a script runner hands on what follows; others take it for names.
  const own = end === -1 ? rest : rest.slice(0, end);
  return own.some((word) => word === null || telling.test(word) || mayBecomeOption(word));
}

/** A pattern stands for the names of files, which a repository chooses: one may be called `--script-shell=x`. */
const mayBecomeOption = (word: string): boolean => /^(?:[*?[]|-[^=]*[*?[])/.test(word);

/** Long options may be cut short as far as they stay unique. */
const PACKAGE_OPTIONS = /^-C|^--(?:pre|dir|cwd|cal|scri|node|user|glob|conf)/;
/** A pattern may become `SHELL=x`. */
const MAKE_SETTINGS = /^-[A-Za-z]*[fCIE]|^--(?:fi|mak|di|in|ev)|^\w+(?:[:+?!]*=|[*?[])/;
const TELLING: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({
    git: /^-O|^--(?:e$|e=|ex|ou|op|upl|rece|textc|uns|no-index|templ|work-tree|git-dir)/,
    npm: PACKAGE_OPTIONS,
    pnpm: PACKAGE_OPTIONS,
    yarn: PACKAGE_OPTIONS,
    bun: /^-[Cecpr]|^--(?:pre|cwd|conf|eval|print|require|import|env-file|shell)/,
    make: MAKE_SETTINGS,
    gmake: MAKE_SETTINGS,
    cargo: /^-[ZC]|^--(?:config|manifest|target-dir|out-dir)/,
    go: /^--?(?:exec|toolexec|vettool|modfile|overlay|o|C|ldflags|gcflags|gccgoflags|asmflags|pkgdir)(?:=|$)/,
    kubectl: /^-s|^--(?:kubeconfig|as|server|token)/,
    // Its variable may be an array, whose place in it is evaluated.
    printf: /^-v/,
    rg: /^-[A-Za-z]*z|^--(?:pre|hostname-bin|search-zip)/,
    sort: /^-[A-Za-z]*[oT]|^--(?:o|co|t)/,
    tree: /^-[A-Za-z]*o/,
    xxd: /^-[A-Za-z]*r/,
    date: /^-[A-Za-z]*s|^--s/,
    tsc: /^--?(?:o|d|g|ts|b)/i,
    jest: /^-[A-Za-z]*c|^--(?:config|globals|global[ST]|rootDir|runner|testRunner|reporters|setup|transform|environment|env|resolver|snapshot|watchPlugins|coverageD|coverageP|outputFile|cacheD)/,
    vitest:
      /^-[A-Za-z]*[cr]|^--(?:config|root|dir|env|globalSetup|reporter|outputFile|runner|execArgv|pool|coverage)/,
    mypy: /^--(?:config|python-exec|cache-dir|install|.*-report)/,
    pylint: /^--(?:init-hook|load|rcfile|output)/,
    flake8: /^--(?:config|append|isolated|output|tee)/,
    yq: /^-[A-Za-z]*[is]|^--(?:in|sp)/,
    eslint: /^-[A-Za-z]*[cfo]|^--(?:config|format|output|plugin|resolve|rulesdir|parser)/,
    prettier: /^--(?:config|plugin)/,
    pytest: /^-[A-Za-z]*[pco]|^--(?:basetemp|conf|import|junit|override|pyargs|root)/,
  }),
);
