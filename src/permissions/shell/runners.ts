/** Programs that run what stands among their words, and where it stands there. */
import type { CommandLine } from "./command-line.ts";
import type { Inner } from "./inner.ts";
import { firstOperand, optionValue, words } from "./options.ts";
import { shellTexts } from "./shells.ts";
import { SPECIAL_RUNNERS } from "./special-runners.ts";
import type { Word } from "./words.ts";

/** `takes`: options with a value, or with two; `operands`: how many words stand before the command. */
type Runner = { takes?: string; takesTwo?: string; operands?: number; assigns?: boolean };

const RUNNERS: Record<string, Runner> = {
  env: { takes: "-u --unset -C --chdir -S --split-string", assigns: true },
  sudo: {
    takes:
      "-u -g -h -p -C -D -R -T -U -r -t --user --group --host --prompt --chdir --chroot --role --type",
    assigns: true,
  },
  doas: { takes: "-u -C" },
  pkexec: { takes: "--user" },
  run0: { takes: "-u --user -g --group -D --chdir" },
  timeout: { takes: "-s --signal -k --kill-after", operands: 1 },
  gtimeout: { takes: "-s --signal -k --kill-after", operands: 1 },
  prlimit: { takes: "-p --pid -o --output" },
  catchsegv: {},
  nohup: {},
  setsid: {},
  command: {},
  builtin: {},
  exec: { takes: "-a" },
  nice: { takes: "-n --adjustment" },
  ionice: { takes: "-c -n -p -P -u --class --classdata" },
  chrt: { takes: "-T -P -D", operands: 1 },
  taskset: { operands: 1 },
  numactl: { takes: "-C -N -m -i -p --cpunodebind --physcpubind --membind --interleave" },
  setpriv: {
    takes:
      "--groups --reuid --regid --ruid --euid --rgid --egid --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig",
  },
  chpst: { takes: "-u -U -b -/ -C -e -n -l -L -m -d -o -p -f -c -t -r -a" },
  cgexec: { takes: "-g" },
  gosu: { operands: 1 },
  "su-exec": { operands: 1 },
  runuser: { takes: "-u -g -G -s -w" },
  firejail: {},
  proot: { takes: "-r -b -q -w -k -R -S --rootfs --bind --qemu --pwd --cwd --kernel-release" },
  bwrap: {
    takes:
      "--dir --tmpfs --proc --dev --mqueue --chdir --unsetenv --uid --gid --hostname --args --seccomp --lock-file --remount-ro --cap-add --cap-drop --exec-label --file-label --perms --size --userns --pidns --sync-fd --block-fd --info-fd --argv0",
    takesTwo:
      "--bind --bind-try --dev-bind --dev-bind-try --ro-bind --ro-bind-try --setenv --symlink --file --bind-data --ro-bind-data --chmod",
  },
  valgrind: {},
  faketime: { takes: "-p --pid", operands: 1 },
  winpty: {},
  screen: { takes: "-S -c -e -h -p -s -t -T" },
  stdbuf: { takes: "-i -o -e --input --output --error" },
  time: { takes: "-f -o --format --output" },
  strace: { takes: "-o -e -p -s -u -E -P -a -b -I -O -S -X" },
  ltrace: { takes: "-o -e -p -s -u -a -l -n" },
  caffeinate: { takes: "-t -w" },
  unbuffer: {},
  rlwrap: { takes: "-a -b -c -f -H -l -p -s -S" },
  "xvfb-run": { takes: "-n -s -e -f -p -w --server-num --server-args" },
  "dbus-run-session": { takes: "--config-file" },
  proxychains: { takes: "-f" },
  proxychains4: { takes: "-f" },
  torsocks: {},
  "cross-env": { assigns: true },
  dotenv: { takes: "-e -f -v -p" },
  setarch: { operands: 1 },
  busybox: {},
  toybox: {},
  chroot: { operands: 1 },
  nsenter: { takes: "-t -S -G" },
  unshare: { takes: "-R -w -S -G" },
  "systemd-run": { takes: "-p -u -H -M -E --unit --property --setenv" },
  "systemd-inhibit": { takes: "--what --who --why --mode" },
  noglob: {},
  nocorrect: {},
  and: {},
  or: {},
  not: {},
  "!": {},
};

/** Run what follows one of these words, where they do not run it at once: often a tool of the project. */
type VerbRunner = { verbs?: string; takes?: string };

const PROJECT_OPTIONS =
  "-p --package -w --workspace --with --python --prefix --cwd -C --directory -n --name --extra";
const VERB_RUNNERS: Record<string, VerbRunner> = {
  npx: {},
  pnpx: {},
  bunx: {},
  uvx: {},
  npm: { verbs: "exec x" },
  pnpm: { verbs: "exec dlx" },
  yarn: { verbs: "exec dlx" },
  bun: { verbs: "x" },
  uv: { verbs: "run" },
  poetry: { verbs: "run" },
  pipenv: { verbs: "run" },
  pdm: { verbs: "run" },
  hatch: { verbs: "run" },
  rye: { verbs: "run" },
  conda: { verbs: "run" },
  bundle: { verbs: "exec" },
  asdf: { verbs: "exec" },
  op: { verbs: "run", takes: "--env-file --account --environment" },
  perf: {
    verbs: "stat record trace",
    takes: "-e --event -o --output -p --pid -t --tid -C --cpu -F --freq -c --count -r --repeat",
  },
};

/** Options whose value is a text of shell commands. */
const TEXT_OPTIONS: Record<string, ReadonlySet<string>> = {
  su: words("-c --command"),
  script: words("-c --command -qc -ec -qec"),
  sg: words("-c"),
  mise: words("-c --command"),
  flock: words("-c --command"),
  npx: words("-c --call"),
  npm: words("-c --call --script-shell"),
  pnpm: words("-c --shell-mode --script-shell"),
  "nix-shell": words("--run --command"),
  tar: words(
    "--to-command -I --use-compress-program --rsh-command -F --info-script --new-volume-script",
  ),
  rsync: words("-e --rsh --rsync-path"),
  mapfile: words("-C"),
  readarray: words("-C"),
  complete: words("-C"),
  nodemon: words("--exec -x"),
  git: words(
    "--exec -x --tree-filter --index-filter --msg-filter --env-filter --extcmd --upload-pack",
  ),
  sudoedit: words("-c"),
  split: words("--filter"),
  gsplit: words("--filter"),
  rg: words("--pre"),
  sort: words("--compress-program"),
  gsort: words("--compress-program"),
  man: words("-P --pager"),
};

/** Write the files that they are about to what they run. */
const FEEDERS = words("split gsplit rg sort gsort tar man");

/** Everything that this command runs besides itself, in order. */
export function innerOf(command: CommandLine): Inner[] {
  const { program } = command;
  const line = command.words;
  if (program === "") return [];
  const found: Inner[] = [...shellTexts(command)];
  const texts = TEXT_OPTIONS[program];
  const text = texts ? optionValue(line.slice(1), texts) : null;
  if (text) found.push({ kind: "text", text: text.literal, fed: FEEDERS.has(program) });
  const runner = runnerOf(program);
  if (runner) found.push(...runBy(line, runner));
  const special = Object.hasOwn(SPECIAL_RUNNERS, program) ? SPECIAL_RUNNERS[program] : undefined;
  if (special) found.push(...special(line));
  const verbRunner = Object.hasOwn(VERB_RUNNERS, program) ? VERB_RUNNERS[program] : undefined;
  if (verbRunner) found.push(...runByVerb(line, verbRunner));
  return found.filter((inner) => inner.kind === "text" || inner.words.length > 0);
}

/** Loaders of the system's programs start the one that they are given. */
const LOADER = /^ld(?:-linux|-musl|64)?[\w.-]{0,40}\.so(?:\.\d)?$/;

function runnerOf(program: string): Runner | undefined {
  if (LOADER.test(program))
    return { takes: "--library-path --preload --audit --inhibit-rpath --argv0" };
  return Object.hasOwn(RUNNERS, program) ? RUNNERS[program] : undefined;
}

function runBy(line: readonly Word[], runner: Runner): Inner[] {
  const { takes = "", takesTwo = "", operands = 0, assigns } = runner;
  // `command -v` looks a program up.
  if (line[0]?.literal === "command" && /^-[vV]/.test(line[1]?.literal ?? "")) return [];
  const found: Inner[] = [];
  let from = firstOperand(line, 1, words(takes), words(takesTwo));
  if (takes.includes("-S")) {
    const split = optionValue(line.slice(1, from), words("-S --split-string"));
    const joined = line.slice(1, from).find(({ literal }) => /^-[a-z]*S./.test(literal ?? ""));
    const text = joined ? (joined.literal?.replace(/^-[a-z]*S/, "") ?? null) : split?.literal;
    if (split || joined) found.push({ kind: "text", text: text ?? null });
  }
  const isSet = (word: Word | undefined) => /^\w+=/.test(word?.visible[0] ?? "");
  for (let index = from; assigns && isSet(line[index]); index++) from = index + 1;
  from += operands;
  found.push({ kind: "line", words: line.slice(from), assigns: assigns === true });
  return found;
}

function runByVerb(line: readonly Word[], { verbs, takes = PROJECT_OPTIONS }: VerbRunner): Inner[] {
  const taking = words(takes);
  const at = verbs === undefined ? 0 : firstOperand(line, 1, taking);
  if (verbs !== undefined && !words(verbs).has(line[at]?.literal ?? "")) return [];
  return [{ kind: "line", words: line.slice(firstOperand(line, at + 1, taking)) }];
}
